import GatewayCore
import MartletClient
import Testing

/// Connections that break, and streams that do not.
@Suite struct RecoveryTests: ClientSuite {
    private let room = RoomName(unchecked: "r")
    private let inbox = RoomName(unchecked: "@u")

    private func resumed(_ room: String, at seq: Int, epoch: String = "e", recovered: Bool = true) -> ResumedRoom {
        ResumedRoom(
            room: RoomName(unchecked: room),
            outcome: .joined(position: Position(epoch: epoch, seq: seq), recovered: recovered))
    }

    private func since(_ seq: Int, _ epoch: String = "e") -> ClientPosition { ClientPosition(epoch: epoch, seq: seq) }

    @Test func `a session is resumed with all positions in one frame, and the stream goes on`() async throws {
        let gateway = try await FakeGateway.start()
        let client = try client(gateway)
        var peer = try await connect(client, gateway, joining: "r", at: 1)
        peer.message("2", seq: 2)
        peer.message("8", in: "*", seq: 8)
        #expect(try await nextSeq(client) == 2)
        #expect(try await nextSeq(client) == 8)
        peer.drop()
        peer = try await gateway.accept()
        let asked = try await peer.welcome(session: "s1", resumed: true)
        #expect(asked.hasPrefix("GET /ws?userId=u&session=s1 HTTP/1.1"))
        try await passReconnect(client)
        let positions = try await peer.acceptResume([
            resumed("r", at: 4), resumed("@u", at: 0), resumed("*", at: 9, epoch: "f"),
        ])
        #expect(positions == ["r": since(2), "@u": since(0), "*": since(8)])
        peer.message("3", seq: 3)
        peer.message("4", seq: 4)
        peer.message("9", in: "*", seq: 9)
        #expect(try await next(client) == .rejoined(room: "r", position: position("e", 4)))
        #expect(try await nextSeq(client) == 3)
        #expect(try await nextSeq(client) == 4)
        guard case .message(let message) = try await next(client) else { throw Ended() }
        #expect(message.position == position("f", 9))
        #expect(client.position(of: "r") == position("e", 4))
        #expect(client.position(of: "*") == position("f", 9))
        #expect(client.position(of: "other") == nil)
        await client.close()
        await gateway.stop()
    }

    @Test func `what the log no longer holds is told as a gap`() async throws {
        let gateway = try await FakeGateway.start()
        let client = try client(gateway)
        var peer = try await connect(client, gateway, joining: "r", at: 1)
        peer.drop()
        peer = try await gateway.accept()
        try await peer.welcome(resumed: true)
        try await passReconnect(client)
        try await peer.acceptResume([
            resumed("r", at: 500, epoch: "f", recovered: false), resumed("@u", at: 4, recovered: false),
            resumed("*", at: 7),
        ])
        peer.message("501", seq: 501)
        #expect(try await next(client) == .rejoined(room: "r", position: position("f", 500)))
        #expect(try await next(client) == .gap(room: "r", position: position("f", 500)))
        #expect(try await next(client) == .gap(room: "@u", position: position("e", 4)))
        #expect(try await nextSeq(client) == 501)
        await client.close()
        await gateway.stop()
    }

    @Test func `without its session the client joins every room where it was`() async throws {
        let gateway = try await FakeGateway.start()
        let client = try client(gateway)
        var peer = try await connect(client, gateway, joining: "r", at: 1)
        async let second = client.join("gone")
        try await peer.acceptJoin(of: "gone", at: 1)
        _ = try await second
        let ping = Task { try await client.ping() }
        _ = try await peer.request()
        peer.drop()
        await #expect(throws: MartletClient.Failure.disconnected) { try await ping.value }

        peer = try await gateway.accept()
        try await peer.welcome(session: "s2", inbox: Position(epoch: "e", seq: 2))
        try await passReconnect(client)
        var asked: [String: ClientPosition] = [:]
        for _ in 0..<3 {
            let request = try await peer.request()
            guard case .join(let name, let since?) = request.command else { throw Ended() }
            asked[name.string] = since
            if name.string == "gone" {
                peer.send(.error(id: request.id, error: RequestError(.forbidden, "no")))
            } else {
                let head = Position(epoch: "e", seq: name == room ? 5 : 2)
                peer.send(.joined(id: request.id, Joined(room: name, position: head, recovered: true, roster: nil)))
                for seq in (since.seq + 1)...head.seq { peer.message("\(seq)", in: name.string, seq: seq) }
            }
        }
        // `*` stands where it stood.
        #expect(asked == ["r": since(1), "gone": since(1), "@u": since(0)])
        var seen: [String: [Int]] = [:]
        for _ in 0..<8 {
            switch try await next(client) {
            case .message(let message): seen[message.room, default: []].append(message.seq)
            case .rejoined(let room, let place): #expect((room, place) == ("r", position("e", 5)))
            case .rejoinFailed(let room, let failure):
                #expect((room, failure) == ("gone", .refused(code: "forbidden", message: "no")))
            default: throw Ended()
            }
        }
        #expect(seen == ["r": [2, 3, 4, 5], "@u": [1, 2]])
        await client.close()
        await gateway.stop()
    }

