import GatewayCore
import MartletClient
import Testing

/// The client in conversation with a gateway that does as it is told.
@Suite struct MartletClientTests: ClientSuite {
    @Test func `a user is named in the query, a token in a header`() async throws {
        let gateway = try await FakeGateway.start()
        let user = try client(gateway, as: .user("a|b"))
        async let greeted = user.connect()
        var peer = try await gateway.accept()
        let asked = try await peer.handshake()
        #expect(asked.hasPrefix("GET /ws?userId=a%7Cb HTTP/1.1"))
        #expect(asked.contains("Sec-WebSocket-Protocol: martlet.v1"))
        peer.drop()
        peer = try await gateway.accept()
        try await peer.welcome()
        let welcome = try await greeted
        #expect(welcome.nodeId == "n1")
        #expect(welcome.heartbeat == .seconds(30))
        #expect(welcome.positions == ["*": position("e", 7), "@u": position("e", 0)])
        #expect(!welcome.resumed)
        await user.close()

        let bearer = try client(gateway, as: .token { "a.b.c" })
        async let connected = bearer.connect()
        peer = try await gateway.accept()
        #expect(try await peer.handshake().contains("\r\nAuthorization: Bearer a.b.c\r\n"))
        peer.drop()
        try await gateway.accept().welcome()
        _ = try await connected
        await bearer.close()
        await gateway.stop()
    }

