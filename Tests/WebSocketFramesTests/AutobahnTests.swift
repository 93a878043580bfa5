import NIOCore
import Testing
import WebSocketFrames

/// The cases of the Autobahn test suite that a decoder alone can fail, named by the suite's numbers.
@Suite struct AutobahnTests {
    private let a = Array("fragment1".utf8)
    private let b = Array("fragment2".utf8)
    private var joined: FrameDecoder.Event { .text("fragment1fragment2") }

    @Test(arguments: [0, 125, 126, 127, 128, 65535, 65536])
    func `1.1.x and 1.2.x: messages of every class of length, also in chops of 997`(count: Int) {
        let text = [UInt8](repeating: 0x2A, count: count)
        for chunk in [Int.max, 997] {
            #expect(events(of: Wire().frame(0x1, text), chunk: chunk) == [.text(ByteBuffer(bytes: text))])
            #expect(events(of: Wire().frame(0x2, text), chunk: chunk) == [.binary(text)])
        }
    }

    @Test func `2.x: pings of any payload up to 125 bytes, and pongs nobody asked for`() {
        let binary: [UInt8] = [0x00, 0xFF, 0xFE, 0xFD, 0xFC, 0xFB, 0x00, 0xFF]
        let largest = [UInt8](repeating: 0xFE, count: 125)
        let wire = Wire().frame(0x9).frame(0x9, binary).frame(0x9, largest).frame(0xA, binary)
        for chunk in [Int.max, 1] {
            #expect(events(of: wire, chunk: chunk) == [.ping([]), .ping(binary), .ping(largest), .pong(binary)])
        }
        let oversized = Wire().frame(0x9, largest + [0xFE])
        #expect(events(of: oversized) == [.failed(.oversizedControl)])
        let ten = (0..<10).reduce(Wire()) { wire, number in wire.frame(0x9, [UInt8(number)]) }
        #expect(events(of: ten) == (0..<10).map { .ping([$0]) })
    }

    @Test(arguments: UInt8(1)...7, [0x1, 0x2, 0x8, 0x9, 0xA] as [UInt8])
    func `3.x: reserved bits`(bits: UInt8, opcode: UInt8) {
        let wire = Wire().text("ok").frame(opcode, reserved: bits).frame(0x9)
        for chunk in [Int.max, 1] {
            #expect(events(of: wire, chunk: chunk) == [.text("ok"), .failed(.reservedBit)])
        }
    }

    @Test(arguments: [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] as [UInt8])
    func `4.x: reserved opcodes`(opcode: UInt8) {
        for payload in [[], Array("payload".utf8)] {
            let wire = Wire().text("ok").frame(opcode, payload).frame(0x9)
            #expect(events(of: wire) == [.text("ok"), .failed(.reservedOpcode)])
        }
    }

    @Test func `5.1 and 5.2: control frames in fragments`() {
        for opcode: UInt8 in [0x9, 0xA] {
            let wire = Wire().frame(opcode, a, isFinal: false).frame(0x0, b)
            #expect(events(of: wire) == [.failed(.fragmentedControl)])
        }
    }

    @Test(arguments: [Int.max, 1])
    func `5.3 to 5.8: a message in two fragments, with and without a ping between`(chunk: Int) {
        let plain = Wire().frame(0x1, a, isFinal: false).frame(0x0, b)
        #expect(events(of: plain, chunk: chunk) == [joined])
        let pinged = Wire().frame(0x1, a, isFinal: false).frame(0x9, [1]).frame(0x0, b)
        #expect(events(of: pinged, chunk: chunk) == [.ping([1]), joined])
    }

    @Test(arguments: [true, false])
    func `5.9 to 5.14: continuations of nothing`(isFinal: Bool) {
        #expect(events(of: Wire().frame(0x0, a, isFinal: isFinal).text("x")) == [.failed(.unexpectedContinuation)])
    }

    @Test func `5.15: a continuation after the last fragment`() {
        let wire = Wire().frame(0x1, a, isFinal: false).frame(0x0, b).frame(0x0, a, isFinal: false)
        #expect(events(of: wire) == [joined, .failed(.unexpectedContinuation)])
    }

    @Test func `5.18: a new message before the last fragment`() {
        #expect(events(of: Wire().frame(0x1, a, isFinal: false).text("x")) == [.failed(.interruptedMessage)])
    }

