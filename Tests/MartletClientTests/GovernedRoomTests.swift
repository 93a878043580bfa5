import GatewayCore
import MartletClient
import Testing

/// What the client makes of governed rooms.
@Suite struct GovernedRoomTests: ClientSuite {
    private let room = RoomName(unchecked: "r")

    @Test func `a handle tells what changes, orders with the room's version as answer, and is given up when put out`()
        async throws
    {
        let gateway = try await FakeGateway.start()
        let client = try client(gateway)
        let held = try client.room("r")
        let peer = try await connect(client, gateway)
        try await peer.acceptJoin(of: "r", at: 1)
        try await held.joined()
        var changes = held.governing.makeAsyncIterator()
        peer.text(#"{"type":"room","roomId":"r","event":"updated","version":8,"settings":{"locked":true}}"#)
        let updated = try #require(await changes.next())
        #expect(updated.kind == .updated && updated.version == 8)
        #expect(updated.settings == Array(#"{"locked":true}"#.utf8))
        peer.text(#"{"type":"room","roomId":"r","event":"role","userId":"bob","role":"moderator","version":9}"#)
        #expect(await changes.next()?.kind == .role(user: "bob", role: "moderator"))

        let ordered = Task { try await held.order(.ban(until: 1_796_000_000_000, reason: "x"), "bob") }
        let request = try await peer.request()
        guard case .order(let order) = request.command else { throw Ended() }
        #expect(order == RoomOrder(.ban(until: 1_796_000_000_000), UserID(unchecked: "bob"), in: room, reason: "x"))
        peer.send(.ordered(id: request.id, room: room, version: 10))
        #expect(try await ordered.value == 10)
        await #expect(throws: MartletClient.Failure.invalid("role: not the name of a role")) {
            try await held.order(.role("a b"), "bob")
        }

        peer.text(#"{"type":"room","roomId":"r","event":"removed","reason":"enough","version":11}"#)
        #expect(await changes.next()?.kind == .removed(reason: "enough"))
        #expect(await changes.next() == nil)
        #expect(held.state == .refused(.refused(code: "removed", message: "enough")))
        await client.close()
        await gateway.stop()
    }

    @Test func `one's own role is told as the room goes on, and a payload is taken away by its number`() async throws {
        let gateway = try await FakeGateway.start()
        let client = try client(gateway)
        let peer = try await connect(client, gateway)
        let held = try client.room("r")
        try await peer.acceptJoin(of: "r", at: 1)
        try await held.joined()
        var changes = held.governing.makeAsyncIterator()
        peer.text(#"{"type":"room","roomId":"r","event":"updated","version":8,"settings":{},"role":"moderator"}"#)
        let updated = try #require(await changes.next())
        #expect(updated.kind == .updated && updated.ownRole == "moderator")
        let redacted = Task { try await held.redact(4, epoch: "e") }
        let request = try await peer.request()
        guard case .redact(room, 4, "e") = request.command else { throw Ended() }
        peer.send(.ordered(id: request.id, room: room, version: 8))
        #expect(try await redacted.value == 8)
        await #expect(throws: MartletClient.Failure.invalid("seq: must be 1 or more")) { try await held.redact(0) }
        await client.close()
        await gateway.stop()
    }

    @Test func `a room that a backend puts the user into is told`() async throws {
        let gateway = try await FakeGateway.start()
        let client = try client(gateway)
        var events = client.events.makeAsyncIterator()
        let peer = try await connect(client, gateway)
        peer.text(#"{"type":"joined","roomId":"new","epoch":"e","seq":3,"recovered":true}"#)
        var told: [MartletClient.Event] = []
        while told.last != .invited(room: "new"), let event = await events.next() { told.append(event) }
        #expect(told.last == .invited(room: "new"))
        await client.close()
        await gateway.stop()
    }
}