    @Test func `requests are answered by their ids, in whatever order`() async throws {
        let gateway = try await FakeGateway.start()
        let client = try client(gateway)
        let peer = try await connect(client, gateway)

        async let joined = client.join("r")
        try await peer.acceptJoin(of: "r", at: 43)
        let answer = try await joined
        #expect(answer.position == position("e", 43))
        #expect(answer.recovered)
        #expect((answer.members, answer.rosterVersion) == (2, 9))

        async let ack = client.publish(Array(#"{"a": 1}"#.utf8), to: "r", msgType: 7, dedupe: "k")
        let publish = try await peer.request()
        guard case .message(let sent) = publish.command else { throw Ended() }
        let room = sent.room
        #expect(sent.payload == Array(#"{"a": 1}"#.utf8) && sent.msgType == 7 && sent.dedupe == "k")
        async let pong = client.ping()
        let ping = try await peer.request()
        peer.send(.pong(id: ping.id))
        _ = try await pong
        peer.send(
            .ack(id: publish.id, room: room, published: Published(position: Position(epoch: "", seq: 44), timestamp: 9))
        )
        #expect(try await ack == MartletClient.Ack(room: "r", seq: 44, timestamp: 9))

        let encoded = Task { try await client.publish(encoding: ["n": 5], to: "r") }
        let second = try await peer.request()
        guard case .message(let numbered) = second.command else { throw Ended() }
        #expect(numbered.payload == Array(#"{"n":5}"#.utf8) && numbered.msgType == 1 && numbered.dedupe != nil)
        peer.send(.error(id: second.id, error: RequestError(.unavailable, "later")))
        await #expect(throws: MartletClient.Failure.refused(code: "unavailable", message: "later")) {
            try await encoded.value
        }
        let hurried = Task { try await client.ping() }
        peer.send(
            .error(
                id: try await peer.request().id,
                error: RequestError(.rateLimited, "slow down", retryAfterMilliseconds: 1500)))
        let refusal = MartletClient.Failure.refused(
            code: "rate_limited", message: "slow down", retryAfter: .milliseconds(1500))
        await #expect(throws: refusal) { try await hurried.value }

        async let page = client.history(of: "r", .before(40), limit: 2)
        let history = try await peer.request()
        guard case .history(_, HistoryRange(edge: .before(40), limit: 2)) = history.command else { throw Ended() }
        peer.send(
            .history(
                id: history.id,
                page: HistoryPage(room: room, head: Position(epoch: "e", seq: 9), messages: [], more: true)))
        #expect(try await page == MartletClient.Page(room: "r", epoch: "e", messages: [], more: true))

        async let expires = client.authenticate("t")
        let auth = try await peer.request()
        guard case .auth("t") = auth.command else { throw Ended() }
        peer.send(.authenticated(id: auth.id, expires: 99))
        #expect(try await expires == 99)

        async let left: Void = client.leave("r")
        let leave = try await peer.request()
        peer.send(.left(id: leave.id, room: room))
        try await left
        await client.close()
        await gateway.stop()
    }

    @Test func `a guest shows nothing, has no session, and joins anew with its positions`() async throws {
        let gateway = try await FakeGateway.start()
        let client = try client(gateway, as: .guest)
        async let welcome = client.connect()
        let first = try await gateway.accept()
        #expect(try await first.welcomeGuest().hasPrefix("GET /ws HTTP/1.1\r\n"))
        let told = try await welcome
        #expect(told.userId == nil && told.positions.keys.sorted() == ["*"])
        let refusal = MartletClient.Failure.invalid("a guest has no token; connect with the credentials .token")
        await #expect(throws: refusal) { try await client.authenticate("t") }
        async let joined = client.join("r")
        try await first.acceptJoin(of: "r", at: 3)
        _ = try await joined
        first.message("1", seq: 4)
        first.close(1001)
        let second = try await gateway.accept()
        #expect(try await second.welcomeGuest().hasPrefix("GET /ws HTTP/1.1\r\n"))
        let since = try await second.acceptJoin(of: "r", at: 4)
        #expect(since == ClientPosition(epoch: "e", seq: 4))
        await client.close()
        await gateway.stop()
    }

    @Test func `what cannot be sent is refused before it is`() async throws {
        let gateway = try await FakeGateway.start()
        let client = try client(gateway)
        await #expect(throws: MartletClient.Failure.notConnected) { try await client.ping() }
        await #expect(throws: MartletClient.Failure.invalid("room: not the name of a room")) {
            try await client.join("a b")
        }
        for payload in ["", "{", "1 2", #"1,"x":2"#] {
            await #expect(throws: MartletClient.Failure.invalid("payload: must be one JSON value")) {
                try await client.publish(Array(payload.utf8), to: "r")
            }
        }
        #expect(throws: MartletClient.Failure.self) {
            try MartletClient(configuration: .init(url: "http://x", credentials: .user("u")))
        }
        await client.close()
        await #expect(throws: MartletClient.Failure.closed) { try await client.ping() }
        await gateway.stop()
    }

    @Test func `events come in order and bear their room's epoch`() async throws {
        let gateway = try await FakeGateway.start()
        let client = try client(gateway)
        let peer = try await connect(client, gateway)
        async let joined = client.join("r")
        try await peer.acceptJoin(of: "r", at: 1)
        _ = try await joined
        peer.message(#"{"x":1e400}"#, seq: 2)
        peer.send(.epoch(room: RoomName(unchecked: "r"), position: Position(epoch: "e2", seq: 2)))
        peer.message("3", seq: 3)
        peer.send(.gap(room: RoomName(unchecked: "r"), position: Position(epoch: "e3", seq: 9)))
        peer.message("4", in: "*", seq: 8)
        peer.send(.error(id: nil, error: RequestError(.badRequest, "hm")))
        guard case .message(let first) = try await next(client) else { throw Ended() }
        #expect(first.payload == Array(#"{"x":1e400}"#.utf8))
        #expect((first.userId, first.msgType, first.timestamp) == ("v", 1, 5))
        #expect(first.position == position("e", 2))
        #expect(try await next(client) == .epoch(room: "r", position: position("e2", 2)))
        guard case .message(let second) = try await next(client) else { throw Ended() }
        #expect(second.position == position("e2", 3))
        #expect(try await next(client) == .gap(room: "r", position: position("e3", 9)))
        guard case .message(let third) = try await next(client) else { throw Ended() }
        #expect((third.room, third.position) == ("*", position("e", 8)))
        #expect(try await next(client) == .error(code: "bad_request", message: "hm"))
        await client.close()
        await gateway.stop()
    }

    @Test func `a draining gateway is left when it says`() async throws {
        let gateway = try await FakeGateway.start()
        let client = try client(gateway) {
            $0.firstDelay = .seconds(3600); $0.maxDelay = .seconds(3600)
        }
        let peer = try await connect(client, gateway)
        peer.send(.reconnect(afterMilliseconds: 1))
        #expect(try await next(client) == .reconnect(after: .milliseconds(1)))
        guard case .close(1000, _) = try await peer.frame() else { throw Ended() }
        guard case .disconnected(1000, _) = try await next(client) else { throw Ended() }
        try await gateway.accept().welcome()
        guard case .connected = try await next(client) else { throw Ended() }
        await client.close()
        await gateway.stop()
    }

    @Test(arguments: [UInt16(4401), 4403, 4409]) func `some closes are for good`(code: UInt16) async throws {
        let gateway = try await FakeGateway.start()
        let client = try client(gateway)
        let peer = try await connect(client, gateway)
        peer.close(code, "enough")
        #expect(try await next(client) == .disconnected(code: code, reason: "enough"))
        await #expect(throws: Ended.self) { try await next(client) }
        await #expect(throws: MartletClient.Failure.stopped(code: code, reason: "enough")) { try await client.ping() }
        await client.close()
        await gateway.stop()
    }

    @Test func `a refused token is asked for again until one is good, and without one the client ends`() async throws {
        let gateway = try await FakeGateway.start()
        let tokens = EventBuffer<String>(limit: 10)
        for token in ["old", "old", "<html>", "new"] { _ = tokens.append(token) }
        tokens.finish()
        let client = try client(gateway, as: .token { await tokens.next() })
        async let connected = client.connect()
        var peer = try await gateway.accept()
        for token in ["old", "old", "<html>"] {
            #expect(try await peer.handshake().contains("Bearer \(token)\r\n"))
            peer.close(4401, "unauthorized")
            peer = try await gateway.accept()
        }
        try await peer.welcome()
        _ = try await connected
        peer.close(4401, "unauthorized")
        guard case .connected = try await next(client) else { throw Ended() }
        #expect(try await next(client) == .disconnected(code: 4401, reason: "unauthorized"))
        await end(client)
        await #expect(throws: MartletClient.Failure.stopped(code: 4401, reason: "no token is to be had")) {
            try await client.ping()
        }
        await gateway.stop()
    }

    @Test func `a request without a reply times out, a cancelled one ends at once`() async throws {
        let gateway = try await FakeGateway.start()
        let client = try client(gateway) { $0.requestTimeout = .milliseconds(10) }
        let peer = try await connect(client, gateway)
        await #expect(throws: MartletClient.Failure.timedOut) { try await client.ping() }
        _ = try await peer.request()
        let patient = try self.client(gateway) { $0.requestTimeout = .seconds(3600) }
        let other = try await connect(patient, gateway)
        let waiting = Task { try await patient.ping() }
        _ = try await other.request()
        waiting.cancel()
        await #expect(throws: MartletClient.Failure.cancelled) { try await waiting.value }
        await client.close()
        await patient.close()
        await gateway.stop()
    }

    @Test func `only so many requests may wait`() async throws {
        let gateway = try await FakeGateway.start()
        let client = try client(gateway) { $0.maxPendingRequests = 1 }
        let peer = try await connect(client, gateway)
        async let first = client.ping()
        let request = try await peer.request()
        await #expect(throws: MartletClient.Failure.tooManyPending) { try await client.ping() }
        peer.send(.pong(id: request.id))
        _ = try await first
        await client.close()
        await gateway.stop()
    }

    @Test func `a consumer who falls behind loses nothing and may still ask`() async throws {
        let gateway = try await FakeGateway.start()
        let client = try client(gateway) { $0.eventLimit = 8 }
        let peer = try await connect(client, gateway)
        async let joined = client.join("r")
        try await peer.acceptJoin(of: "r", at: 0)
        _ = try await joined
        let payload = "\"" + String(repeating: "x", count: 20_000) + "\""
        for seq in 1...12 { peer.message(payload, seq: seq) }
        async let ping = client.ping()
        peer.send(.pong(id: try await peer.request().id))
        _ = try await ping
        for seq in 13...500 { peer.message(payload, seq: seq) }
        for seq in 1...500 {
            guard case .message(let message) = try await next(client) else { throw Ended() }
            #expect(message.seq == seq)
        }
        await client.close()
        await gateway.stop()
    }

    @Test func `frames of a later protocol are passed over`() async throws {
        let gateway = try await FakeGateway.start()
        let client = try client(gateway)
        let peer = try await connect(client, gateway)
        let frame = Array(#"{"type":"room","roomId":"r"}"#.utf8)
        peer.send(raw: [0x81, UInt8(frame.count)] + frame)
        peer.message("1", in: "*", seq: 8)
        guard case .message = try await next(client) else { throw Ended() }
        await client.close()
        await gateway.stop()
    }

    @Test func `close ends run, which then returns, and cancellation does the same`() async throws {
        let gateway = try await FakeGateway.start()
        for ends in [true, false] {
            let client = try client(gateway)
            let running = Task { try await client.run() }
            let peer = try await gateway.accept()
            try await peer.welcome()
            guard case .connected = try await next(client) else { throw Ended() }
            if ends { await client.close() } else { running.cancel() }
            guard case .close(1000, _) = try await peer.frame() else { throw Ended() }
            try await running.value
            guard case .disconnected(1000, _) = try await next(client) else { throw Ended() }
        }
        await gateway.stop()
    }

    @Test func `a client that nobody answers can be closed`() async throws {
        let gateway = try await FakeGateway.start()
        await gateway.stop()
        let client = try client(gateway) {
            $0.firstDelay = .seconds(3600); $0.maxDelay = .seconds(3600)
        }
        let running = Task { try await client.run() }
        // Before it runs there is nothing to end.
        let closing = Task {
            while !Task.isCancelled {
                await client.close()
                await Task.yield()
            }
        }
        try await running.value
        closing.cancel()
        await closing.value
        await #expect(throws: Ended.self) { try await next(client) }
        var late = client.events.makeAsyncIterator()
        #expect(await late.next() == nil)
    }
}
