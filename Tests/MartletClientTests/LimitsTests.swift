import GatewayCore
import MartletClient
import Testing

/// Gateways that say what they take, who a client is not, and that a room is to be joined first.
@Suite struct LimitsTests: ClientSuite {
    private let welcome =
        #"{"type":"welcome","connectionId":"c1","nodeId":"n1","session":"s1","resumed":false,"heartbeat":30000,"#
        + #""timestamp":1,"positions":{"*":{"epoch":"e","seq":7}}"#

    private func joined(_ room: String, at seq: Int) -> Joined {
        Joined(
            room: RoomName(unchecked: room), position: Position(epoch: "e", seq: seq), recovered: true, roster: nil)
    }

    private func page(_ room: RoomName) -> HistoryPage {
        HistoryPage(room: room, head: Position(epoch: "e", seq: 0), messages: [], more: false)
    }

    @Test func `a guest is welcomed, without an inbox`() async throws {
        let gateway = try await FakeGateway.start()
        let client = try client(gateway)
        async let greeted = client.connect()
        let peer = try await gateway.accept()
        _ = try await peer.handshake()
        peer.text(welcome + "}")
        let told = try await greeted
        #expect(told.userId == nil && told.limits == nil)
        #expect(told.positions == ["*": position("e", 7)])
        _ = try await next(client)
        peer.message("8", in: "*", seq: 8)
        #expect(try await nextSeq(client) == 8)
        await client.close()
        await gateway.stop()
    }

