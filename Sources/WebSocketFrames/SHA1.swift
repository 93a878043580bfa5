/// SHA-1 (FIPS 180-4, section 6.1), for the handshake's accept key and nothing that must be secret.
package enum SHA1 {
    package static let digestBytes = 20
    private static let blockBytes = 64
    private static let lengthBytes = 8

    /// The digest of `message`: 20 bytes.
    package static func digest(_ message: [UInt8]) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: digestBytes) { digest, count in
            message.withUnsafeBytes { SHA1.digest($0, into: UnsafeMutableRawBufferPointer(digest)) }
            count = digestBytes
        }
    }

    /// Writes the digest of `message` to the beginning of `digest`, without memory of its own: each handshake needs one.
    package static func digest(_ message: UnsafeRawBufferPointer, into digest: UnsafeMutableRawBufferPointer) {
        var state = State()
        let whole = message.count / blockBytes * blockBytes
        for start in stride(from: 0, to: whole, by: blockBytes) {
            state.take(UnsafeRawBufferPointer(rebasing: message[start..<start + blockBytes]))
        }
        let rest = UnsafeRawBufferPointer(rebasing: message[whole...])
        let padded = rest.count + 1 + lengthBytes <= blockBytes ? blockBytes : 2 * blockBytes
        withUnsafeTemporaryAllocation(byteCount: padded, alignment: 8) { end in
            end.initializeMemory(as: UInt8.self, repeating: 0)
            end.copyMemory(from: rest)
            end[rest.count] = 0x80
            end.storeBytes(
                of: (UInt64(message.count) * 8).bigEndian, toByteOffset: padded - lengthBytes, as: UInt64.self)
            for start in stride(from: 0, to: padded, by: blockBytes) {
                state.take(UnsafeRawBufferPointer(rebasing: end[start..<start + blockBytes]))
            }
        }
        let words = (
            state.a.bigEndian, state.b.bigEndian, state.c.bigEndian, state.d.bigEndian, state.e.bigEndian
        )
        withUnsafeBytes(of: words) { digest.copyMemory(from: $0) }
    }

    private struct State {
        var a: UInt32 = 0x6745_2301
        var b: UInt32 = 0xEFCD_AB89
        var c: UInt32 = 0x98BA_DCFE
        var d: UInt32 = 0x1032_5476
        var e: UInt32 = 0xC3D2_E1F0

        mutating func take(_ block: UnsafeRawBufferPointer) {
            withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 80) { schedule in
                for t in 0..<16 {
                    schedule[t] = UInt32(bigEndian: block.loadUnaligned(fromByteOffset: 4 * t, as: UInt32.self))
                }
                for t in 16..<80 {
                    let mixed = schedule[t - 3] ^ schedule[t - 8] ^ schedule[t - 14] ^ schedule[t - 16]
                    schedule[t] = SHA1.rotated(mixed, by: 1)
                }
                mix(schedule)
            }
        }

        private mutating func mix(_ schedule: UnsafeMutableBufferPointer<UInt32>) {
            var (a, b, c, d, e) = (a, b, c, d, e)
            for t in 0..<80 {
                let mixed: UInt32
                switch t {
                case ..<20: mixed = (b & c | ~b & d) &+ 0x5A82_7999
                case ..<40: mixed = (b ^ c ^ d) &+ 0x6ED9_EBA1
                case ..<60: mixed = (b & c | b & d | c & d) &+ 0x8F1B_BCDC
                default: mixed = (b ^ c ^ d) &+ 0xCA62_C1D6
                }
                let next = SHA1.rotated(a, by: 5) &+ mixed &+ e &+ schedule[t]
                (a, b, c, d, e) = (next, a, SHA1.rotated(b, by: 30), c, d)
            }
            self.a &+= a
            self.b &+= b
            self.c &+= c
            self.d &+= d
            self.e &+= e
        }
    }

    private static func rotated(_ word: UInt32, by bits: UInt32) -> UInt32 {
        word << bits | word >> (32 - bits)
    }
}
