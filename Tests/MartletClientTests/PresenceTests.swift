import GatewayCore
import MartletClient
import Testing

/// Rosters, watched users and signals.
@Suite struct PresenceTests: ClientSuite {
    private let room = RoomName(unchecked: "r")

    @Test func `members are asked for by the page`() async throws {
        let gateway = try await FakeGateway.start()
        let client = try client(gateway)
        let peer = try await connect(client, gateway)
        async let page = client.members(of: "r", limit: 2, cursor: "c1")
        let request = try await peer.request()
        guard case .members(room, limit: 2, cursor: "c1") = request.command else { throw Ended() }
        let member = Member(userId: UserID(unchecked: "a"), info: Array(#"{"n":1}"#.utf8), connections: 3)
        peer.send(
            .members(
                id: request.id, room: room, page: MemberPage(members: [member], count: 7, rosterVersion: 5, next: "c2"))
        )
        let answer = try await page
        #expect(answer.members == [.init(userId: "a", info: Array(#"{"n":1}"#.utf8), connections: 3)])
        #expect((answer.room, answer.count, answer.rosterVersion, answer.next) == ("r", 7, 5, "c2"))
        await client.close()
        await gateway.stop()
    }

    @Test func `changes of a roster and signals come among the events`() async throws {
        let gateway = try await FakeGateway.start()
        let client = try client(gateway)
        let peer = try await connect(client, gateway)
        let events = [
            RosterEvent(kind: .join, userId: UserID(unchecked: "a"), info: Array("{}".utf8), connection: nil),
            RosterEvent(kind: .leave, userId: UserID(unchecked: "b"), info: nil, connection: nil),
        ]
        peer.send(.presence(RosterChange(room: room, events: events, members: 4, version: 9, timestamp: 5)))
        peer.send(
            .signal(
                Signal(
                    room: room, from: UserID(unchecked: "a"), to: UserID(unchecked: "u"), payload: Array("[1 ]".utf8))))
        #expect(
            try await next(client)
                == .presence(
                    .init(
                        room: "r", steps: [.join(userId: "a", info: Array("{}".utf8)), .leave(userId: "b")], members: 4,
                        rosterVersion: 9, timestamp: 5)))
        guard case .signal(let signal) = try await next(client) else { throw Ended() }
        #expect((signal.room, signal.from, signal.payload) == ("r", "a", Array("[1 ]".utf8)))

        async let told: Void = client.signal(Array("{}".utf8), to: "a", in: "r")
        let request = try await peer.request()
        guard case .signal(let to, room, Array("{}".utf8)) = request.command, to.string == "a" else { throw Ended() }
        peer.send(.acknowledged(id: request.id))
        try await told
        await #expect(throws: MartletClient.Failure.invalid("payload: must be one JSON value")) {
            try await client.signal(Array("{".utf8), to: "a", in: "r")
        }
        await client.close()
        await gateway.stop()
    }

