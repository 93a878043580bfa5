import NIOCore
import Testing
import WebSocketFrames

@Suite struct FrameDecoderTests {
    @Test(
        arguments: [
            (Wire().frame(0x1, reserved: 4), FrameError.reservedBit, 1002),
            (Wire().frame(0x3), .reservedOpcode, 1002),
            (Wire().frame(0x9, isFinal: false), .fragmentedControl, 1002),
            (Wire().frame(0x9, [UInt8](repeating: 0, count: 126)), .oversizedControl, 1002),
            (Wire().frame(0x1, mask: nil), .unmasked, 1002),
            (Wire().frame(0x0), .unexpectedContinuation, 1002),
            (Wire().text("a", isFinal: false).text("b"), .interruptedMessage, 1002),
            (Wire(bytes: [0x81, 0xFE, 0, 125]), .nonMinimalLength, 1002),
            (Wire(bytes: [0x81, 0xFF, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF]), .nonMinimalLength, 1002),
            (Wire(bytes: [0x81, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0]), .lengthOverflow, 1002),
            (Wire(bytes: [0x81, 0xFF, 0x7F, 255, 255, 255, 255, 255, 255, 255]), .messageTooLarge, 1009),
            (Wire().frame(0x8, [3]), .truncatedCloseCode, 1002),
            (Wire().close(1005), .invalidCloseCode, 1002),
            (Wire().close(1000, [0xFF]), .notUTF8, 1007),
            (Wire().frame(0x1, [0xC0]), .notUTF8, 1007),
        ] as [(Wire, FrameError, UInt16)])
    func `each breach of the protocol has its error and its close code`(wire: Wire, error: FrameError, code: UInt16) {
        #expect(error.closeCode == code)
        for chunk in [Int.max, 1] {
            let found = events(of: Wire().text("before").bytes + wire.bytes, chunk: chunk)
            #expect(found == [.text("before"), .failed(error)])
        }
    }

    @Test func `a client refuses a masked frame`() {
        #expect(events(of: Wire().text("Hello").bytes, role: .client) == [.failed(.masked)])
        #expect(FrameError.masked.closeCode == 1002)
    }

    @Test(arguments: FrameError.allCases)
    func `the reason of every error fits into a close frame`(error: FrameError) {
        var buffer = ByteBuffer()
        FrameEncoder.close(code: error.closeCode, reason: error.reason, into: &buffer)
        let closing = events(of: buffer.readableBytesView, role: .client)
        #expect(closing == [.close(code: error.closeCode, reason: error.reason)])
    }

    @Test func `a header is refused at the byte that is wrong, without waiting for the rest`() {
        #expect(events(of: [0xC1]) == [.failed(.reservedBit)])
        #expect(events(of: [0x8B]) == [.failed(.reservedOpcode)])
        #expect(events(of: [0x09]) == [.failed(.fragmentedControl)])
        #expect(events(of: [0x81, 0x05]) == [.failed(.unmasked)])
        #expect(events(of: [0x89, 0xFE]) == [.failed(.oversizedControl)])
    }

    @Test func `nothing is taken after a close, and nothing is kept`() {
        var decoder = FrameDecoder(role: .server, maxMessageBytes: 100)
        let wire = Wire().text("a", isFinal: false).close(1000, Array("bye".utf8)).text("late")
        #expect(decoder.drain(wire.bytes) == [.close(code: 1000, reason: "bye")])
        #expect(decoder.drain(Wire().text("later").bytes).isEmpty)
        #expect(decoder.heldBytes == 0)
    }