    @Test(arguments: [Int.max, 1])
    func `5.19 and 5.20: five fragments with pings between`(chunk: Int) {
        let wire = Wire().frame(0x1, a, isFinal: false).frame(0x0, b, isFinal: false).frame(0x9, [1])
            .frame(0x0, a, isFinal: false).frame(0x0, b, isFinal: false).frame(0x9, [2]).frame(0x0, a)
        let whole = FrameDecoder.Event.text(ByteBuffer(bytes: a + b + a + b + a))
        #expect(events(of: wire, chunk: chunk) == [.ping([1]), .ping([2]), whole])
    }

    @Test func `6.1.x: empty fragments`() {
        #expect(events(of: Wire().text("")) == [.text("")])
        let empty = Wire().text("", isFinal: false).frame(0x0, isFinal: false)
        #expect(events(of: empty.frame(0x0)) == [.text("")])
        #expect(events(of: empty.frame(0x0, a, isFinal: false).frame(0x0)) == [.text(ByteBuffer(bytes: a))])
    }

    @Test func `6.2.x: valid UTF-8 whole, in fragments and in fragments of one byte`() {
        let text = Array("Hello-µ@ßöäüàá-UTF-8!!κόσμε".utf8)
        for size in [1, 5, text.count] {
            var wire = Wire().frame(0x1, isFinal: false)
            for start in stride(from: 0, to: text.count, by: size) {
                wire = wire.frame(0x0, Array(text[start..<min(start + size, text.count)]), isFinal: false)
            }
            #expect(events(of: wire.frame(0x0)) == [.text(ByteBuffer(bytes: text))])
        }
    }

    private static let surrogate: [UInt8] = Array("κόσμε".utf8) + [0xED, 0xA0, 0x80] + Array("edited".utf8)
    private static let beyond: [UInt8] = Array("κόσμε".utf8) + [0xF4, 0x90, 0x80, 0x80] + Array("edited".utf8)

    @Test(arguments: [surrogate, beyond])
    func `6.3.x: invalid UTF-8 whole and in fragments of one byte`(text: [UInt8]) {
        #expect(events(of: Wire().frame(0x1, text)) == [.failed(.notUTF8)])
        let wire = text.reduce(Wire().frame(0x1, isFinal: false)) { $0.frame(0x0, [$1], isFinal: false) }
        #expect(events(of: wire.frame(0x0)) == [.failed(.notUTF8)])
    }

    @Test func `6.4.1 and 6.4.2: invalid UTF-8 fails with the fragment that brings it`() {
        // Of the four bytes of 6.4.2 the first fragment has one, the second the byte that cannot follow it.
        let start = Array("κόσμε".utf8)
        let first = Wire().frame(0x1, start + [0xF4], isFinal: false)
        #expect(events(of: first).isEmpty)
        #expect(events(of: first.frame(0x0, [0x90], isFinal: false)) == [.failed(.notUTF8)])
    }

    @Test func `6.4.3 and 6.4.4: invalid UTF-8 fails in the middle of a frame, at its very byte`() {
        let wire = Wire().frame(0x1, Self.beyond)
        var decoder = FrameDecoder(role: .server, maxMessageBytes: 1000)
        let wrongByte = 6 + "κόσμε".utf8.count + 1
        #expect(decoder.drain(wire.bytes[..<wrongByte]).isEmpty)
        #expect(decoder.drain([wire.bytes[wrongByte]]) == [.failed(.notUTF8)])
    }

