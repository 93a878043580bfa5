import NIOCore
import Testing
import WebSocketFrames

/// Cases of the Autobahn test suite, named by its numbers, against `/echo` over a real socket: what is answered, with
/// which code the connection is closed, and that it ends. None is let off as non-strict.
@Suite(.timeLimit(.minutes(2)))
struct EchoConformanceTests {
    /// What a client sends, and what it must see.
    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let sent: RawFrames
        let answers: [FrameDecoder.Event]
        /// Nil where the client is to close.
        let code: UInt16?

        init(_ number: String, _ sent: RawFrames, _ answers: [FrameDecoder.Event] = [], code: UInt16? = nil) {
            testDescription = number
            self.sent = sent
            self.answers = answers
            self.code = code
        }
    }

    private static func echo(_ body: (TestClient) async throws -> Void) async throws {
        try await TestServer.run {
            $0.isEchoing = true
        } _: { server in
            try await body(try await server.connect("/echo"))
        }
    }

    /// Sends it all in pieces of this size, takes the answers and sees the connection closed in the right way.
    private func converse(_ item: Case, chunk: Int) async throws {
        try await Self.echo { client in
            var rest = item.code == nil ? item.sent.close(1000).bytes : item.sent.bytes
            // A server that has said its last word closes, with what still comes unread.
            while let piece = rest.readSlice(length: min(chunk, rest.readableBytes)), piece.readableBytes > 0 {
                guard (try? await client.send(piece)) != nil else { break }
            }
            for answer in item.answers {
                let event = await client.event()
                #expect(event == answer)
            }
            guard case .close(let code, _) = await client.event() else {
                Issue.record("no close frame where one was due")
                return
            }
            #expect(code == item.code ?? 1000)
            await client.ends()
        }
    }

    private static func text(_ string: String) -> FrameDecoder.Event { .text(ByteBuffer(string: string)) }
    private static func pong(_ bytes: [UInt8] = []) -> FrameDecoder.Event { .pong(ByteBuffer(bytes: bytes)) }
    private static let frames = RawFrames()
    private static let odd: [UInt8] = [0x00, 0xFF, 0xFE, 0xFD, 0xFC, 0xFB, 0x00, 0xFF]
    private static let longest = [UInt8](repeating: 0xFE, count: 125)

    private static let lengths = [0, 125, 126, 127, 128, 65535, 65536].flatMap { count -> [Case] in
        let text = [UInt8](repeating: 0x2A, count: count)
        return [
            Case("1.1.x: text of \(count) bytes", frames.frame(0x1, text), [.text(ByteBuffer(bytes: text))]),
            Case("1.2.x: \(count) bytes", frames.frame(0x2, text), [.binary(ByteBuffer(bytes: text))]),
        ]
    }

    @Test(arguments: lengths, [Int.max, 997])
    func `1.x: messages of every class of length come back`(item: Case, chunk: Int) async throws {
        try await converse(item, chunk: chunk)
    }

    private static let tens = (0..<10).map { [UInt8($0)] }

    @Test(
        arguments: [
            Case("2.1", frames.ping(), [pong()]), Case("2.2", frames.ping([0x61]), [pong([0x61])]),
            Case("2.3", frames.ping(odd), [pong(odd)]), Case("2.4", frames.ping(longest), [pong(longest)]),
            Case("2.5", frames.ping(longest + [0xFE]), code: 1002), Case("2.7", frames.frame(0xA)),
            Case("2.8", frames.frame(0xA, odd)), Case("2.9", frames.frame(0xA, odd).ping(odd), [pong(odd)]),
            Case("2.10", tens.reduce(frames) { $0.ping($1) }, tens.map { pong($0) }),
        ], [Int.max, 1])
    func `2.x: pings are answered, pongs are not`(item: Case, chunk: Int) async throws {
        try await converse(item, chunk: chunk)
    }

    @Test(
        arguments: [
            Case("3.1", frames.frame(0x1, odd, reserved: 1), code: 1002),
            Case("3.2", frames.text("ok").frame(0x1, odd, reserved: 2).ping(), [text("ok")], code: 1002),
            Case("3.4", frames.text("ok").frame(0x1, odd, reserved: 4).ping(), [text("ok")], code: 1002),
            Case("3.5", frames.frame(0x2, odd, reserved: 5), code: 1002),
            Case("3.6", frames.frame(0x9, odd, reserved: 6), code: 1002),
            Case("3.7", frames.frame(0x8, reserved: 7), code: 1002),
            Case("4.1.1", frames.frame(0x3), code: 1002), Case("4.1.2", frames.frame(0x4, odd), code: 1002),
            Case("4.1.3", frames.text("ok").frame(0x5).ping(), [text("ok")], code: 1002),
            Case("4.2.1", frames.frame(0xB), code: 1002), Case("4.2.2", frames.frame(0xC, odd), code: 1002),
            Case("4.2.5", frames.text("ok").frame(0xF, odd).ping(), [text("ok")], code: 1002),
        ], [Int.max, 1])
    func `3.x and 4.x: what is reserved fails the connection, after what came before it`(
        item: Case, chunk: Int
    ) async throws {
        try await converse(item, chunk: chunk)
    }

    @Test(
        arguments: [
            Case("5.1", frames.frame(0x9, odd, isFinal: false).frame(0x0, odd), code: 1002),
            Case("5.2", frames.frame(0xA, odd, isFinal: false).frame(0x0, odd), code: 1002),
            Case("5.3", frames.text("one", isFinal: false).continuation("two"), [text("onetwo")]),
            Case("5.6", frames.text("one", isFinal: false).ping([1]).continuation("two"), [pong([1]), text("onetwo")]),
            Case("5.9", frames.continuation("one").text("two"), code: 1002),
            Case("5.12", frames.continuation("one", isFinal: false).text("two"), code: 1002),
            Case(
                "5.15",
                frames.text("one", isFinal: false).continuation("two").continuation("x", isFinal: false).text("y"),
                [text("onetwo")], code: 1002),
            Case("5.18", frames.text("one", isFinal: false).text("two"), code: 1002),
            Case(
                "5.19",
                frames.text("1", isFinal: false).continuation("2", isFinal: false).ping([1])
                    .continuation("3", isFinal: false).continuation("4", isFinal: false).ping([2]).continuation("5"),
                [pong([1]), pong([2]), text("12345")]),
        ], [Int.max, 1])
    func `5.x: fragments are joined, with control frames between them and nothing else`(
        item: Case, chunk: Int
    ) async throws {
        try await converse(item, chunk: chunk)
    }

    private static let broken = Array("κόσμε".utf8) + [0xF4, 0x90, 0x80, 0x80] + Array("edited".utf8)

    @Test(
        arguments: [
            Case("6.1.1", frames.text(""), [text("")]),
            Case(
                "6.1.3", frames.text("", isFinal: false).continuation("middle", isFinal: false).continuation(""),
                [text("middle")]),
            Case("6.2.1", frames.text("Hello-µ@ßöäüàá-UTF-8!!"), [text("Hello-µ@ßöäüàá-UTF-8!!")]),
            Case("6.2.4", frames.fragmented(0x1, Array("κόσμε".utf8), size: 1), [text("κόσμε")]),
            Case("6.3.1", frames.frame(0x1, broken), code: 1007),
            Case("6.3.2", frames.fragmented(0x1, broken, size: 1), code: 1007),
            Case("6.21.1", frames.frame(0x1, [0xED, 0xA0, 0x80]), code: 1007),
            Case("6.22.1", frames.frame(0x1, [0xEF, 0xBF, 0xBE]), [text("\u{FFFE}")]),
        ], [Int.max, 1])
    func `6.x: text is UTF-8 or fails the connection`(item: Case, chunk: Int) async throws {
        try await converse(item, chunk: chunk)
    }

    @Test func `6.4.x: the connection fails as soon as text can no longer be UTF-8`() async throws {
        let start = Array("κόσμε".utf8) + [0xF4, 0x90]
        // The rest of the message, in another fragment or in the same frame, is never sent.
        var halfFrame = Self.frames.frame(0x1, Self.broken).bytes
        for sent in [Self.frames.frame(0x1, start, isFinal: false).bytes, halfFrame.readSlice(length: 6 + start.count)]
        {
            try await Self.echo { client in
                try await client.send(try #require(sent))
                #expect(await client.closeCode() == 1007)
                await client.ends()
            }
        }
    }

    @Test(
        arguments: [
            Case("7.1.1", frames.text("x"), [text("x")]),
            Case("7.1.2", frames.close(1000).close(1000), code: 1000),
            Case("7.1.3", frames.close(1000).ping(), code: 1000),
            Case("7.1.4", frames.close(1000).text("x"), code: 1000),
            Case("7.1.5", frames.text("one", isFinal: false).close(1000).continuation("two"), code: 1000),
            Case("7.3.2", frames.frame(0x8, [0x61]), code: 1002),
            Case("7.3.4", frames.close(1000, Array("Hello".utf8)), code: 1000),
            Case("7.3.5", frames.close(1000, [UInt8](repeating: 0x2A, count: 123)), code: 1000),
            Case("7.3.6", frames.close(1000, [UInt8](repeating: 0x2A, count: 124)), code: 1002),
            Case("7.5.1", frames.close(1000, broken), code: 1007),
        ], [Int.max, 1])
    func `7.1.x to 7.5.x: a close is answered and is the last that counts`(item: Case, chunk: Int) async throws {
        try await converse(item, chunk: chunk)
    }

    @Test func `7.3.1: a close without a code is answered by one without`() async throws {
        try await Self.echo { client in
            try await client.send(Self.frames.frame(0x8).bytes)
            let closing = try #require(await client.closing())
            #expect(closing.code == nil)
            await client.ends()
        }
    }

    @Test(arguments: [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999] as [UInt16])
    func `7.7.x: a code that may be sent comes back`(code: UInt16) async throws {
        try await converse(Case("7.7.x", Self.frames.close(code), code: code), chunk: .max)
    }

    /// Those of 7.13 are undefined rather than invalid, and the suite takes any answer to them: a protocol error here.
    @Test(arguments: [0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999, 5000, 65535] as [UInt16])
    func `7.9.x and 7.13.x: a code that may not be sent is a protocol error`(code: UInt16) async throws {
        try await converse(Case("7.9.x", Self.frames.close(code), code: 1002), chunk: .max)
    }

    private static func noise(_ count: Int) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: count) { bytes, initialized in
            for index in 0..<count { bytes[index] = UInt8(truncatingIfNeeded: index &* 31) }
            initialized = count
        }
    }

    @Test(arguments: [1 << 16, 1 << 20, 4 << 20])
    func `9.1.x and 9.2.x: messages of megabytes come back`(count: Int) async throws {
        let payload = Self.noise(count)
        try await Self.echo { client in
            try await client.send(Self.frames.frame(0x2, payload).bytes)
            let event = await client.event()
            #expect(event == .binary(ByteBuffer(bytes: payload)), "another message came back")
        }
    }

    @Test(arguments: [64, 1024, 65536])
    func `9.3.x and 9.4.x: a mebibyte in fragments comes back as one message`(size: Int) async throws {
        let payload = Self.noise(1 << 20)
        try await Self.echo { client in
            try await client.send(Self.frames.fragmented(0x2, payload, size: size).bytes)
            let event = await client.event()
            #expect(event == .binary(ByteBuffer(bytes: payload)), "another message came back")
        }
    }

    @Test func `9.x: a message beyond 16 MiB is refused by its header`() async throws {
        try await Self.echo { client in
            let length = UInt64(16 << 20) + 1
            var header = ByteBuffer(bytes: [0x82, 0xFF])
            header.writeInteger(length)
            try await client.send(header)
            #expect(await client.closeCode() == 1009)
            await client.ends()
        }
    }

    @Test func `9.7.x: a thousand messages one after the other come back in order`() async throws {
        try await Self.echo { client in
            for number in 0..<1000 {
                try await client.send(Self.frames.text("\(number)").bytes)
                #expect(try await client.text() == "\(number)")
            }
        }
    }

    @Test func `10.1.1: a message of 65,536 bytes in fragments of 1,300 comes back`() async throws {
        let text = [UInt8](repeating: 0x2A, count: 65536)
        let item = Case("10.1.1", Self.frames.fragmented(0x1, text, size: 1300), [.text(ByteBuffer(bytes: text))])
        try await converse(item, chunk: .max)
    }
}
