import GatewayCore
import Testing

@Suite struct HexDigitsTests {
    @Test func `bytes are written in small letters, and read again`() {
        let all = Array(UInt8.min...UInt8.max)
        #expect(HexDigits.text([0x00, 0x0F, 0xA9, 0xFF]) == "000fa9ff")
        #expect(HexDigits.bytes(HexDigits.text(all)) == all)
        #expect(HexDigits.bytes(HexDigits.text(all).uppercased()) == all)
        #expect(HexDigits.bytes("") == [])
    }

    @Test(arguments: ["0", "000", "0g", "g0", " 0", "0x", "+1", "é0", "１２", "1\u{0}"])
    func `what is no pair of digits is nothing`(text: String) {
        #expect(HexDigits.bytes(text) == nil)
    }
}
