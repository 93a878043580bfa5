import GatewayCore
import MartletClient
import Testing

/// Rooms that somebody holds.
@Suite struct RoomTests: ClientSuite {
    private let room = RoomName(unchecked: "r")

    private func acceptLeave(_ peer: Peer) async throws {
        let request = try await peer.request()
        guard case .leave(room) = request.command else { throw Ended() }
        peer.send(.left(id: request.id, room: room))
    }

    private func sendMembers(_ users: [String], version: Int64, to peer: Peer) async throws {
        let request = try await peer.request()
        guard case .members(room, 1000, nil) = request.command else { throw Ended() }
        let members = users.map {
            Member(userId: UserID(unchecked: $0), info: Array("{}".utf8), connections: 1)
        }
        peer.send(
            .members(
                id: request.id, room: room,
                page: MemberPage(members: members, count: users.count, rosterVersion: version, next: nil)))
    }

    @Test func `a room that is asked for without a connection is joined with each, where it was`() async throws {
        let gateway = try await FakeGateway.start()
        let client = try client(gateway)
        let held = try client.room("r")
        #expect(held.state == .joining && held.position == nil)
        var messages = held.messages.makeAsyncIterator()
        var peer = try await connect(client, gateway)
        #expect(try await peer.acceptJoin(of: "r", at: 4) == nil)
        try await held.joined()
        #expect(held.state == .joined && held.position == position("e", 4))
        peer.message("5", seq: 5)
        guard case .message(let five) = await messages.next() else { throw Ended() }
        #expect(five.position == position("e", 5))
        peer.drop()
        peer = try await gateway.accept()
        try await peer.welcome()
        #expect(try await peer.acceptJoin(of: "r", at: 7) == ClientPosition(epoch: "e", seq: 5))
        for seq in 6...7 { peer.message("\(seq)", seq: seq) }
        for seq in 6...7 {
            guard case .message(let message) = await messages.next() else { throw Ended() }
            #expect(message.seq == seq)
        }
        peer.drop()
        peer = try await gateway.accept()
        try await peer.welcome()
        try await peer.acceptJoin(of: "r", at: 1, recovered: false, epoch: "f")
        #expect(await messages.next() == .gap(after: position("f", 1)))
        await client.close()
        #expect(await messages.next() == nil)
        #expect(held.state == .refused(.closed))
        await gateway.stop()
    }

    @Test func `a room begins where it is said to, once`() async throws {
        let gateway = try await FakeGateway.start()
        let client = try client(gateway)
        let held = try client.room("r", since: position("e", 2))
        var peer = try await connect(client, gateway)
        #expect(try await peer.acceptJoin(of: "r", at: 3) == ClientPosition(epoch: "e", seq: 2))
        var messages = held.messages.makeAsyncIterator()
        peer.message("3", seq: 3)
        guard case .message = await messages.next() else { throw Ended() }
        peer.drop()
        peer = try await gateway.accept()
        try await peer.welcome()
        #expect(try await peer.acceptJoin(of: "r", at: 3) == ClientPosition(epoch: "e", seq: 3))
        #expect(throws: MartletClient.Failure.invalid("room: not the name of a room")) { try client.room("a b") }
        await client.close()
        await gateway.stop()
    }

    @Test func `each reader gets everything from where it began, and one who falls behind is told so`() async throws {
        let gateway = try await FakeGateway.start()
        let client = try client(gateway) { $0.readerLimit = 10 }
        let peer = try await connect(client, gateway)
        let held = try client.room("r")
        try await peer.acceptJoin(of: "r", at: 0)
        try await held.joined()
        let slow = held.messages
        let quick = Task { [messages = held.messages] in
            var seqs: [Int] = []
            for await case .message(let message) in messages {
                seqs.append(message.seq)
                if message.seq == 8 { return seqs }
            }
            return seqs
        }
        for seq in 1...8 { peer.message("\(seq)", seq: seq) }
        #expect(await quick.value == Array(1...8))
        for seq in 9...25 { peer.message("\(seq)", seq: seq) }
        async let pong = client.ping()
        peer.send(.pong(id: try await peer.request().id))
        _ = try await pong
        var late = slow.makeAsyncIterator()
        #expect(await late.next() == .gap(after: position("e", 15)))
        for seq in 16...25 {
            guard case .message(let message) = await late.next() else { throw Ended() }
            #expect(message.seq == seq)
        }
        await client.close()
        #expect(await late.next() == nil)
        await gateway.stop()
    }