    @Test func `a resume that fails is made up for room by room`() async throws {
        let gateway = try await FakeGateway.start()
        let client = try client(gateway)
        var peer = try await connect(client, gateway, joining: "r", at: 1)
        peer.drop()
        peer = try await gateway.accept()
        try await peer.welcome(resumed: true)
        let request = try await peer.request()
        guard case .resume = request.command else { throw Ended() }
        peer.send(.error(id: request.id, error: RequestError(.unavailable, "later")))
        var asked: Set<String> = []
        for _ in 0..<3 {
            let join = try await peer.request()
            guard case .join(let name, _?) = join.command else { throw Ended() }
            asked.insert(name.string)
        }
        #expect(asked == ["r", "@u", "*"])
        await client.close()
        await gateway.stop()
    }

    @Test func `a hundred rooms are joined again, few at a time`() async throws {
        let gateway = try await FakeGateway.start()
        let client = try client(gateway)
        var peer = try await connect(client, gateway)
        for number in 0..<100 {
            async let joined = client.join("room-\(number)")
            try await peer.acceptJoin(of: "room-\(number)", at: 1)
            _ = try await joined
        }
        peer.close(1001)
        peer = try await gateway.accept()
        try await peer.welcome()
        guard case .disconnected(1001, _) = try await next(client), case .connected = try await next(client) else {
            throw Ended()
        }
        var waiting: [ClientRequest] = []
        var rooms: Set<String> = []
        for _ in 0..<32 { waiting.append(try await peer.request()) }
        while let request = waiting.popLast() {
            guard case .join(let room, since(1)) = request.command else { throw Ended() }
            rooms.insert(room.string)
            peer.send(
                .joined(
                    id: request.id,
                    Joined(room: room, position: Position(epoch: "e", seq: 1), recovered: true, roster: nil)))
            if rooms.count + waiting.count < 100 { waiting.append(try await peer.request()) }
        }
        #expect(rooms.count == 100)
        await client.close()
        await gateway.stop()
    }

    @Test func `a room left while away does not come back`() async throws {
        let gateway = try await FakeGateway.start()
        let client = try client(gateway) {
            $0.firstDelay = .seconds(3600); $0.maxDelay = .seconds(3600)
        }
        var peer = try await connect(client, gateway, joining: "r", at: 1)
        peer.send(.reconnect(afterMilliseconds: 300))
        #expect(try await next(client) == .reconnect(after: .milliseconds(300)))
        peer.drop()
        guard case .disconnected = try await next(client) else { throw Ended() }
        try await client.leave("r")
        peer = try await gateway.accept()
        try await peer.welcome(resumed: true)
        let asked = try await peer.acceptResume([resumed("r", at: 4), resumed("@u", at: 0), resumed("*", at: 7)])
        #expect(Set(asked.keys) == ["@u", "*"])
        peer.message("5", seq: 5)
        guard case .leave(room) = try await peer.request().command else { throw Ended() }
        peer.message("8", in: "*", seq: 8)
        guard case .connected = try await next(client) else { throw Ended() }
        #expect(try await nextSeq(client) == 8)
        await client.close()
        await gateway.stop()
    }

    @Test func `a draining gateway is left for another, and the session goes along`() async throws {
        let old = try await FakeGateway.start()
        let new = try await FakeGateway.start()
        let client = try client(old) {
            $0.otherURLs = [new.url]; $0.firstDelay = .seconds(3600); $0.maxDelay = .seconds(3600)
        }
        let peer = try await connect(client, old, joining: "r", at: 1)
        peer.send(.reconnect(afterMilliseconds: 1))
        let next = try await new.accept()
        #expect(try await next.welcome(resumed: true).contains("&session=s1"))
        #expect(try await next.acceptResume([resumed("r", at: 1)])["r"] == since(1))
        await client.close()
        await old.stop()
        await new.stop()
    }

    @Test func `a join with a position replays from there, also in a room that was joined`() async throws {
        let gateway = try await FakeGateway.start()
        let client = try client(gateway)
        let peer = try await connect(client, gateway, joining: "r", at: 5)
        async let joined = client.join("r", since: position("", 3))
        #expect(try await peer.acceptJoin(of: "r", at: 5) == ClientPosition(epoch: nil, seq: 3))
        _ = try await joined
        for seq in 4...5 { peer.message("\(seq)", seq: seq) }
        #expect(try await nextSeq(client) == 4)
        #expect(try await nextSeq(client) == 5)

        async let inbox = client.join("@u", since: position("e", 0))
        try await peer.acceptJoin(of: "@u", at: 90, recovered: false)
        #expect(try await !inbox.recovered)
        #expect(try await next(client) == .gap(room: "@u", position: position("e", 90)))
        await client.close()
        await gateway.stop()
    }
}
