import GatewayCore
import NIOCore
import SocketServer
import Testing
import WebSocketFrames

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

@Suite
struct DirectSendTests {
    /// Both ends of a stream, closed with the value.
    private struct Ends: ~Copyable {
        let ours: CInt
        let theirs: CInt

        init() throws {
            var ends: [CInt] = [-1, -1]
            try #require(socketpair(AF_UNIX, DirectSendTests.stream, 0, &ends) == 0)
            (ours, theirs) = (ends[0], ends[1])
        }

        deinit {
            close(ours)
            close(theirs)
        }

        func read() -> [UInt8] {
            let bytes = [UInt8](unsafeUninitializedCapacity: 1 << 22) { buffer, count in
                count = max(0, recv(theirs, buffer.baseAddress, buffer.count, CInt(MSG_DONTWAIT)))
            }
            return bytes
        }
    }

    #if canImport(Glibc)
        private static let stream = CInt(SOCK_STREAM.rawValue)
    #else
        private static let stream = SOCK_STREAM
    #endif

    private func send(_ bytes: [UInt8], to descriptor: CInt) -> Int {
        bytes.withUnsafeBytes { DirectSend.send($0, to: descriptor) }
    }

    @Test func `what has room is taken whole`() throws {
        let ends = try Ends()
        #expect(send([1, 2, 3], to: ends.ours) == 3)
        #expect(ends.read() == [1, 2, 3])
    }

    @Test func `of what is too much only the beginning is taken, then nothing until there is room again`() throws {
        let ends = try Ends()
        let bytes = (0..<(8 << 20)).map { UInt8(truncatingIfNeeded: $0 / 3) }
        let sent = send(bytes, to: ends.ours)
        #expect(sent > 0 && sent < bytes.count)
        #expect(send(bytes, to: ends.ours) == 0)
        var taken: [UInt8] = []
        while taken.count < sent {
            let more = ends.read()
            try #require(!more.isEmpty)
            taken += more
        }
        #expect(taken == Array(bytes[..<sent]))
        #expect(send([7], to: ends.ours) == 1)
        #expect(ends.read() == [7])
    }

    @Test func `a socket that nobody reads any more, and none at all, take nothing and end no process`() throws {
        let ends = try Ends()
        shutdown(ends.ours, CInt(SHUT_WR))
        #expect(send([1], to: ends.ours) == 0)
        #expect(send([1], to: -1) == 0)
    }
}

/// Frames that leave past the channel and frames that wait in it, over real sockets.
@Suite(.timeLimit(.minutes(1)))
struct WaysOutTests {
    private static let room = RoomName(unchecked: "r")

    private func publish(_ payload: String, _ server: TestServer) async throws {
        let payload = Array("\"\(payload)\"".utf8)
        _ = try await server.backend.publish(Publication(room: Self.room, userId: .system, payload: payload))
    }

    private func expectMessages(_ seqs: ClosedRange<Int>, payload: String, at client: TestClient) async throws {
        for seq in seqs {
            let text = try await client.text(containing: #""type":"message""#)
            try #require(text.hasSuffix(#""seq":\#(seq)}"#))
            try #require(text.contains("\"\(payload)\""))
        }
    }

    @Test func `a client that pauses gets all in order: what left at once, what waited, what came after`() async throws
    {
        let payload = String(repeating: "x", count: 40_000)
        try await TestServer.run {
            $0.maxQueuedBytes = 1 << 26
        } _: { server in
            let pausing = try await TestClient.connect(port: server.port, isReading: false)
            try await pausing.channel.setOption(.autoRead, value: true).get()
            try await pausing.upgrade("/ws?userId=pausing")
            let reader = try await server.enter("reader")
            for client in [pausing, reader] {
                try await client.send(#"{"type":"join","roomId":"r"}"#)
                _ = try await client.text(containing: #""type":"joined""#)
            }
            for round in 0..<2 {
                let first = 410 * round + 1
                try await pausing.channel.setOption(.autoRead, value: false).get()
                // More than the system keeps for one socket.
                for _ in 1...400 { try await publish(payload, server) }
                try await expectMessages(first...(first + 399), payload: payload, at: reader)
                try await pausing.channel.setOption(.autoRead, value: true).get()
                try await expectMessages(first...(first + 399), payload: payload, at: pausing)
                for _ in 1...10 { try await publish("short", server) }
                for client in [pausing, reader] {
                    try await expectMessages((first + 400)...(first + 409), payload: "short", at: client)
                }
            }
        }
    }

    @Test(arguments: [2, 20, 200])
    func `frames of one turn leave in their order, be they few or many`(count: Int) async throws {
        try await TestServer.run {
            $0.limits.rate = RateLimit(perSecond: 100_000, burst: 100_000)
        } _: { server in
            let client = try await server.enter()
            for round in 1...3 {
                var pings = ByteBuffer()
                let payloads = (1...count).map { ByteBuffer(string: "\(round).\($0)".padded(to: 125)) }
                for payload in payloads { FrameEncoder.ping(payload, mask: 0x1234_5678, into: &pings) }
                try await client.send(pings)
                for payload in payloads { try #require(await client.eventPastPings() == .pong(payload)) }
            }
        }
    }

    @Test func `what was asked before a close in the same packet is answered before it, and then comes the end`()
        async throws
    {
        try await TestServer.run { server in
            let client = try await server.enter()
            var requests = ByteBuffer()
            FrameEncoder.text(#"{"type":"ping","id":1}"#, mask: 0x1234_5678, into: &requests)
            FrameEncoder.close(code: 1000, reason: "", mask: 0x1234_5678, into: &requests)
            try await client.send(requests)
            #expect(try await client.text() == #"{"type":"pong","id":1}"#)
            #expect(await client.closeCode() == 1000)
            await client.ends()
        }
    }

    @Test func `members that vanish while they are sent to are let go, and the others miss nothing`() async throws {
        try await TestServer.run { server in
            let reader = try await server.enter("reader")
            _ = try await reader.ask(#"{"type":"join","roomId":"r"}"#)
            for round in 0..<5 {
                for index in 0..<8 {
                    let other = try await server.enter("other\(index)")
                    _ = try await other.ask(#"{"type":"join","roomId":"r"}"#)
                    try await other.resetAtClose()
                    async let end: Void = other.channel.close()
                    for _ in 1...5 { try await publish("short", server) }
                    try await end
                }
                let first = round * 40 + 1
                try await expectMessages(first...(first + 39), payload: "short", at: reader)
            }
            while server.server.status.connections > 1 { await Task.yield() }
            try await reader.send(#"{"type":"ping"}"#)
            _ = try await reader.text(containing: #""type":"pong""#)
        }
    }
}

extension TestClient {
    /// The next event that is no heartbeat.
    fileprivate func eventPastPings() async -> FrameDecoder.Event? {
        while let event = await event() {
            if case .ping = event { continue }
            return event
        }
        return nil
    }

    /// From here on its end is a reset, which takes what is on its way along.
    fileprivate func resetAtClose() async throws {
        try await channel.setOption(.autoRead, value: false).get()
        let options = try #require(channel as? any SocketOptionProvider)
        try await options.setSoLinger(linger(l_onoff: 1, l_linger: 0)).get()
    }
}

extension String {
    fileprivate func padded(to length: Int) -> String { self + String(repeating: " ", count: length - count) }
}
