import NIOCore
import Testing
import WebSocketFrames
import TestSupport

@Suite struct MutationTests {
    @Test(arguments: [FrameDecoder.Role.server, .client], [false, true])
    func `damaged streams neither crash the decoder nor make it hold more than its bound`(
        role: FrameDecoder.Role, takesCompressed: Bool
    ) throws {
        let seed = UInt64.random(in: 0...(.max))
        var generator = SplitMix(seed: seed)
        let limit = 1024
        // Recorded by hand, since an expectation for each of so many checks would slow the suite down.
        func check(_ holds: Bool, line: Int = #line) {
            if !holds {
                Issue.record("line \(line), seed \(seed)")
            }
        }
        let compressor = try #require(FrameCompressor(minimumBytes: 1))
        for _ in 0..<5_000 {
            var bytes = stream(role: role, compressor: takesCompressed ? compressor : nil, using: &generator)
            for _ in 0..<Int.random(in: 0...4, using: &generator) {
                guard let index = bytes.indices.randomElement(using: &generator) else { break }
                switch Int.random(in: 0..<4, using: &generator) {
                case 0: bytes[index] = UInt8.random(in: 0...255, using: &generator)
                case 1: bytes[index] ^= 1 << UInt8.random(in: 0...7, using: &generator)
                case 2: bytes.remove(at: index)
                default: bytes.insert(UInt8.random(in: 0...255, using: &generator), at: index)
                }
            }
            var decoder = FrameDecoder(role: role, maxMessageBytes: limit, takesCompressed: takesCompressed)
            var hasEnded = false
            var rest = bytes[...]
            while !rest.isEmpty {
                let size = Int.random(in: 1...200, using: &generator)
                for event in decoder.drain(rest.prefix(size)) {
                    check(!hasEnded)
                    switch event {
                    case .text(let payload):
                        check(payload.readableBytes <= limit)
                        check(String(validating: payload.readableBytesView, as: UTF8.self) != nil)
                    case .binary(let payload): check(payload.readableBytes <= limit)
                    case .ping(let payload), .pong(let payload): check(payload.readableBytes <= 125)
                    case .close, .failed: hasEnded = true
                    }
                }
                rest = rest.dropFirst(size)
                check(decoder.heldBytes <= limit + 256 + (takesCompressed ? 48 << 10 : 0))
            }
        }
    }

    private func stream(
        role: FrameDecoder.Role, compressor: FrameCompressor?, using generator: inout SplitMix
    ) -> [UInt8] {
        var wire = Wire()
        for _ in 0..<Int.random(in: 1...8, using: &generator) {
            let opcode: UInt8 = [0x0, 0x1, 0x2, 0x8, 0x9, 0xA].randomElement(using: &generator) ?? 0
            let sizes = [0, 1, 2, 7, 125, 126, 300, 1024]
            let size = sizes.randomElement(using: &generator) ?? 0
            wire = wire.frame(
                opcode, opcode == 0x1 ? [UInt8](repeating: 0x61, count: size) : generator.bytes(size),
                isFinal: Int.random(in: 0..<3, using: &generator) > 0,
                mask: role == .server ? generator.bytes(4) : nil)
            guard let compressor, Bool.random(using: &generator) else { continue }
            var frame = ByteBuffer()
            compressor.text([UInt8](repeating: 0x61, count: size), mask: role == .server ? 7 : nil, into: &frame)
            wire.bytes += frame.readableBytesView
        }
        return wire.bytes
    }
}
