import NIOCore
import Testing
import WebSocketFrames
import TestSupport

@Suite(.enabled(if: Microbenchmark.rounds != nil), .serialized)
struct CodecMicrobenchmarks {
    private static let ascii = [UInt8](repeating: 0x61, count: 128)
    private static let mixed = Array(Array(String(repeating: "Grüße κόσμε 🐦 ", count: 8).utf8).prefix(127))
    /// About a KiB of JSON as an application would send it.
    private static let json = Array(
        (#"{"type":"message","roomId":"lesson-7","userId":"alice","payload":["#
            + (0..<16).map { #"{"id":\#($0 * 7919),"name":"member \#($0)","score":\#($0 % 5)}"# }.joined(separator: ",")
            + #"],"timestamp":1700000000000,"seq":44}"#).utf8)

    private func decode(_ name: String, _ frame: ByteBuffer, operations: Int, test: String = #function) throws {
        var decoder = FrameDecoder(role: .server, maxMessageBytes: 1 << 20, takesCompressed: true)
        try Microbenchmark.measure(name, operations: operations, test: test) {
            var sum = 0
            for _ in 0..<operations {
                var buffer = frame
                guard case .text(let text) = decoder.next(from: &buffer) else { throw Unreadable() }
                sum &+= text.readableBytes
            }
            return sum
        }
    }

    private struct Unreadable: Error {}

    private func masked(_ text: [UInt8]) -> ByteBuffer {
        var frame = ByteBuffer()
        FrameEncoder.text(text, mask: 0x37FA_213D, into: &frame)
        return frame
    }

    @Test func decodeASCII() throws {
        try decode("read 128 bytes of ASCII, masked", masked(Self.ascii), operations: 2000)
    }

    @Test func decodeUTF8() throws {
        try decode("read 127 bytes of UTF-8, masked", masked(Self.mixed), operations: 2000)
    }

    @Test func decodeLarge() throws {
        let text = [UInt8](repeating: 0x61, count: 65_536)
        try decode("read 64 KiB of ASCII, masked", masked(text), operations: 50)
    }

    @Test func decodeCompressed() throws {
        let compressor = try #require(FrameCompressor())
        var frame = ByteBuffer()
        compressor.text(Self.json, mask: 0x37FA_213D, into: &frame)
        try decode("read \(Self.json.count) bytes of JSON, compressed", frame, operations: 200)
    }

    @Test func encode() throws {
        try Microbenchmark.measure("write 128 bytes", operations: 2000) {
            var buffer = ByteBuffer()
            buffer.reserveCapacity(2000 * 130)
            for _ in 0..<2000 { FrameEncoder.text(Self.ascii, into: &buffer) }
            return buffer.readableBytes
        }
    }

    @Test(arguments: [1, 6, 9])
    func compress(level: Int) throws {
        let compressor = try #require(FrameCompressor(level: level))
        var frame = ByteBuffer()
        compressor.text(Self.json, into: &frame)
        let sizes = "\(Self.json.count) bytes of JSON to \(frame.readableBytes)"
        try Microbenchmark.measure("compress \(sizes), level \(level)", operations: 200) {
            var sum = 0
            for _ in 0..<200 {
                frame.clear()
                compressor.text(Self.json, into: &frame)
                sum &+= frame.readableBytes
            }
            return sum
        }
    }
}
