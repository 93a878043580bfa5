/// Names for connections: unique for ever, by chance.
enum ConnectionID {
    /// 128 random bits as 26 letters and digits.
    static func make() -> String {
        var generator = SystemRandomNumberGenerator()
        var bits = UInt128(generator.next()) << 64 | UInt128(generator.next())
        let digits = Array("0123456789abcdefghjkmnpqrstvwxyz".utf8)
        return String(unsafeUninitializedCapacity: 26) { text in
            for index in 0..<26 {
                text[index] = digits[Int(bits & 31)]
                bits >>= 5
            }
            return 26
        }
    }
}