    @Test func `a message without a number reaches the user and moves no position`() async throws {
        let gateway = try await FakeGateway.start()
        let client = try client(gateway)
        let peer = try await connect(client, gateway, joining: "r", at: 4)
        peer.text(
            #"{"type":"message","roomId":"r","userId":"v","msgType":1,"event":"typing","payload":{},"timestamp":5,"#
                + #""volatile":true}"#)
        peer.message("5", seq: 5)
        guard case .message(let typing) = try await next(client) else { throw Ended() }
        #expect(!typing.isStored && typing.position == position("e", 4))
        guard case .message(let stored) = try await next(client) else { throw Ended() }
        #expect(stored.isStored && stored.position == position("e", 5))
        #expect(client.position(of: "r") == position("e", 5))
        await client.close()
        await gateway.stop()
    }

    @Test func `a message that left this client out is not missing to it`() async throws {
        let gateway = try await FakeGateway.start()
        let client = try client(gateway)
        let peer = try await connect(client, gateway, joining: "r", at: 4)
        peer.text(#"{"type":"seen","roomId":"r","seq":5}"#)
        peer.message("6", seq: 6)
        guard case .message(let message) = try await next(client) else { throw Ended() }
        #expect(message.seq == 6)
        #expect(client.position(of: "r") == position("e", 6))
        await client.close()
        await gateway.stop()
    }

    @Test func `what is volatile is sent once, and not again after a break`() async throws {
        let gateway = try await FakeGateway.start()
        let client = try client(gateway)
        let peer = try await connect(client, gateway, joining: "r", at: 4)
        async let sent: Void = client.sendVolatile(Array("{}".utf8), to: "r", event: "typing", echo: false)
        let request = try await peer.request()
        guard case .message(let message) = request.command else { throw Ended() }
        #expect(message.isVolatile && !message.echo && message.dedupe == nil && message.event?.string == "typing")
        peer.send(.ack(id: request.id, room: message.room, published: Published(position: .unstored, timestamp: 9)))
        try await sent
        let lost = Task { try await client.sendVolatile(Array("{}".utf8), to: "r") }
        _ = try await peer.request()
        peer.drop()
        await #expect(throws: MartletClient.Failure.self) { try await lost.value }
        await #expect(throws: MartletClient.Failure.self) {
            try await client.sendVolatile(Array("{}".utf8), to: "r", event: String(repeating: "x", count: 201))
        }
        await client.close()
        await gateway.stop()
    }

    @Test func `what the gateway does not take is not sent to it`() async throws {
        let gateway = try await FakeGateway.start()
        let client = try client(gateway)
        async let greeted = client.connect()
        let peer = try await gateway.accept()
        _ = try await peer.handshake()
        peer.text(
            welcome + #","limits":{"messageBytes":1000,"messagesPerSecond":10,"messageBurst":20,"rooms":3,"watched":4,"#
                + #""later":5}}"#)
        let limits = try #require(try await greeted.limits)
        #expect((limits.messageBytes, limits.messagesPerSecond, limits.messageBurst) == (1000, 10, 20))
        #expect((limits.rooms, limits.watched) == (3, 4))
        await #expect(throws: MartletClient.Failure.self) {
            try await client.publish(Array(repeating: UInt8(ascii: "1"), count: 1000), to: "r")
        }
        let published = Task { try await client.publish(Array("2".utf8), to: "r") }
        guard case .message(let second) = try await peer.request().command, second.payload == Array("2".utf8) else {
            throw Ended()
        }
        await client.close()
        _ = await published.result
        await gateway.stop()
    }

    @Test func `what only those in a room may ask waits for its join`() async throws {
        let gateway = try await FakeGateway.start()
        let client = try client(gateway)
        var peer = try await connect(client, gateway)
        let joining = Task { try await client.join("r") }
        let join = try await peer.request()
        let reading = Task { try await client.history(of: "r") }
        while client.pendingRequests < 2 { await Task.yield() }
        async let pong = client.ping()
        let ping = try await peer.request()
        guard case .ping = ping.command else { throw Ended() }
        peer.send(.pong(id: ping.id))
        _ = try await pong
        peer.send(.joined(id: join.id, joined("r", at: 3)))
        _ = try await joining.value
        let history = try await peer.request()
        guard case .history(let room, _) = history.command else { throw Ended() }
        peer.send(.history(id: history.id, page: page(room)))
        #expect(try await reading.value.room == "r")

        // After a loss it waits for the room to be there again.
        peer.drop()
        peer = try await gateway.accept()
        try await peer.welcome()
        try await passReconnect(client)
        let again = try await peer.request()
        guard case .join(room, _?) = again.command else { throw Ended() }
        let rereading = Task { try await client.members(of: "r") }
        while client.pendingRequests < 2 { await Task.yield() }
        peer.send(.joined(id: again.id, joined("r", at: 3)))
        let members = try await peer.request()
        guard case .members = members.command else { throw Ended() }
        peer.send(
            .members(id: members.id, room: room, page: MemberPage(members: [], count: 0, rosterVersion: 1, next: nil)))
        #expect(try await rereading.value.members == [])
        await client.close()
        await gateway.stop()
    }

    @Test func `what waits for a join fails with it, and a room that nobody joins is asked at once`() async throws {
        let gateway = try await FakeGateway.start()
        let client = try client(gateway)
        let peer = try await connect(client, gateway)
        let joining = Task { try await client.join("r") }
        let join = try await peer.request()
        let reading = Task { try await client.history(of: "r") }
        while client.pendingRequests < 2 { await Task.yield() }
        peer.send(.error(id: join.id, error: RequestError(.forbidden, "no")))
        let refusal = MartletClient.Failure.refused(code: "forbidden", message: "no")
        await #expect(throws: refusal) { try await joining.value }
        await #expect(throws: refusal) { try await reading.value }
        let outside = Task { try await client.history(of: "r") }
        let history = try await peer.request()
        guard case .history = history.command else { throw Ended() }
        peer.send(.error(id: history.id, error: RequestError(.notMember, "join first")))
        await #expect(throws: MartletClient.Failure.refused(code: "not_member", message: "join first")) {
            try await outside.value
        }
        await client.close()
        await gateway.stop()
    }

    @Test func `a room is joined again when the gateway has said to`() async throws {
        let gateway = try await FakeGateway.start()
        let client = try client(gateway)
        var peer = try await connect(client, gateway, joining: "r", at: 1)
        peer.drop()
        peer = try await gateway.accept()
        try await peer.welcome()
        let join = try await peer.request()
        let start = ContinuousClock.now
        peer.send(.error(id: join.id, error: RequestError(.rateLimited, "slow down", retryAfterMilliseconds: 200)))
        guard case .join = try await peer.request().command else { throw Ended() }
        let waited = start.duration(to: .now)
        #expect(waited >= .milliseconds(200) && waited < .seconds(1))
        await client.close()
        await gateway.stop()
    }
}
