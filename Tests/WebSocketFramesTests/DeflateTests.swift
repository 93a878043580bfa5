import NIOCore
import Testing
import WebSocketFrames
import TestSupport

@Suite struct DeflateTests {
    private static let hello: [UInt8] = [0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00]

    private func compressed(
        _ payload: [UInt8], opcode: Opcode = .text, windowBits: Int = 15, minimumBytes: Int = 0, mask: UInt32? = 5
    ) throws -> [UInt8] {
        let compressor = try #require(FrameCompressor(windowBits: windowBits, minimumBytes: minimumBytes))
        var buffer = ByteBuffer()
        payload.withUnsafeBytes { compressor.write(opcode, $0, mask: mask, into: &buffer) }
        return Array(buffer: buffer)
    }

    private func message(_ payload: [UInt8], opcode: UInt8 = 0x1) -> Wire { Wire().frame(opcode, payload, reserved: 4) }

    // MARK: RFC 7692, section 7.2.3

    @Test(
        arguments: [
            [0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00],
            [0x00, 0x05, 0x00, 0xFA, 0xFF, 0x48, 0x65, 0x6C, 0x6C, 0x6F, 0x00],
            [0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00, 0x00],
            [0xF2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xCA, 0xC9, 0xC9, 0x07, 0x00],
        ] as [[UInt8]])
    func `every way in which the RFC compresses Hello is read`(payload: [UInt8]) {
        for chunk in [Int.max, 1] {
            #expect(events(of: message(payload), chunk: chunk, takesCompressed: true) == [.text("Hello")])
        }
        let parts = Wire().frame(0x1, Array(payload[..<3]), isFinal: false, reserved: 4).frame(0x9, [1])
            .frame(0x0, Array(payload[3...]))
        #expect(events(of: parts, takesCompressed: true) == [.ping([1]), .text("Hello")])
    }

    @Test func `Hello is compressed as the RFC has it`() throws {
        let frame = try compressed(Array("Hello".utf8), mask: nil)
        // The RFC's payload is longer than what it stands for.
        #expect(frame == [0x81, 0x05] + Array("Hello".utf8))
        let twice = try compressed(Array("HelloHelloHello".utf8), mask: nil)
        #expect(twice[0] == 0xC1)
        #expect(events(of: twice, role: .client, takesCompressed: true) == [.text("HelloHelloHello")])
    }

    @Test func `an empty message is one byte`() {
        #expect(events(of: message([0x00]), takesCompressed: true) == [.text("")])
    }

    @Test func `a message that refers to the one before it is refused, since no window is taken over`() {
        let wire = message(Self.hello).frame(0x1, [0xF2, 0x00, 0x11, 0x00, 0x00], reserved: 4)
        #expect(events(of: wire, takesCompressed: true) == [.text("Hello"), .failed(.damagedCompression)])
    }

    // MARK: RSV1

