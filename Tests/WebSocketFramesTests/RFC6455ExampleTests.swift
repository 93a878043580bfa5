import NIOCore
import Testing
import WebSocketFrames

/// The frames printed in RFC 6455, section 5.7.
@Suite struct RFC6455ExampleTests {
    private let ping: [UInt8] = [0x89, 0x05, 0x48, 0x65, 0x6C, 0x6C, 0x6F]
    private let pong: [UInt8] = [0x8A, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58]
    private let unmaskedText: [UInt8] = [0x81, 0x05, 0x48, 0x65, 0x6C, 0x6C, 0x6F]
    private let maskedText: [UInt8] = [0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58]

    @Test func `a single-frame unmasked text message`() {
        #expect(events(of: unmaskedText, role: .client) == [.text("Hello")])
        var buffer = ByteBuffer()
        FrameEncoder.text("Hello", into: &buffer)
        #expect(Array(buffer: buffer) == unmaskedText)
    }

    @Test func `a single-frame masked text message`() {
        #expect(events(of: maskedText) == [.text("Hello")])
        var buffer = ByteBuffer()
        FrameEncoder.text("Hello", mask: 0x37FA_213D, into: &buffer)
        #expect(Array(buffer: buffer) == maskedText)
    }

    @Test func `a fragmented unmasked text message`() {
        let fragments: [UInt8] = [0x01, 0x03, 0x48, 0x65, 0x6C, 0x80, 0x02, 0x6C, 0x6F]
        #expect(events(of: fragments, role: .client) == [.text("Hello")])
    }

    @Test func `an unmasked ping and a masked pong`() {
        #expect(events(of: ping, role: .client) == [.ping(Array("Hello".utf8))])
        #expect(events(of: pong) == [.pong(Array("Hello".utf8))])
        var buffer = ByteBuffer()
        FrameEncoder.ping(ByteBuffer(string: "Hello"), into: &buffer)
        FrameEncoder.pong(ByteBuffer(string: "Hello"), mask: 0x37FA_213D, into: &buffer)
        #expect(Array(buffer: buffer) == ping + pong)
    }

    @Test(arguments: [(256, [0x82, 0x7E, 0x01, 0x00]), (65536, [0x82, 0x7F, 0, 0, 0, 0, 0, 1, 0, 0])])
    func `binary messages of 256 bytes and of 64 KiB`(count: Int, header: [UInt8]) {
        let payload = [UInt8](repeating: 0xFE, count: count)
        #expect(events(of: header + payload, role: .client) == [.binary(payload)])
        var buffer = ByteBuffer()
        FrameEncoder.binary(ByteBuffer(bytes: payload), into: &buffer)
        #expect(Array(buffer: buffer) == header + payload)
    }
}