    @Test func `the list of members is read once and kept, and read again after an outage`() async throws {
        let gateway = try await FakeGateway.start()
        let client = try client(gateway)
        let held = try client.room("r")
        var members = held.members.makeAsyncIterator()
        var changes = held.presence.makeAsyncIterator()
        var peer = try await connect(client, gateway)
        try await peer.acceptJoin(of: "r", at: 0)
        try await sendMembers(["b", "a"], version: 9, to: peer)
        #expect(await members.next()?.map(\.userId) == ["a", "b"])
        let join = RosterEvent(
            kind: .join, userId: UserID(unchecked: "c"), info: Array("{}".utf8), connection: nil)
        peer.send(.presence(RosterChange(room: room, events: [join], members: 3, version: 10, timestamp: 5)))
        #expect(await members.next()?.map(\.userId) == ["a", "b", "c"])
        guard case .presence(let change) = await changes.next() else { throw Ended() }
        #expect(change.steps == [.join(userId: "c", info: Array("{}".utf8))])
        // Known already, so without a request.
        var others = held.members.makeAsyncIterator()
        #expect(await others.next()?.map(\.userId) == ["a", "b", "c"])
        peer.drop()
        peer = try await gateway.accept()
        try await peer.welcome()
        try await peer.acceptJoin(of: "r", at: 0)
        #expect(await changes.next() == .gap)
        let refused = try await peer.request()
        peer.send(.error(id: refused.id, error: RequestError(.rateLimited, "slow down", retryAfterMilliseconds: 1)))
        try await sendMembers(["c"], version: 12, to: peer)
        #expect(await members.next()?.map(\.userId) == ["c"])
        #expect(await others.next()?.map(\.userId) == ["c"])
        // A reader of none keeps the list going for nobody.
        await client.close()
        await gateway.stop()
    }

    @Test func `a room whose last messages never came goes on without a gap`() async throws {
        let gateway = try await FakeGateway.start()
        let client = try client(gateway)
        var peer = try await connect(client, gateway)
        let held = try client.room("r", last: 20)
        #expect(try await peer.acceptJoin(of: "r", at: 30) == .last(20))
        try await held.joined()
        var messages = held.messages.makeAsyncIterator()
        peer.drop()
        peer = try await gateway.accept()
        try await peer.welcome()
        #expect(try await peer.acceptJoin(of: "r", at: 30, recovered: false)?.seq == 10)
        #expect(try await peer.acceptJoin(of: "r", at: 30)?.seq == 30)
        peer.message("31", seq: 31)
        guard case .message(let message)? = await messages.next() else { throw Ended() }
        #expect(message.payload == Array("31".utf8))
        await client.close()
        await gateway.stop()
    }

    @Test func `the last handle leaves the room, and a later one begins at its head`() async throws {
        let gateway = try await FakeGateway.start()
        let client = try client(gateway)
        let peer = try await connect(client, gateway)
        var first: MartletClient.Room? = try client.room("r")
        try await peer.acceptJoin(of: "r", at: 3)
        try await first?.joined()
        let second = try client.room("r")
        #expect(second.state == .joined)
        let messages = second.messages
        first = nil
        peer.message("4", seq: 4)
        var iterator = messages.makeAsyncIterator()
        guard case .message = await iterator.next() else { throw Ended() }
        let leaving = Task { await second.leave() }
        try await acceptLeave(peer)
        await leaving.value
        #expect(await iterator.next() == nil)
        #expect(second.state == .refused(.closed))
        await #expect(throws: MartletClient.Failure.closed) { try await second.publish(Array("1".utf8)) }

        var third: MartletClient.Room? = try client.room("r")
        #expect(try await peer.acceptJoin(of: "r", at: 9) == nil)
        try await third?.joined()
        third = nil
        try await acceptLeave(peer)
        await client.close()
        await gateway.stop()
    }

    @Test func `a room held again at once is not left, and one held again while it is being left comes back`()
        async throws
    {
        let gateway = try await FakeGateway.start()
        let client = try client(gateway)
        let peer = try await connect(client, gateway)
        let first = try client.room("r")
        try await peer.acceptJoin(of: "r", at: 3)
        try await first.joined()
        let leaving = Task { await first.leave() }
        let request = try await peer.request()
        guard case .leave = request.command else { throw Ended() }
        let again = try client.room("r")
        #expect(again.state == .joining)
        peer.send(.left(id: request.id, room: room))
        #expect(try await peer.acceptJoin(of: "r", at: 5) == nil)
        await leaving.value
        try await again.joined()
        await client.close()
        await gateway.stop()
    }

