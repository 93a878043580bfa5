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
        #expect(try bob.take().first?.hasSuffix(#","version":7,"settings":{"title":"A"}}"#) == true)
        // Joined again without a position, too.
        try bob.send(#"{"type":"join","id":2,"roomId":"r"}"#)
        #expect(try bob.take().first?.hasSuffix(#","version":7,"settings":{"title":"A"}}"#) == true)
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
