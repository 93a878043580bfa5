import Testing
import WebSocketFrames

@Suite struct HandshakeTests {
    @Test func `the accept key is the one of RFC 6455, section 1.3`() {
        #expect(Handshake.acceptKey(for: "dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    }

    @Test func `a made key is valid and is the base64 form of its bytes`() {
        let bytes: (UInt64, UInt64) = (
            UInt64(bigEndian: 0x0102_0304_0506_0708), UInt64(bigEndian: 0x090A_0B0C_0D0E_0F10)
        )
        #expect(Handshake.makeKey(from: bytes) == "AQIDBAUGBwgJCgsMDQ4PEA==")
        var generator = SystemRandomNumberGenerator()
        #expect(Handshake.isValidKey(Handshake.makeKey(from: (generator.next(), generator.next()))))
    }

    @Test(
        arguments: [
            "", "=", "====", "dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZQ===", "dGhlIHNhbXBsZSBub25jZQA=",
            "dGhlIHNhbXBsZSBub25jZQAA", " GhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZ-==",
            "dGhlIHNhbXBsZSBub25j====",
            "dGhlIHNhbXBsZSBub25jZé==", "dGhlIHNhbXBsZSBub25jZQ==\r\n",
        ])
    func `a key that is not the base64 form of 16 bytes is refused`(key: String) {
        #expect(!Handshake.isValidKey(key))
    }

    /// FIPS 180 examples, and the lengths at which the padding takes another block.
    @Test(
        arguments: [
            ("", 1, "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
            ("abc", 1, "a9993e364706816aba3e25717850c26c9cd0d89d"),
            ("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1, "84983e441c3bd26ebaae4aa1f95129e5e54670f1"),
            ("a", 55, "c1c8bbdc22796e28c0e15163d20899b65621d65a"),
            ("a", 56, "c2db330f6083854c99d4b5bfb6e8f29f201be699"),
            ("a", 63, "03f09f5b158a7a8cdad920bddc29b81c18a551f5"),
            ("a", 64, "0098ba824b5c16427bd7a1122a5a442a25ec644d"),
            ("a", 1_000_000, "34aa973cd4c4daa4f61eeb2bdbad27316534016f"),
        ])
    func `SHA-1 gives the published digests`(unit: String, repeats: Int, digest: String) {
        let message = String(repeating: unit, count: repeats)
        let hex = SHA1.digest(Array(message.utf8)).map { byte in
            let digits = String(byte, radix: 16)
            return digits.count == 1 ? "0" + digits : digits
        }
        #expect(hex.joined() == digest)
    }
}
