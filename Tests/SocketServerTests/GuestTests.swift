import GatewayCore
import SocketServer
import Testing

/// Clients without a user, of the gateway's own dialect.
@Suite("Guests on the client port")
struct GuestTests {
    private let news = RoomName(unchecked: "news")

    private func hub(
        _ metrics: CountingMetrics = CountingMetrics(),
        _ configure: (inout SocketServerConfiguration) -> Void = { _ in }
    ) -> EmbeddedHub {
        EmbeddedHub(metrics: metrics) { configuration in
            configuration.takesGuests = true
            var rule = RoomRule(
                pattern: RoomPattern("news").unsafelyUnwrapped, log: configuration.rules.defaultLog)
            rule.guestsMay = [.join, .history]
            configuration.rules.rules = [rule]
            configure(&configuration)
        }
    }

    private func guest(_ hub: EmbeddedHub, from peer: String = "127.0.0.1") throws -> EmbeddedSocket {
        let socket = try hub.upgrade("/ws", from: peer)
        let welcome = try #require(try socket.take().first)
        #expect(welcome.contains(#""type":"welcome""#) && welcome.contains(#""positions":{"*":"#))
        #expect(!welcome.contains("userId") && !welcome.contains("session"))
        return socket
    }

    private func join(_ socket: EmbeddedSocket, _ room: String = "news") throws -> String? {
        try socket.send(#"{"type":"join","id":1,"roomId":"\#(room)"}"#)
        return try socket.take().first
    }

    @Test func `a guest is greeted, registered as nobody, and hears an open room and everyone`() throws {
        let hub = hub()
        let socket = try guest(hub)
        #expect(hub.backend.told == ["visitor"])
        let joined = try #require(try join(socket))
        #expect(joined.hasPrefix(#"{"type":"joined","id":1,"roomId":"news""#) && !joined.contains("members"))
        #expect(hub.backend.told == ["visitor", "attend news"])
        hub.publish("news")
        hub.publish("*")
        #expect(try socket.takeMessages().map { $0.prefix(2) } == ["ne", "* "])
        try socket.channel.close().wait()
        hub.loop.run()
        #expect(hub.backend.told.last == "disconnect nobody abrupt lost")
    }

    @Test func `members come and go, and no guest is told`() throws {
        let hub = hub()
        let socket = try guest(hub)
        _ = try join(socket)
        let alice = try hub.enter("alice")
        try alice.send(#"{"type":"join","id":1,"roomId":"news"}"#)
        let bob = try hub.enter("bob")
        try bob.send(#"{"type":"join","id":1,"roomId":"news"}"#)
        hub.advance(.seconds(2))
        #expect(try socket.takeReplies() == [])
        #expect(try alice.takeReplies().contains { $0.contains(#""type":"presence""#) })
    }

    @Test func `a room that gets settings puts guests out and tells them nothing of these`() throws {
        let hub = hub()
        let socket = try guest(hub)
        _ = try join(socket)
        let alice = try hub.enter("alice")
        try alice.send(#"{"type":"join","id":1,"roomId":"news"}"#)
        _ = try alice.take()
        hub.backend.govern(news, RoomState(version: 7, settings: Array(#"{"title":"A"}"#.utf8)))
        hub.loop.run()
        #expect(try socket.take() == [#"{"type":"room","roomId":"news","event":"removed","version":7}"#])
        #expect(try alice.take().first?.contains(#""title":"A""#) == true)
        hub.publish("news")
        #expect(try socket.take() == [])
        #expect(try join(socket)?.contains("the room has settings") == true)
        try socket.send(#"{"type":"history","id":2,"roomId":"news"}"#)
        #expect(try socket.take().first?.contains(#""code":"not_member""#) == true)
    }

    @Test func `history from outside is read where there are no settings`() throws {
        let hub = hub { $0.rules.rules[0].outside = [.history] }
        hub.publish("news")
        let socket = try guest(hub)
        try socket.send(#"{"type":"history","id":1,"roomId":"news"}"#)
        #expect(try socket.take().first?.contains(#""messages":[{"#) == true)
        let alice = try hub.enter("alice")
        try alice.send(#"{"type":"join","id":1,"roomId":"news"}"#)
        hub.backend.govern(news, RoomState(version: 7, settings: Array(#"{"title":"A"}"#.utf8)))
        hub.loop.run()
        try socket.send(#"{"type":"history","id":2,"roomId":"news"}"#)
        #expect(try socket.take().first?.contains(#""code":"forbidden""#) == true)
    }

    @Test func `guests have a gauge of their own`() throws {
        let metrics = CountingMetrics()
        let hub = hub(metrics)
        let sockets = try (1...3).map { _ in try guest(hub) }
        let alice = try hub.enter("alice")
        hub.advance(.seconds(1))
        #expect(metrics["martlet_guests"] == 3 && metrics["martlet_connections"] == 4)
        try sockets[0].channel.close().wait()
        try alice.channel.close().wait()
        hub.advance(.seconds(1))
        #expect(metrics["martlet_guests"] == 2 && metrics["martlet_connections"] == 2)
    }

    @Test func `what guests of an address have spent is not theirs again with the next connection`() throws {
        let hub = hub { $0.budgets.stranger = Allowance(perSecond: .microseconds(10)) }
        let first = try guest(hub, from: "192.0.2.7")
        for id in 1...50 { try first.send(#"{"type":"history","id":\#(id),"roomId":"*","limit":1000}"#) }
        try first.channel.close().wait()
        hub.loop.run()
        let second = try guest(hub, from: "192.0.2.7")
        #expect(try join(second) == nil)
        let other = try guest(hub, from: "192.0.2.8")
        #expect(try join(other) != nil)
    }
}