    @Test func `nothing is taken after a failure, and nothing is kept`() {
        var decoder = FrameDecoder(role: .server, maxMessageBytes: 100)
        #expect(
            decoder.drain(Wire().text("a", isFinal: false).frame(0x3).text("b").bytes) == [.failed(.reservedOpcode)])
        #expect(decoder.drain(Wire().text("later").bytes).isEmpty)
        #expect(decoder.heldBytes == 0)
    }

    @Test func `a message of just the limit passes and one byte more is refused from its header alone`() {
        let limit = 65536
        let largest = [UInt8](repeating: 0x61, count: limit)
        #expect(events(of: Wire().frame(0x2, largest), limit: limit) == [.binary(largest)])
        let header: [UInt8] = [0x82, 0xFF, 0, 0, 0, 0, 0, 1, 0, 1]
        #expect(events(of: header, limit: limit) == [.failed(.messageTooLarge)])
    }

    @Test func `the limit holds for the sum of all fragments`() {
        let half = [UInt8](repeating: 0x61, count: 50)
        let start = Wire().frame(0x2, half, isFinal: false).frame(0x0, half, isFinal: false)
        #expect(events(of: start.frame(0x0), limit: 100) == [.binary(half + half)])
        #expect(events(of: start.bytes + [0x80, 0x81], limit: 100) == [.failed(.messageTooLarge)])
    }

    @Test func `control frames do not count towards the limit`() {
        let payload = [UInt8](repeating: 7, count: 125)
        #expect(events(of: Wire().frame(0x9, payload).text(""), limit: 0) == [.ping(payload), .text("")])
    }

    @Test func `memory grows with the bytes that came and not with what a header claims`() {
        var decoder = FrameDecoder(role: .server, maxMessageBytes: 1 << 30)
        #expect(
            decoder.drain([0x82, 0xFF, 0, 0, 0, 0, 0x40, 0, 0, 0, 1, 2, 3, 4] + [UInt8](repeating: 0, count: 100))
                .isEmpty)
        #expect(decoder.heldBytes <= 256)
    }

    @Test func `a message of endless empty or tiny fragments is refused`() {
        for payload in [[], [UInt8(0x41)]] {
            let start = Wire().frame(0x1, payload, isFinal: false)
            let wire = (1...32).reduce(start) { wire, _ in wire.frame(0x0, payload, isFinal: false) }
            #expect(events(of: wire, limit: 1024) == [.failed(.tooManyFragments)])
            let shorter = (1...30).reduce(start) { wire, _ in wire.frame(0x0, payload, isFinal: false) }
            #expect(events(of: shorter.frame(0x0), limit: 1024).count == 1)
        }
    }

    @Test func `an idle decoder holds no buffer and is small`() {
        var decoder = FrameDecoder(role: .server, maxMessageBytes: 100)
        #expect(decoder.heldBytes == 0)
        let wire = Wire().text("Hel", isFinal: false).frame(0x9, [1]).frame(0x0, Array("lo".utf8))
        for byte in wire.bytes.dropLast() {
            _ = decoder.drain([byte])
        }
        #expect(decoder.heldBytes > 0)
        #expect(decoder.drain(wire.bytes.suffix(1)) == [.text("Hello")])
        #expect(decoder.heldBytes == 0)
        #expect(MemoryLayout<FrameDecoder>.stride <= 88)
    }

    @Test func `an event keeps no receive buffer alive on the server's side`() {
        var decoder = FrameDecoder(role: .server, maxMessageBytes: 100)
        var buffer = ByteBufferAllocator().buffer(capacity: 65536)
        buffer.writeBytes(Wire().text("Hello").bytes + [0x81])
        guard case .text(let payload)? = decoder.next(from: &buffer), decoder.next(from: &buffer) == nil else {
            Issue.record("no text")
            return
        }
        #expect(payload.storageCapacity < 65536)
        #expect(decoder.heldBytes < 65536)
    }

    @Test func `bytes before the reader index are not read`() {
        var decoder = FrameDecoder(role: .server, maxMessageBytes: 100)
        var buffer = ByteBuffer(bytes: [0xFF, 0xFF, 0xFF] + Wire().text("Hello").bytes)
        buffer.moveReaderIndex(forwardBy: 3)
        #expect(decoder.next(from: &buffer) == .text("Hello"))
        #expect(decoder.next(from: &buffer) == nil)
    }
}