    @Test func `a refused room says why, ends what reads it, and is asked for with the next connection`() async throws {
        let gateway = try await FakeGateway.start()
        let client = try client(gateway)
        var peer = try await connect(client, gateway)
        let held = try client.room("r")
        let messages = held.messages
        let waiting = Task { try await held.publish(Array("1".utf8)) }
        let join = try await peer.request()
        while client.pendingRequests < 2 { await Task.yield() }
        peer.send(.error(id: join.id, error: RequestError(.forbidden, "no")))
        let refusal = MartletClient.Failure.refused(code: "forbidden", message: "no")
        await #expect(throws: refusal) { try await held.joined() }
        await #expect(throws: refusal) { try await waiting.value }
        #expect(held.state == .refused(refusal))
        var iterator = messages.makeAsyncIterator()
        #expect(await iterator.next() == nil)
        peer.drop()
        peer = try await gateway.accept()
        try await peer.welcome()
        try await peer.acceptJoin(of: "r", at: 1)
        try await held.joined()
        iterator = held.messages.makeAsyncIterator()
        peer.text(#"{"type":"left","roomId":"r"}"#)
        #expect(await iterator.next() == nil)
        #expect(held.state == .refused(.refused(code: "forbidden", message: "no longer allowed")))
        await client.close()
        await gateway.stop()
    }

    @Test func `a room that was closed is given up for that reason, and settings alone change nothing`() async throws {
        let gateway = try await FakeGateway.start()
        let client = try client(gateway)
        let held = try client.room("r")
        let peer = try await connect(client, gateway)
        try await peer.acceptJoin(of: "r", at: 1)
        try await held.joined()
        var iterator = held.messages.makeAsyncIterator()
        peer.text(#"{"type":"room","roomId":"r","event":"updated","version":8,"settings":{"locked":true}}"#)
        peer.text(#"{"type":"room","roomId":"r","event":"closed","version":9}"#)
        #expect(await iterator.next() == nil)
        #expect(held.state == .refused(.refused(code: "closed", message: "the room was closed")))
        await client.close()
        await gateway.stop()
    }

    @Test func `what is published into a room before it is there waits for it, and nothing is kept that nobody reads`()
        async throws
    {
        let gateway = try await FakeGateway.start()
        let client = try client(gateway)
        let held = try client.room("r")
        await #expect(throws: MartletClient.Failure.notConnected) { try await held.publish(Array("0".utf8)) }
        let peer = try await connect(client, gateway)
        let waiting = Task { try await held.publish(encoding: ["n": 1]) }
        while client.pendingRequests < 2 { await Task.yield() }
        try await peer.acceptJoin(of: "r", at: 0)
        let request = try await peer.request()
        guard case .message(let sent) = request.command, sent.payload == Array(#"{"n":1}"#.utf8) else { throw Ended() }
        peer.message(#"{"n":1}"#, seq: 1)
        peer.send(
            .ack(id: request.id, room: room, published: Published(position: Position(epoch: "", seq: 1), timestamp: 9)))
        #expect(try await waiting.value.seq == 1)
        // It was over before anybody read.
        var messages = held.messages.makeAsyncIterator()
        peer.message("2", seq: 2)
        guard case .message(let second) = await messages.next() else { throw Ended() }
        #expect(second.seq == 2)
        await client.close()
        await gateway.stop()
    }

    @Test func `payloads come as values, and what is none comes as it is`() async throws {
        struct Line: Codable, Equatable, Sendable { var text: String }
        let gateway = try await FakeGateway.start()
        let client = try client(gateway)
        let peer = try await connect(client, gateway)
        let held = try client.room("r")
        var lines = held.messages(as: Line.self).makeAsyncIterator()
        try await peer.acceptJoin(of: "r", at: 0)
        peer.message(#"{"text":"é","more":1}"#, seq: 1)
        peer.message("7", seq: 2)
        peer.message(#"{"text":"3"}"#, seq: 4)
        guard case .value(Line(text: "é"), let first)? = await lines.next(isolation: nil) else { throw Ended() }
        #expect(first.seq == 1)
        #expect(try first.decode(Line.self) == Line(text: "é"))
        guard case .unreadable(let second, .invalid)? = await lines.next(isolation: nil) else { throw Ended() }
        #expect(second.payload == Array("7".utf8))
        guard case .gap(position("e", 3))? = await lines.next(isolation: nil) else { throw Ended() }
        guard case .value(Line(text: "3"), _)? = await lines.next(isolation: nil) else { throw Ended() }
        let member = MartletClient.Member(userId: "u", info: Array(#"{"text":"hat"}"#.utf8), connections: 1)
        #expect(try member.decodeInfo() == Line(text: "hat"))
        await client.close()
        await gateway.stop()
    }
}
