/// SHA-1 (FIPS 180-4, section 6.1), for the handshake's accept key and nothing that must be secret.
package enum SHA1 {
    /// The digest of `message`: 20 bytes.
    package static func digest(_ message: some Collection<UInt8>) -> [UInt8] {
        var padded = Array(message)
        let bitCount = UInt64(padded.count) * 8
        padded.append(0x80)
        padded.append(contentsOf: repeatElement(0, count: (64 + 56 - padded.count % 64) % 64))
        padded.append(contentsOf: bigEndianBytes(of: bitCount))

        var hash: [UInt32] = [0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476, 0xC3D2_E1F0]
        var schedule = [UInt32](repeating: 0, count: 80)
        for block in stride(from: 0, to: padded.count, by: 64) {
            compress(padded[block..<block + 64], into: &hash, schedule: &schedule)
        }
        return hash.flatMap(bigEndianBytes(of:))
    }

    private static func compress(_ block: ArraySlice<UInt8>, into hash: inout [UInt32], schedule: inout [UInt32]) {
        for t in 0..<16 {
            let word = block[(block.startIndex + 4 * t)...].prefix(4)
            schedule[t] = word.reduce(0) { $0 << 8 | UInt32($1) }
        }
        for t in 16..<80 {
            schedule[t] = rotated(schedule[t - 3] ^ schedule[t - 8] ^ schedule[t - 14] ^ schedule[t - 16], by: 1)
        }
        var (a, b, c, d, e) = (hash[0], hash[1], hash[2], hash[3], hash[4])
        for t in 0..<80 {
            let mixed: UInt32
            switch t {
            case ..<20: mixed = (b & c | ~b & d) &+ 0x5A82_7999
            case ..<40: mixed = (b ^ c ^ d) &+ 0x6ED9_EBA1
            case ..<60: mixed = (b & c | b & d | c & d) &+ 0x8F1B_BCDC
            default: mixed = (b ^ c ^ d) &+ 0xCA62_C1D6
            }
            let next = rotated(a, by: 5) &+ mixed &+ e &+ schedule[t]
            (a, b, c, d, e) = (next, a, rotated(b, by: 30), c, d)
        }
        for (index, word) in [a, b, c, d, e].enumerated() {
            hash[index] &+= word
        }
    }

    private static func rotated(_ word: UInt32, by bits: UInt32) -> UInt32 {
        word << bits | word >> (32 - bits)
    }

    private static func bigEndianBytes(of value: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: value.bigEndian, Array.init)
    }
}
