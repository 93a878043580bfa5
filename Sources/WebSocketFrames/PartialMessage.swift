import NIOCore

/// The part of a message that has come: unmasked, and no longer compressed.
///
/// A copy shares the inflater, which only one of them may use.
struct PartialMessage {
    private enum Packing {
        case plain
        /// Compressed, and kept as it came.
        case packed
        case unpacking(Inflater)
    }

    /// A compressed message is kept as it came until it is whole or longer than this: what a peer makes this one hold by
    /// half messages, it has sent at least a hundredth of.
    static let packedBytes = 1024

    private var packing: Packing
    private(set) var bytes = ByteBuffer()
    private var utf8 = UTF8Validator()
    let isText: Bool

    init(isText: Bool, isCompressed: Bool) {
        self.isText = isText
        packing = isCompressed ? .packed : .plain
    }

    var isCompressed: Bool {
        switch packing {
        case .plain: false
        case .packed, .unpacking: true
        }
    }

    /// Payload that has come, as it came.
    var takenBytes: Int {
        switch packing {
        case .plain, .packed: bytes.readableBytes
        case .unpacking(let inflater): inflater.takenBytes
        }
    }

    var heldBytes: Int {
        switch packing {
        case .plain, .packed: bytes.storageCapacity
        case .unpacking: bytes.storageCapacity + Inflater.heldBytes
        }
    }

    /// Moves the next `count` bytes over; an error where the message cannot become a good one of `limit` bytes.
    mutating func append(_ count: Int, from buffer: inout ByteBuffer, key: MaskingKey?, limit: Int) -> FrameError? {
        guard count > 0 else { return nil }
        switch packing {
        case .plain:
            let start = bytes.writerIndex
            bytes.writeUnmasked(count, from: &buffer, key: key)
            return checkText(from: start)
        case .packed where bytes.readableBytes + count <= PartialMessage.packedBytes:
            bytes.writeUnmasked(count, from: &buffer, key: key)
            return nil
        case .packed:
            if let error = unpack(limit: limit) { return error }
            return inflate(count, from: &buffer, key: key, limit: limit)
        case .unpacking:
            return inflate(count, from: &buffer, key: key, limit: limit)
        }
    }

    /// Nothing more belongs to the message.
    mutating func finish(limit: Int) -> FrameError? {
        if case .packed = packing, let error = unpack(limit: limit) { return error }
        if case .unpacking(let inflater) = packing {
            let start = bytes.writerIndex
            let error = inflater.finish(into: &bytes, limit: limit)
            if let error = checkText(from: start) ?? error { return error }
        }
        return isText && !utf8.isAtScalarBoundary ? .notUTF8 : nil
    }

    /// Begins to inflate, with what has been kept.
    private mutating func unpack(limit: Int) -> FrameError? {
        // Without the memory for it no compressed message can be taken, however small.
        guard let inflater = Inflater() else { return .messageTooLarge }
        packing = .unpacking(inflater)
        var packed = bytes
        bytes = ByteBuffer()
        return inflate(packed.readableBytes, from: &packed, key: nil, limit: limit)
    }

    /// In small pieces, each checked against the limit before the next is looked at.
    private mutating func inflate(
        _ count: Int, from buffer: inout ByteBuffer, key: MaskingKey?, limit: Int
    ) -> FrameError? {
        guard case .unpacking(let inflater) = packing else { return nil }
        inflater.takenBytes += count
        let start = bytes.writerIndex
        // A multiple of four: the key fits each piece alike.
        let pieceBytes = 4096
        let error = withUnsafeTemporaryAllocation(byteCount: pieceBytes, alignment: 8) { memory -> FrameError? in
            var rest = count
            while rest > 0 {
                let piece = UnsafeMutableRawBufferPointer(rebasing: memory[..<min(rest, pieceBytes)])
                buffer.readWithUnsafeReadableBytes { readable in
                    piece.copyMemory(from: UnsafeRawBufferPointer(rebasing: readable[..<piece.count]))
                    return piece.count
                }
                key?.apply(to: piece)
                rest -= piece.count
                if let error = inflater.inflate(piece, into: &bytes, limit: limit) { return error }
            }
            return nil
        }
        // What came out before the damage is judged first, as it is where it comes in smaller pieces.
        return checkText(from: start) ?? error
    }

    private mutating func checkText(from start: Int) -> FrameError? {
        guard isText else { return nil }
        var utf8 = utf8
        let isValid = bytes.withUnsafeReadableBytes { utf8.accept(UnsafeRawBufferPointer(rebasing: $0[start...])) }
        self.utf8 = utf8
        return isValid ? nil : .notUTF8
    }
}
