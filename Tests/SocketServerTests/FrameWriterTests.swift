import GatewayCore
import NIOCore
import SocketServer
import Testing

/// Events as frames, once plain and once compressed.
@Suite
struct FrameWriterTests {
    private let writer = FrameWriter()

    private func message(_ seq: Int, bytes: Int) -> ServerEvent {
        .message(
            RoomMessage(
                room: RoomName(unchecked: "r"), userId: .system, msgType: 1,
                payload: Array(repeating: 0x31, count: bytes),
                timestamp: 5, position: Position(epoch: "e", seq: seq)))
    }

    @Test func `only what is worth it is compressed, and only for those who agreed`() {
        #expect(writer.frame(message(1, bytes: 1), isCompressed: true) == writer.frame(message(1, bytes: 1)))
        let plain = writer.frame(message(2, bytes: 2000))
        let compressed = writer.frame(message(2, bytes: 2000), isCompressed: true)
        #expect(compressed.readableBytes < plain.readableBytes / 4)
    }

    @Test func `the event written last is compressed without being encoded again, or stays as it is`() {
        let compressed = writer.frame(message(1, bytes: 2000), isCompressed: true)
        let plain = writer.frame(message(1, bytes: 2000))
        #expect(writer.frameAgain(plain) == compressed)
        let small = writer.frame(message(2, bytes: 1))
        #expect(writer.frameAgain(small) == small)
    }

    @Test
    func
        `a room's frames for those who take them compressed are the plain ones until one is worth it, and keep their order`()
        throws
    {
        var plain = writer.frame(message(1, bytes: 1))
        #expect(writer.addAgain(to: nil, lastOf: plain, from: 0) == nil)
        let first = plain
        var start = plain.writerIndex
        writer.write(message(2, bytes: 2000), into: &plain)
        let frames = try #require(writer.addAgain(to: nil, lastOf: plain, from: start))
        var expected = first
        expected.writeImmutableBuffer(writer.frame(message(2, bytes: 2000), isCompressed: true))
        #expect(frames.bytes == expected)

        start = plain.writerIndex
        writer.write(message(3, bytes: 1), into: &plain)
        #expect(writer.addAgain(to: frames, lastOf: plain, from: start) === frames)
        expected.writeImmutableBuffer(writer.frame(message(3, bytes: 1)))
        #expect(frames.bytes == expected)
    }
}