    @Test func `RSV1 is for the first frame of a message, and only where it was agreed on`() {
        #expect(events(of: message(Self.hello)) == [.failed(.reservedBit)])
        for opcode: UInt8 in [0x8, 0x9, 0xA] {
            let wire = Wire().frame(opcode, reserved: 4)
            #expect(events(of: wire, takesCompressed: true) == [.failed(.reservedBit)])
        }
        let continued = Wire().frame(0x1, Self.hello, isFinal: false, reserved: 4).frame(0x0, reserved: 4)
        #expect(events(of: continued, takesCompressed: true) == [.failed(.reservedBit)])
        for bits: UInt8 in [1, 2, 3, 5, 6, 7] {
            #expect(
                events(of: Wire().frame(0x1, Self.hello, reserved: bits), takesCompressed: true)
                    == [.failed(.reservedBit)])
        }
    }

    @Test func `messages compressed and not may follow each other`() {
        let wire = Wire().text("a").frame(0x1, Self.hello, reserved: 4).text("b", isFinal: false).last("c")
            .frame(0x2, Self.hello, reserved: 4)
        let expected: [FrameDecoder.Event] = [.text("a"), .text("Hello"), .text("bc"), .binary(Array("Hello".utf8))]
        for chunk in [Int.max, 1] {
            #expect(events(of: wire, chunk: chunk, takesCompressed: true) == expected)
        }
    }

    // MARK: Bounds

    @Test(arguments: [1, 100, 4096, 65536])
    func `a message of just the limit passes, one byte more does not, however small it came`(limit: Int) throws {
        let largest = [UInt8](repeating: 0x61, count: limit)
        for chunk in [Int.max, 7] {
            let good = try compressed(largest, opcode: .binary)
            #expect(events(of: good, chunk: chunk, limit: limit, takesCompressed: true) == [.binary(largest)])
        }
        guard limit > 1 else { return }
        let bomb = try compressed(largest + [0x61], opcode: .binary)
        #expect(bomb.count < limit)
        #expect(events(of: bomb, limit: limit, takesCompressed: true) == [.failed(.messageTooLarge)])
    }

    @Test func `a bomb holds no more than the limit, and ends at the byte that goes beyond it`() throws {
        let limit = 16_384
        let bomb = try compressed([UInt8](repeating: 0, count: 64 << 20), opcode: .binary)
        var decoder = FrameDecoder(role: .server, maxMessageBytes: limit, takesCompressed: true)
        var events: [FrameDecoder.Event] = []
        var fed = 0
        for byte in bomb {
            events += decoder.drain([byte])
            fed += 1
            #expect(decoder.heldBytes <= limit + (48 << 10) + 256)
            if !events.isEmpty { break }
        }
        #expect(events == [.failed(.messageTooLarge)])
        #expect(fed < 1100)
        #expect(decoder.heldBytes == 0)
    }

    @Test func `a message that stays large is refused by its header alone`() {
        let header: [UInt8] = [0xC2, 0xFE, 0x10, 0x00]
        #expect(events(of: header, limit: 3000, takesCompressed: true) == [.failed(.messageTooLarge)])
    }

    @Test func `what cannot be compressed may come a little larger than the limit`() {
        let limit = 1000
        var generator = SplitMix(seed: 7)
        let noise = generator.bytes(limit)
        // Blocks of 50 bytes that are only wrapped, five bytes of wrapping each.
        let wrapped = stride(from: 0, to: limit, by: 50).flatMap { start -> [UInt8] in
            [0x00, 50, 0x00, 0xFF - 50, 0xFF] + noise[start..<start + 50]
        }
        #expect(wrapped.count > limit)
        let wire = message(wrapped + [0x00], opcode: 0x2)
        #expect(events(of: wire, limit: limit, takesCompressed: true) == [.binary(noise)])
    }

    @Test func `blocks that bring nothing are counted against the size of a message`() {
        let nothing = (0..<400).flatMap { _ in [0x00, 0x00, 0x00, 0xFF, 0xFF] as [UInt8] }
        let part = Wire().frame(0x2, nothing, isFinal: false, reserved: 4)
        let found = events(of: part.frame(0x0, nothing), limit: 3000, takesCompressed: true)
        #expect(found == [.failed(.messageTooLarge)])
    }

    // MARK: Damage

    @Test(
        arguments: [
            [], [0xFF], [0xF2, 0x48], [0xF2, 0x48, 0xCD, 0xC9, 0xC9], [0x06, 0x00],
            [0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07],
            [0x00, 0x06, 0x00, 0xF9, 0xFF, 0x48], [0x00, 0x05, 0x00, 0xFA, 0xFE, 0x48, 0x65, 0x6C, 0x6C, 0x6F, 0x00],
        ] as [[UInt8]])
    func `what is not deflate, or ends in the middle of a block, is told by 1007`(payload: [UInt8]) {
        for chunk in [Int.max, 1] {
            let found = events(of: message(payload, opcode: 0x2), chunk: chunk, takesCompressed: true)
            #expect(found == [.failed(.damagedCompression)])
        }
        #expect(FrameError.damagedCompression.closeCode == 1007)
    }

    @Test func `text is checked as it comes out`() throws {
        let bad = Array("κόσμε κόσμε κόσμε".utf8) + [0xED, 0xA0, 0x80]
        let wire = try compressed(bad + Array(repeating: 0x61, count: 50))
        #expect(wire[0] == 0xC1)
        for chunk in [Int.max, 1] {
            #expect(events(of: wire, chunk: chunk, takesCompressed: true) == [.failed(.notUTF8)])
        }
        let cut = try compressed(Array("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaκ".utf8).dropLast())
        #expect(cut[0] == 0xC1)
        #expect(events(of: cut, takesCompressed: true) == [.failed(.notUTF8)])
        #expect(events(of: try compressed(bad + bad, opcode: .binary), takesCompressed: true) == [.binary(bad + bad)])
    }

    @Test func `of two faults the first is told, in whatever pieces they come`() {
        let bytes: [UInt8] = [0xC1, 0x06, 0xFB, 0x3A, 0x00, 0x01, 0x00, 0xFB]
        for chunk in [Int.max, 2, 1] {
            #expect(events(of: bytes, chunk: chunk, role: .client, takesCompressed: true) == [.failed(.notUTF8)])
        }
    }

    // MARK: Compressing

    @Test func `a message is compressed from 512 bytes on, and only where that makes it smaller`() throws {
        let compressor = try #require(FrameCompressor())
        func first(_ payload: [UInt8]) -> UInt8? {
            var buffer = ByteBuffer()
            compressor.text(payload, into: &buffer)
            return buffer.readInteger()
        }
        #expect(first([UInt8](repeating: 0x61, count: 511)) == 0x81)
        #expect(first([UInt8](repeating: 0x61, count: 512)) == 0xC1)
        var generator = SplitMix(seed: 1)
        #expect(first(generator.bytes(5000)) == 0x81)
    }

    @Test func `each frame stands by itself: the same message gives the same bytes after any other`() throws {
        let compressor = try #require(FrameCompressor())
        let text = Array(
            #"{"type":"message","roomId":"r","payload":"\#(String(repeating: "lorem ipsum ", count: 90))"}"#.utf8)
        func frame(_ payload: [UInt8]) -> ByteBuffer {
            var buffer = ByteBuffer()
            compressor.text(payload, into: &buffer)
            return buffer
        }
        let first = frame(text)
        _ = frame([UInt8](repeating: 0x62, count: 100_000))
        var generator = SplitMix(seed: 2)
        _ = frame(generator.bytes(100_000))
        #expect(frame(text) == first)
        #expect(first.readableBytes < text.count / 5)
    }

    @Test func `frames are appended behind what the buffer holds, in every class of length`() throws {
        let compressor = try #require(FrameCompressor(minimumBytes: 0))
        var generator = SplitMix(seed: 3)
        var buffer = ByteBuffer()
        var expected: [FrameDecoder.Event] = []
        for count in [0, 1, 100, 125, 126, 200, 1000, 65_535, 65_536, 200_000] {
            // Three in four bytes alike, so that the compressed length falls into another class than the plain one.
            let payload = (0..<count).map { $0 % 4 == 0 ? UInt8.random(in: 0...255, using: &generator) : 0x61 }
            for mask in [0x37FA_213D as UInt32, 0] {
                payload.withUnsafeBytes { compressor.write(.binary, $0, mask: mask, into: &buffer) }
                expected.append(.binary(payload))
            }
        }
        for chunk in [Int.max, 61] {
            #expect(events(of: buffer.readableBytesView, chunk: chunk, takesCompressed: true) == expected)
        }
    }

    @Test(arguments: 9...15)
    func `what is sent in a window keeps to it`(windowBits: Int) throws {
        var generator = SplitMix(seed: UInt64(windowBits))
        let noise = generator.bytes(1 << windowBits)
        // The same again a whole window later can only be found by a window larger than that.
        let payload = noise + noise
        let frame = try compressed(payload, opcode: .binary, windowBits: windowBits)
        #expect(events(of: frame, takesCompressed: true) == [.binary(payload)])
        #expect(frame.count > payload.count * 9 / 10)
    }

    @Test func `random messages in random fragments and pieces come back as they were sent`() throws {
        let seed = UInt64.random(in: 0...(.max))
        var generator = SplitMix(seed: seed)
        let compressor = try #require(FrameCompressor(minimumBytes: 0))
        for _ in 0..<300 {
            let words = (0..<Int.random(in: 1...8, using: &generator)).map { _ in generator.bytes(5) }
            let count = Int.random(in: 0...3000, using: &generator)
            let payload = (0..<count).flatMap { _ in words.randomElement(using: &generator) ?? [] }
            var buffer = ByteBuffer()
            payload.withUnsafeBytes { compressor.write(.binary, $0, into: &buffer) }
            let inner = events(of: refragmented(buffer, using: &generator), chunk: 777, takesCompressed: true)
            if inner != [.binary(payload)] { Issue.record("seed \(seed), \(payload.count) bytes") }
        }
    }

    /// The frame of a server in masked fragments, as if a client had sent it.
    private func refragmented(_ frame: ByteBuffer, using generator: inout SplitMix) -> [UInt8] {
        var frame = frame
        let first = frame.readInteger(as: UInt8.self) ?? 0
        let length = frame.readInteger(as: UInt8.self) ?? 0
        frame.moveReaderIndex(forwardBy: length == 126 ? 2 : length == 127 ? 8 : 0)
        var rest = Array(buffer: frame)[...]
        var wire = Wire()
        var isFirst = true
        repeat {
            let part = Array(rest.prefix(Int.random(in: 0...900, using: &generator)))
            rest = rest.dropFirst(part.count)
            wire = wire.frame(
                isFirst ? 0x2 : 0x0, part, isFinal: rest.isEmpty, reserved: isFirst ? first >> 4 & 7 : 0,
                mask: generator.bytes(4))
            isFirst = false
        } while !rest.isEmpty
        return wire.bytes
    }
}

extension Wire {
    /// The last fragment of a message.
    fileprivate func last(_ string: String) -> Wire { frame(0x0, Array(string.utf8)) }
}
