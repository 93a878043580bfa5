import NIOCore
import Testing
import WebSocketFrames
import TestSupport

@Suite struct SplitTests {
    private static let long = String(repeating: "κόσμε 🐦 ", count: 30)

    private static func stream(mask: [UInt8]?) -> (bytes: [UInt8], events: [FrameDecoder.Event]) {
        let long = Array(long.utf8)
        let wire = Wire()
            .frame(0x1, Array("Hello".utf8), mask: mask)
            .frame(0x1, [], mask: mask)
            .frame(0x9, [1, 2, 3], mask: mask)
            .frame(0x1, Array(long[..<7]), isFinal: false, mask: mask)
            .frame(0xA, [], mask: mask)
            .frame(0x0, [], isFinal: false, mask: mask)
            .frame(0x9, [UInt8](repeating: 9, count: 125), mask: mask)
            .frame(0x0, Array(long[7...]), mask: mask)
            .frame(0x2, [UInt8](repeating: 0xFF, count: 126), mask: mask)
            .frame(0x2, [0xC0], isFinal: false, mask: mask)
            .frame(0x0, [0xC1], mask: mask)
            .frame(0x8, [0x03, 0xE8] + Array("tschüß".utf8), mask: mask)
            .frame(0x1, Array("unheard".utf8), mask: mask)
        let events: [FrameDecoder.Event] = [
            .text("Hello"), .text(""), .ping([1, 2, 3]), .pong([]), .ping([UInt8](repeating: 9, count: 125)),
            .text(Self.long), .binary([UInt8](repeating: 0xFF, count: 126)), .binary([0xC0, 0xC1]),
            .close(code: 1000, reason: "tschüß"),
        ]
        return (wire.bytes, events)
    }

    @Test(arguments: [FrameDecoder.Role.server, .client])
    func `a stream cut in two anywhere gives the same events`(role: FrameDecoder.Role) {
        let (bytes, expected) = Self.stream(mask: role == .server ? [0x01, 0x80, 0xFE, 0x55] : nil)
        for cut in 0...bytes.count {
            var decoder = FrameDecoder(role: role, maxMessageBytes: 4096)
            let events = decoder.drain(bytes[..<cut]) + decoder.drain(bytes[cut...])
            #expect(events == expected, "cut at \(cut)")
        }
    }

    @Test(arguments: [FrameDecoder.Role.server, .client])
    func `a stream in pieces of any one size gives the same events`(role: FrameDecoder.Role) {
        let (bytes, expected) = Self.stream(mask: role == .server ? [0x01, 0x80, 0xFE, 0x55] : nil)
        for size in 1...bytes.count {
            #expect(events(of: bytes, chunk: size, role: role) == expected, "pieces of \(size)")
        }
    }

    @Test func `a stream in pieces of random sizes gives the same events`() {
        let seed = UInt64.random(in: 0...(.max))
        var generator = SplitMix(seed: seed)
        let (bytes, expected) = Self.stream(mask: generator.bytes(4))
        for _ in 0..<500 {
            var decoder = FrameDecoder(role: .server, maxMessageBytes: 4096)
            var rest = bytes[...]
            var found: [FrameDecoder.Event] = []
            while !rest.isEmpty {
                let size = Int.random(in: 1...40, using: &generator)
                found += decoder.drain(rest.prefix(size))
                rest = rest.dropFirst(size)
            }
            #expect(found == expected, "seed \(seed)")
        }
    }
}
