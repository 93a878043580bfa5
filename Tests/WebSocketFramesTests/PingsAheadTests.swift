import NIOCore
import Testing
import WebSocketFrames
import TestSupport

/// Pings are taken out of what may not be unpacked yet, and what is left is what would have come without them.
@Suite struct PingsAheadTests {
    private func split(
        _ wire: Wire, behind front: [UInt8] = [], takesCompressed: Bool = false
    ) -> (pings: [String], rest: [FrameDecoder.Event]) {
        var decoder = FrameDecoder(role: .server, maxMessageBytes: 1 << 20, takesCompressed: takesCompressed)
        #expect(decoder.drain(front).isEmpty)
        var buffer = ByteBuffer(bytes: wire.bytes)
        let pings = decoder.takePings(outOf: &buffer).map { String(buffer: $0) }
        return (pings, decoder.drain(buffer.readableBytesView))
    }

    private func ping(_ text: String) -> Wire { Wire().frame(0x9, Array(text.utf8)) }

    @Test func `pings between messages are found, and the messages stay in their order`() {
        let wire = ping("1").text("a").frame(0x9, Array("2".utf8)).text("b").frame(0xA, [7]).frame(0x9, Array("3".utf8))
        let found = split(wire)
        #expect(found.pings == ["1", "2", "3"])
        #expect(found.rest == [.text("a"), .text("b"), .pong([7])])
    }

    @Test func `a ping between two fragments is found, compressed or not, and behind half a frame too`() {
        let parts = Wire().text("ab", isFinal: false).frame(0x9, Array("p".utf8)).frame(0x0, Array("cd".utf8))
        #expect(split(parts).pings == ["p"])
        #expect(split(parts).rest == [.text("abcd")])
        let front = Array(parts.bytes.prefix(7))
        let behind = split(Wire(bytes: Array(parts.bytes.dropFirst(7))), behind: front)
        #expect(behind.pings == ["p"])
        #expect(behind.rest == [.text("abcd")])
        let hello: [UInt8] = [0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00]
        let packed = Wire().frame(0x1, hello, reserved: 4).frame(0x9, Array("p".utf8))
        #expect(split(packed, takesCompressed: true).pings == ["p"])
        #expect(split(packed, takesCompressed: true).rest == [.text("Hello")])
    }

    @Test func `nothing is looked for behind a close, a broken frame or one that is not all there`() {
        #expect(split(ping("1").close(1000).frame(0x9, [1])).pings == ["1"])
        #expect(split(ping("1").frame(0x3).frame(0x9, [1])).pings == ["1"])
        var cut = Wire().text("abc")
        cut.bytes.removeLast()
        #expect(split(ping("1").frame(0x1, [0x61]).frame(0x9, [0x32])).pings == ["1", "2"])
        #expect(split(cut).pings.isEmpty)
        let huge: [UInt8] = [0x81, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1, 2, 3, 4]
        #expect(split(Wire(bytes: ping("1").bytes + huge)).pings == ["1"])
    }

    @Test func `half a compressed message is kept as it came, up to a kilobyte`() throws {
        let compressor = try #require(FrameCompressor(minimumBytes: 0))
        var generator = SplitMix(seed: 3)
        let noise = generator.bytes(20_000)
        for (payload, most) in [([UInt8](repeating: 0x61, count: 60_000), 1024), (noise, 160_000)] {
            var frame = ByteBuffer()
            payload.withUnsafeBytes { compressor.write(.binary, $0, mask: 5, into: &frame) }
            let bytes = Array(buffer: frame)
            var decoder = FrameDecoder(role: .server, maxMessageBytes: 1 << 16, takesCompressed: true)
            for byte in bytes.dropLast() {
                #expect(decoder.drain([byte]).isEmpty)
                #expect(decoder.isInsideMessage)
                #expect(decoder.heldBytes <= most)
            }
            #expect(decoder.drain(bytes.suffix(1)) == [.binary(payload)])
            #expect(!decoder.isInsideMessage)
        }
    }

    @Test func `another bound holds from the next bytes on`() {
        var decoder = FrameDecoder(role: .server, maxMessageBytes: 10)
        #expect(decoder.drain(Wire().text("0123456789").bytes) == [.text("0123456789")])
        decoder.limitMessages(to: 20)
        #expect(decoder.drain(Wire().text("0123456789x").bytes) == [.text("0123456789x")])
        decoder.limitMessages(to: 10)
        #expect(decoder.drain(Wire().text("0123456789x").bytes) == [.failed(.messageTooLarge)])
    }

    @Test func `after giving up nothing is read`() {
        var decoder = FrameDecoder(role: .server, maxMessageBytes: 10)
        _ = decoder.drain(Wire().text("0123", isFinal: false).bytes)
        decoder.abandon()
        #expect(decoder.heldBytes == 0)
        #expect(!decoder.isInsideMessage)
        #expect(decoder.drain(Wire().text("x").bytes).isEmpty)
    }
}
