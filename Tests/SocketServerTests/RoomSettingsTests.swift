import GatewayCore
import Testing

/// What clients are told of rooms' settings.
@Suite("Clients in governed rooms")
struct RoomSettingsTests {
    private let room = RoomName(unchecked: "r")

    private func state(_ version: Int64, _ text: String = #"{"title":"A"}"#) -> RoomState {
        RoomState(version: version, settings: Array(text.utf8))
    }

    private func frame(_ version: Int64) -> String {
        #"{"type":"room","roomId":"r","event":"updated","version":\#(version),"settings":{"title":"A"}}"#
    }

    @Test func `whoever joins is told the settings, and members each change`() throws {
        let embedded = EmbeddedHub()
        let alice = try embedded.enter("alice")
        try alice.send(#"{"type":"join","id":1,"roomId":"r"}"#)
        #expect(try alice.take().first?.contains("settings") == false)
        embedded.backend.govern(room, state(7))
        embedded.loop.run()
        #expect(try alice.take() == [frame(7)])
        let bob = try embedded.enter("bob")
        try bob.send(#"{"type":"join","id":1,"roomId":"r"}"#)
        let told = #","version":7,"settings":{"title":"A"},"role":"member"}"#
        #expect(try bob.take().first?.hasSuffix(told) == true)
        // Joined again without a position, too.
        try bob.send(#"{"type":"join","id":2,"roomId":"r"}"#)
        #expect(try bob.take().first?.hasSuffix(told) == true)
    }

    @Test func `of a room that was closed everybody is out, and may join what is there then`() throws {
        let embedded = EmbeddedHub()
        let sockets = try ["alice", "bob"].map { try embedded.enter($0) }
        for socket in sockets { try socket.send(#"{"type":"join","id":1,"roomId":"r"}"#) }
        for socket in sockets { _ = try socket.take() }
        embedded.backend.govern(room, .closed(at: 8))
        embedded.loop.run()
        for socket in sockets {
            #expect(try socket.take() == [#"{"type":"room","roomId":"r","event":"closed","version":8}"#])
            try socket.send(#"{"type":"message","id":2,"roomId":"r","payload":1}"#)
            #expect(try socket.take().first?.contains("not_member") == true)
        }
        #expect(embedded.backend.calls.contains(.unfollow(room, hub: 0)))
        try sockets[0].send(#"{"type":"join","id":3,"roomId":"r"}"#)
        #expect(try sockets[0].take().first?.hasPrefix(#"{"type":"joined","id":3,"roomId":"r""#) == true)
    }

    @Test func `a client's order goes with who it is, and one that is put out hears why`() throws {
        let embedded = EmbeddedHub()
        let alice = try embedded.enter("alice")
        try alice.send(#"{"type":"join","id":1,"roomId":"r"}"#)
        _ = try alice.take()
        try alice.send(#"{"type":"mute","id":2,"roomId":"r","userId":"bob","until":1796000000000}"#)
        #expect(try alice.take() == [#"{"type":"ack","id":2,"roomId":"r","version":7}"#])
        let order = try #require(embedded.backend.orders.first)
        #expect(order.act == .mute(until: 1_796_000_000_000) && order.author?.user.string == "alice")
        let connection = try #require(order.author?.connection)
        embedded.backend.answerOrders(.failure(.denied(.right)))
        try alice.send(#"{"type":"ban","id":3,"roomId":"r","userId":"bob"}"#)
        #expect(try alice.take().first?.contains(#""code":"forbidden""#) == true)
        var change = RoomChange(room: room, event: .removed, state: RoomState.absent.next(8))
        change.reason = "enough"
        embedded.backend.tell(.putOut(connection: connection, change))
        embedded.loop.run()
        #expect(
            try alice.take() == [#"{"type":"room","roomId":"r","event":"removed","reason":"enough","version":8}"#])
        try alice.send(#"{"type":"message","id":4,"roomId":"r","payload":1}"#)
        #expect(try alice.take().first?.contains("not_member") == true)
    }

    @Test func `a user who is put in joins on each connection, and is told`() throws {
        let embedded = EmbeddedHub()
        let sockets = try ["alice", "alice", "bob"].map { try embedded.enter($0) }
        embedded.backend.tell(.invited(UserID(unchecked: "alice"), to: room))
        embedded.loop.run()
        for socket in sockets.dropLast() {
            #expect(try socket.take().first?.hasPrefix(#"{"type":"joined","roomId":"r""#) == true)
        }
        #expect(try sockets[2].take() == [])
    }

    @Test func `who is about to enter as the room is closed is refused`() throws {
        let embedded = EmbeddedHub()
        let alice = try embedded.enter("alice")
        let bob = try embedded.enter("bob")
        try bob.send(#"{"type":"join","id":1,"roomId":"r"}"#)
        _ = try bob.take()
        embedded.backend.hold(true)
        try alice.send(#"{"type":"join","id":1,"roomId":"r"}"#)
        _ = try bob.take()
        embedded.backend.govern(room, .closed(at: 8))
        embedded.loop.run()
        let told = try alice.take()
        #expect(told.first?.contains(#""event":"closed""#) == true)
        #expect(told.last?.contains(#""code":"forbidden""#) == true)
        embedded.backend.release()
        embedded.loop.run()
        #expect(try alice.take() == [])
    }
}
