import NIOCore
import Testing
import WebSocketFrames

@Suite struct FrameEncoderTests {
    private static let sizes = [0, 1, 7, 8, 9, 124, 125, 126, 127, 128, 1000, 65534, 65535, 65536, 65537, 200_000]

    private func payload(_ count: Int) -> [UInt8] { (0..<count).map { UInt8(0x20 + $0 % 0x50) } }

    @Test(arguments: sizes, [nil, 0, 0x0102_0384, UInt32.max])
    func `what is encoded is decoded`(count: Int, mask: UInt32?) {
        let bytes = payload(count)
        let control = ByteBuffer(bytes: bytes.prefix(125))
        var buffer = ByteBuffer()
        FrameEncoder.text(bytes, mask: mask, into: &buffer)
        #expect(buffer.readableBytes == count + FrameEncoder.headerBytes(payloadBytes: count, isMasked: mask != nil))
        FrameEncoder.text(String(decoding: bytes, as: UTF8.self), mask: mask, into: &buffer)
        FrameEncoder.text(ByteBuffer(bytes: bytes), mask: mask, into: &buffer)
        bytes.withUnsafeBytes { FrameEncoder.text($0, mask: mask, into: &buffer) }
        FrameEncoder.binary(ByteBuffer(bytes: bytes), mask: mask, into: &buffer)
        FrameEncoder.ping(control, mask: mask, into: &buffer)
        FrameEncoder.pong(control, mask: mask, into: &buffer)
        FrameEncoder.close(code: 4409, reason: "replaced", mask: mask, into: &buffer)
        let expected: [FrameDecoder.Event] =
            Array(repeating: .text(ByteBuffer(bytes: bytes)), count: 4) + [
                .binary(bytes), .ping(control), .pong(control), .close(code: 4409, reason: "replaced"),
            ]
        let role: FrameDecoder.Role = mask == nil ? .client : .server
        #expect(events(of: buffer.readableBytesView, role: role) == expected)
    }

    @Test(arguments: sizes, [0, 125, 126, 65535, 65536])
    func `a frame written behind its header is right however the size was guessed`(count: Int, guess: Int) {
        let bytes = payload(count)
        for mask: UInt32? in [nil, 0xA1B2_C3D4] {
            var expected = ByteBuffer(string: "gone, before")
            FrameEncoder.text(bytes, mask: mask, into: &expected)
            var buffer = ByteBuffer(string: "gone, before")
            buffer.moveReaderIndex(forwardBy: 6)
            expected.moveReaderIndex(forwardBy: 6)
            FrameEncoder.writeTextFrame(into: &buffer, minimumCapacity: guess, mask: mask) { $0.writeBytes(bytes) }
            #expect(buffer == expected)
        }
    }

    @Test func `a caller can write the payload behind a header of its own`() {
        var buffer = ByteBuffer()
        FrameEncoder.writeHeader(opcode: .text, payloadBytes: 3, isFinal: false, into: &buffer)
        buffer.writeString("Hel")
        FrameEncoder.writeHeader(opcode: .continuation, payloadBytes: 2, into: &buffer)
        buffer.writeString("lo")
        #expect(events(of: buffer.readableBytesView, role: .client) == [.text("Hello")])
    }

    @Test func `the reason of a close is cut between scalars so that it fits`() {
        for lead in 0..<4 {
            let reason = String(repeating: "a", count: lead) + String(repeating: "🐦", count: 40)
            var buffer = ByteBuffer()
            FrameEncoder.close(code: 1001, reason: reason, into: &buffer)
            guard case .close(code: 1001, let told)? = events(of: buffer.readableBytesView, role: .client).first else {
                Issue.record("no close")
                return
            }
            #expect(reason.hasPrefix(told))
            #expect((120...123).contains(told.utf8.count))
        }
    }

    @Test func `a close without a code has no payload`() {
        var buffer = ByteBuffer()
        FrameEncoder.close(code: nil, reason: "left out", into: &buffer)
        #expect(Array(buffer: buffer) == [0x88, 0x00])
        #expect(events(of: buffer.readableBytesView, role: .client) == [.close(code: nil, reason: "")])
    }

    @Test func `a frame leaves the buffers that share the memory before it alone`() {
        var buffer = ByteBuffer(string: "shared")
        let copy = buffer
        FrameEncoder.writeTextFrame(into: &buffer, minimumCapacity: 0, mask: 1) { $0.writeString("Hello") }
        #expect(copy == ByteBuffer(string: "shared"))
        #expect(buffer.readString(length: 6) == "shared")
        #expect(events(of: buffer.readableBytesView) == [.text("Hello")])
    }
}