    @Test(
        arguments: [
            ([0xCE], false), ([0xCE, 0xBA], true), ([0xCE, 0xBA, 0xE1, 0xBD], false), ([0x00], true),
            ([0xC2, 0x80], true), ([0xE0, 0xA0, 0x80], true), ([0xF0, 0x90, 0x80, 0x80], true), ([0x7F], true),
            ([0xDF, 0xBF], true), ([0xEF, 0xBF, 0xBF], true), ([0xF4, 0x8F, 0xBF, 0xBF], true),
            ([0xF8, 0x88, 0x80, 0x80, 0x80], false), ([0xFC, 0x84, 0x80, 0x80, 0x80, 0x80], false),
            ([0xF7, 0xBF, 0xBF, 0xBF], false), ([0xED, 0x9F, 0xBF], true), ([0xEE, 0x80, 0x80], true),
            ([0xEF, 0xBF, 0xBD], true), ([0xF4, 0x90, 0x80, 0x80], false), ([0x80], false), ([0xBF], false),
            ([0xFE], false), ([0xFF], false), ([0xC0, 0xAF], false), ([0xE0, 0x80, 0xAF], false),
            ([0xF0, 0x80, 0x80, 0xAF], false), ([0xC1, 0xBF], false), ([0xE0, 0x9F, 0xBF], false),
            ([0xF0, 0x8F, 0xBF, 0xBF], false), ([0xED, 0xA0, 0x80], false), ([0xED, 0xBF, 0xBF], false),
            ([0xED, 0xA0, 0x80, 0xED, 0xB0, 0x80], false), ([0xEF, 0xBF, 0xBE], true),
        ] as [([UInt8], Bool)])
    func `6.5 to 6.23: the borders of UTF-8`(text: [UInt8], isValid: Bool) {
        let expected: FrameDecoder.Event = isValid ? .text(ByteBuffer(bytes: text)) : .failed(.notUTF8)
        for chunk in [Int.max, 1] {
            #expect(events(of: Wire().frame(0x1, text), chunk: chunk) == [expected])
        }
    }

    @Test func `7.1.x: nothing counts after a close`() {
        let wire = Wire().close(1000).frame(0x9).text("x").close(1000)
        #expect(events(of: wire) == [.close(code: 1000, reason: "")])
        let inside = Wire().frame(0x1, a, isFinal: false).close(1000).frame(0x0, b)
        #expect(events(of: inside) == [.close(code: 1000, reason: "")])
    }

    @Test func `7.3.x: closes of every length`() {
        let longest = [UInt8](repeating: 0x2A, count: 123)
        #expect(events(of: Wire().frame(0x8)) == [.close(code: nil, reason: "")])
        #expect(events(of: Wire().frame(0x8, [0x61])) == [.failed(.truncatedCloseCode)])
        #expect(events(of: Wire().close(1000)) == [.close(code: 1000, reason: "")])
        #expect(events(of: Wire().close(1000, Array("Hello".utf8))) == [.close(code: 1000, reason: "Hello")])
        let reason = String(decoding: longest, as: UTF8.self)
        #expect(events(of: Wire().close(1000, longest)) == [.close(code: 1000, reason: reason)])
        #expect(events(of: Wire().close(1000, longest + [0x2A])) == [.failed(.oversizedControl)])
    }

    @Test func `7.5.1: a close reason that is not UTF-8`() {
        #expect(events(of: Wire().close(1000, Self.surrogate)) == [.failed(.notUTF8)])
    }

    @Test(arguments: [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999])
    func `7.7.x: close codes that may be sent`(code: UInt16) {
        #expect(events(of: Wire().close(code)) == [.close(code: code, reason: "")])
    }

    @Test(arguments: [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535])
    func `7.9.x and 7.13.x: close codes that may not`(code: UInt16) {
        #expect(events(of: Wire().close(code)) == [.failed(.invalidCloseCode)])
    }

    @Test func `9.x: a megabyte, whole, in fragments and in chops`() {
        let text = [UInt8](repeating: 0x2A, count: 1 << 20)
        let whole = Wire().frame(0x1, text)
        for chunk in [64, 1024, 65536, Int.max] {
            #expect(events(of: whole, chunk: chunk) == [.text(ByteBuffer(bytes: text))])
        }
        let part = Array(text[..<4096])
        let parts = (1..<256).reduce(Wire().frame(0x1, part, isFinal: false)) {
            $0.frame(0x0, part, isFinal: $1 == 255)
        }
        #expect(events(of: parts) == [.text(ByteBuffer(bytes: text))])
    }

    @Test func `10.1.1: a message of 65,536 bytes in fragments of 1,300`() {
        let text = [UInt8](repeating: 0x2A, count: 65536)
        var wire = Wire()
        for start in stride(from: 0, to: text.count, by: 1300) {
            let end = min(start + 1300, text.count)
            wire = wire.frame(start == 0 ? 0x1 : 0x0, Array(text[start..<end]), isFinal: end == text.count)
        }
        #expect(events(of: wire) == [.text(ByteBuffer(bytes: text))])
    }
}