    @Test func `what a later gateway tells of a roster passes, and the version moves`() async throws {
        let gateway = try await FakeGateway.start()
        let client = try client(gateway)
        let peer = try await connect(client, gateway)
        peer.text(
            #"{"type":"presence","roomId":"r","events":[{"event":"update","userId":"a","info":{"hat":1}},"#
                + #"{"event":"dance","userId":"b","to":["c"]}],"members":4,"rosterVersion":9,"timestamp":5,"new":{}}"#)
        peer.text(#"{"type":"novelty","roomId":"r"}"#)
        peer.text(
            #"{"type":"presence","roomId":"r","events":[],"members":4,"from":9,"rosterVersion":12,"timestamp":5}"#)
        let update = MartletClient.Presence.Step.update(userId: "a", info: Array(#"{"hat":1}"#.utf8))
        #expect(
            try await next(client)
                == .presence(.init(room: "r", steps: [update], from: 7, members: 4, rosterVersion: 9, timestamp: 5)))
        #expect(
            try await next(client)
                == .presence(.init(room: "r", steps: [], from: 9, members: 4, rosterVersion: 12, timestamp: 5)))
        await client.close()
        await gateway.stop()
    }

    @Test func `who may not be watched is told of and not watched again`() async throws {
        let gateway = try await FakeGateway.start()
        let client = try client(gateway)
        var peer = try await connect(client, gateway)
        async let watching = client.watch(["a", "b"])
        var request = try await peer.request()
        let refused = UserStatus(userId: UserID(unchecked: "a"), isOnline: false, lastSeen: nil, refusal: .forbidden)
        let there = UserStatus(userId: UserID(unchecked: "b"), isOnline: true, lastSeen: nil)
        peer.send(.watching(id: request.id, users: [refused, there]))
        #expect(try await watching.map(\.refusal) == ["forbidden", nil])
        peer.drop()
        peer = try await gateway.accept()
        try await peer.welcome()
        try await passReconnect(client)
        request = try await peer.request()
        guard case .watch(let again) = request.command else { throw Ended() }
        #expect(again.map(\.string) == ["b"])
        let lost = UserStatus(userId: UserID(unchecked: "b"), isOnline: false, lastSeen: nil, refusal: .forbidden)
        peer.send(.watching(id: request.id, users: [lost]))
        guard case .status(let status) = try await next(client) else { throw Ended() }
        #expect((status.userId, status.refusal) == ("b", "forbidden"))
        await client.close()
        await gateway.stop()
    }

    @Test func `many long names are watched again in frames that the gateway takes`() async throws {
        let gateway = try await FakeGateway.start()
        let client = try client(gateway)
        var peer = try await connect(client, gateway)
        let names = (0..<1000).map { String(repeating: "x", count: 66) + "\(1000 + $0)" }
        async let watching = client.watch(names)
        for _ in 0..<10 {
            let request = try await peer.request()
            guard case .watch(let users) = request.command else { throw Ended() }
            peer.send(
                .watching(
                    id: request.id, users: users.map { UserStatus(userId: $0, isOnline: false, lastSeen: nil) }))
        }
        #expect(try await watching.map(\.userId) == names)
        peer.drop()
        peer = try await gateway.accept()
        try await peer.welcome()
        var again: Set<String> = []
        while again.count < 1000 {
            guard case .text(let text) = try await peer.frame() else { throw Ended() }
            #expect(text.readableBytes < 10_000)
            guard case .watch(let users) = try Peer.request(text).command else { throw Ended() }
            #expect(users.count <= 100)
            again.formUnion(users.map(\.string))
        }
        #expect(again == Set(names))
        await client.close()
        await gateway.stop()
    }

    @Test func `watched users are watched again, and who changed meanwhile is told`() async throws {
        let gateway = try await FakeGateway.start()
        let client = try client(gateway)
        var peer = try await connect(client, gateway)
        func status(_ user: String, _ isOnline: Bool, seen: Int64? = nil) -> UserStatus {
            UserStatus(userId: UserID(unchecked: user), isOnline: isOnline, lastSeen: seen)
        }
        async let watching = client.watch(["a", "b", "c"])
        var request = try await peer.request()
        guard case .watch = request.command else { throw Ended() }
        peer.send(.watching(id: request.id, users: [status("a", true), status("b", true), status("c", false)]))
        #expect(try await watching.map(\.isOnline) == [true, true, false])
        peer.send(.status(StatusChange(userId: UserID(unchecked: "c"), isOnline: true, timestamp: 5)))
        guard case .status(let came) = try await next(client) else { throw Ended() }
        #expect((came.userId, came.isOnline, came.lastSeen) == ("c", true, nil))
        async let unwatching: Void = client.unwatch(["b"])
        request = try await peer.request()
        guard case .unwatch = request.command else { throw Ended() }
        peer.send(.watching(id: request.id, users: []))
        try await unwatching

        peer.drop()
        peer = try await gateway.accept()
        try await peer.welcome()
        try await passReconnect(client)
        request = try await peer.request()
        guard case .watch(let again) = request.command else { throw Ended() }
        #expect(Set(again.map(\.string)) == ["a", "c"])
        peer.send(.watching(id: request.id, users: [status("a", false, seen: 7), status("c", true)]))
        guard case .status(let went) = try await next(client) else { throw Ended() }
        #expect((went.userId, went.isOnline, went.lastSeen) == ("a", false, 7))
        await client.close()
        await gateway.stop()
    }
}
