/// The four bytes that a client xors its payload with (RFC 6455, section 5.3).
struct MaskingKey: Equatable {
    /// Byte `i` of the key in the bits from `8 * i` up.
    private var bits: UInt32

    /// The key as it would be read from the wire in network byte order.
    init(networkOrder key: UInt32) {
        bits = key.byteSwapped
    }

    /// The key to go on with after `count` bytes.
    func advanced(by count: Int) -> MaskingKey {
        let shift = UInt32(truncatingIfNeeded: count & 3) * 8
        var next = self
        next.bits = shift == 0 ? bits : bits &>> shift | bits &<< (32 - shift)
        return next
    }

    /// Writes `source`, masked or unmasked, to `target`, which may be the same memory and must be as long.
    func apply(to source: UnsafeRawBufferPointer, writingTo target: UnsafeMutableRawBufferPointer) {
        precondition(target.count == source.count, "source and target differ in length")
        guard let from = source.baseAddress, let to = target.baseAddress else { return }
        let wide = UInt64(bits) << 32 | UInt64(bits)
        let words = source.count & ~7
        var offset = 0
        while offset < words {
            let word = from.loadUnaligned(fromByteOffset: offset, as: UInt64.self) ^ wide.littleEndian
            to.storeBytes(of: word, toByteOffset: offset, as: UInt64.self)
            offset &+= 8
        }
        var rest = wide
        while offset < source.count {
            let byte = from.load(fromByteOffset: offset, as: UInt8.self) ^ UInt8(truncatingIfNeeded: rest)
            to.storeBytes(of: byte, toByteOffset: offset, as: UInt8.self)
            rest &>>= 8
            offset &+= 1
        }
    }

    /// Masks or unmasks `bytes` where they lie.
    func apply(to bytes: UnsafeMutableRawBufferPointer) {
        apply(to: UnsafeRawBufferPointer(bytes), writingTo: bytes)
    }
}
