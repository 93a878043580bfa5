import GatewayCore
import NIOCore
import NIOEmbedded
import SocketServer
import Testing

/// What clients are told of each other.
@Suite
struct PresenceFramesTests {
    private func join(_ socket: EmbeddedSocket, _ room: String = "r") throws {
        try socket.send(#"{"type":"join","id":1,"roomId":"\#(room)"}"#)
    }

    private func presence(_ event: String, _ user: String, members: Int, version: Int) -> String {
        let info = event == "join" ? #","info":{}"# : ""
        return #"{"type":"presence","roomId":"r","events":[{"event":"\#(event)","userId":"\#(user)"\#(info)}],"#
            + #""members":\#(members),"rosterVersion":\#(version),"timestamp":1000}"#
    }

    @Test func `members are told who comes and goes, whoever comes is told how many there are, and nothing of itself`()
        throws
    {
        let embedded = EmbeddedHub()
        let alice = try embedded.enter("alice")
        try join(alice)
        _ = try alice.take()
        let bob = try embedded.enter("bob")
        try join(bob)
        #expect(try alice.take() == [presence("join", "bob", members: 2, version: 2)])
        let joined = try bob.take()
        #expect(joined.count == 1)
        #expect(joined.first?.hasSuffix(#""members":2,"rosterVersion":2}"#) == true)
        try bob.send(#"{"type":"leave","id":2,"roomId":"r"}"#)
        #expect(try alice.take() == [presence("leave", "bob", members: 1, version: 3)])
        #expect(try bob.take() == [#"{"type":"left","id":2,"roomId":"r"}"#])
    }

    @Test func `a change that names the receiver's own connection is not for it, though the rest of it is`() throws {
        let embedded = EmbeddedHub()
        let alice = try embedded.enter("alice")
        try join(alice)
        _ = try alice.take()
        let own = try #require(embedded.backend.connections(of: "alice").first)
        let events = [("alice", own), ("bob", nil)].map {
            RosterEvent(
                kind: .join, userId: UserID(unchecked: $0.0), info: Array("{}".utf8), connection: $0.1)
        }
        for events in [events, Array(events.prefix(1))] {
            let change = RosterChange(
                room: RoomName(unchecked: "r"), events: events, members: 2, version: 7, timestamp: 1000)
            embedded.backend.deliver([.presence(change)], to: 0)
        }
        embedded.loop.run()
        #expect(try alice.take() == [presence("join", "bob", members: 2, version: 7)])
    }

    @Test func `whoever may not know of presence is told nothing of it`() throws {
        let pattern = try #require(RoomPattern("r"))
        let rule = RoomRule(pattern: pattern, allow: [.join], log: LogLimits(size: 1, age: .seconds(1)))
        let embedded = EmbeddedHub { $0.rules = RoomRules(rules: [rule]) }
        let alice = try embedded.enter("alice")
        try join(alice)
        #expect(
            try alice.take() == [#"{"type":"joined","id":1,"roomId":"r","epoch":"e1","seq":0,"recovered":true}"#])
        let bob = try embedded.enter("bob")
        try join(bob)
        #expect(try alice.take() == [])
    }

    @Test func `in a large room the changes of a quarter of a second come in one frame`() throws {
        let embedded = EmbeddedHub { $0.presenceBundleAbove = 2 }
        let sockets = try ["a", "b", "c", "d", "e"].map { try embedded.enter($0) }
        for socket in sockets { try join(socket) }
        let early = try sockets.map { try $0.take() }
        // Up to the limit each change is told at once.
        #expect(early[0].count == 2)
        embedded.advance(.milliseconds(200))
        #expect(try sockets.allSatisfy { try $0.take().isEmpty })
        embedded.advance(.milliseconds(60))
        let frames = try sockets.map { try $0.take() }
        let join = { (user: String) in #"{"event":"join","userId":"\#(user)","info":{}}"# }
        let frame = { (users: [String]) in
            #"{"type":"presence","roomId":"r","events":[\#(users.map(join).joined(separator: ","))],"#
                + #""members":5,"rosterVersion":5,"timestamp":1000}"#
        }
        // Whoever entered in the meantime is told only of those after it.
        #expect(frames[0] == [frame(["c", "d", "e"])])
        #expect(frames[1] == [frame(["c", "d", "e"])])
        #expect(frames[2] == [frame(["d", "e"])])
        #expect(frames[3] == [frame(["e"])])
        #expect(frames[4] == [])
    }

    @Test func `users who come at once with much to tell of themselves are told in frames that any client can take`()
        throws
    {
        let embedded = EmbeddedHub { $0.presenceBundleAbove = 0 }
        let alice = try embedded.enter("alice")
        try join(alice)
        _ = try alice.take()
        let info = Array((#"{"about":""# + String(repeating: "x", count: 2000) + #""}"#).utf8)
        let changes = (2...500).map { number in
            let user = UserID(unchecked: "u\(number)")
            return StreamDelivery.presence(
                RosterChange(
                    room: RoomName(unchecked: "r"),
                    events: [RosterEvent(kind: .join, userId: user, info: info, connection: nil)], members: number,
                    version: Int64(number), timestamp: 1000))
        }
        embedded.backend.deliver(changes, to: 0)
        embedded.advance(.milliseconds(300))
        let frames = try alice.take()
        #expect(frames.count < 20)
        #expect(frames.allSatisfy { $0.utf8.count < 70_000 })
        #expect(frames.reduce(0) { $0 + $1.matches(of: /"event":"join"/).count } == 499)
    }

    @Test func `joining again tells the roster up to which everything has been told`() throws {
        let embedded = EmbeddedHub { $0.presenceBundleAbove = 0 }
        let alice = try embedded.enter("alice")
        try join(alice)
        _ = try alice.take()
        let bob = try embedded.enter("bob")
        try join(bob)
        try alice.send(#"{"type":"join","id":2,"roomId":"r"}"#)
        let frames = try alice.take()
        #expect(frames.first == presence("join", "bob", members: 2, version: 2))
        #expect(frames.last?.hasSuffix(#""members":2,"rosterVersion":2}"#) == true)
        embedded.advance(.milliseconds(300))
        #expect(try alice.take() == [])
    }

    @Test func `a member that asks for a replay is told what waited for it before, with nobody missing`() throws {
        let embedded = EmbeddedHub { $0.presenceBundleAbove = 0 }
        let alice = try embedded.enter("alice")
        try join(alice)
        _ = try alice.take()
        let bob = try embedded.enter("bob")
        try join(bob)
        try alice.send(#"{"type":"join","id":2,"roomId":"r","since":{"seq":0}}"#)
        let carol = try embedded.enter("carol")
        try join(carol)
        embedded.advance(.milliseconds(300))
        let frames = try alice.take()
        #expect(frames.count == 3)
        #expect(frames.first == presence("join", "bob", members: 2, version: 2))
        #expect(frames.last == presence("join", "carol", members: 3, version: 3))
    }

    @Test func `signals and changes reach each of many connections of one user, and the rest when some have gone`()
        throws
    {
        let embedded = EmbeddedHub()
        var sockets = try (0..<40).map { _ in try embedded.enter("alice") }
        for socket in sockets { try socket.send(#"{"type":"watch","users":["bob"]}"#) }
        for index in [39, 0, 20, 5] { try sockets.remove(at: min(index, sockets.count - 1)).channel.close().wait() }
        for socket in sockets { _ = try socket.take() }
        let bob = try embedded.enter("bob")
        embedded.publish("@alice")
        for socket in sockets {
            let frames = try socket.take()
            #expect(frames.count == 2)
            #expect(frames.contains(#"{"type":"status","userId":"bob","online":true,"timestamp":1000}"#))
        }
        for socket in sockets { try socket.channel.close().wait() }
        #expect(embedded.backend.calls.contains(.unwatch(UserID(unchecked: "bob"), hub: 0)))
        #expect(embedded.backend.calls.contains(.unfollow(RoomName(unchecked: "@alice"), hub: 0)))
        _ = try bob.take()
    }

    // MARK: Watching

    @Test func `watched users' states are told at once and as they change, until they are unwatched`() throws {
        let embedded = EmbeddedHub()
        let alice = try embedded.enter("alice")
        try alice.send(#"{"type":"watch","id":1,"users":["bob","alice"]}"#)
        let states = #"[{"userId":"bob","online":false,"lastSeen":900},{"userId":"alice","online":true}]"#
        #expect(try alice.take() == [#"{"type":"watching","id":1,"users":\#(states)}"#])
        let bob = try embedded.enter("bob")
        #expect(try alice.take() == [#"{"type":"status","userId":"bob","online":true,"timestamp":1000}"#])
        try alice.send(#"{"type":"unwatch","id":2,"users":["bob"]}"#)
        #expect(try alice.take() == [#"{"type":"watching","id":2,"users":[]}"#])
        #expect(embedded.backend.calls.last == .unwatch(UserID(unchecked: "bob"), hub: 0))
        try bob.channel.close().wait()
        embedded.loop.run()
        #expect(try alice.take() == [])
    }

    @Test func `where only those in the same room may be watched, the others are listed as forbidden`() async throws {
        try await TestServer.run({ $0.watchRight = .sameRoom }) { server in
            let alice = try await server.enter("alice")
            let bob = try await server.enter("bob")
            let carol = try await server.enter("carol")
            for client in [alice, bob] {
                try await client.send(#"{"type":"join","id":1,"roomId":"r"}"#)
                _ = try await client.text(containing: #""type":"joined""#)
            }
            try await carol.send(#"{"type":"join","id":1,"roomId":"s"}"#)
            _ = try await carol.text(containing: #""type":"joined""#)
            try await alice.send(#"{"type":"watch","id":2,"users":["carol","bob"]}"#)
            let answer = try await alice.text(containing: #""type":"watching""#)
            #expect(
                answer == #"{"type":"watching","id":2,"users":[{"userId":"bob","online":true},"#
                    + #"{"userId":"carol","code":"forbidden"}]}"#)
        }
    }

    @Test func `a user is let go when the last who watched has gone, and not before`() throws {
        let embedded = EmbeddedHub()
        let one = try embedded.enter("one")
        let two = try embedded.enter("two")
        for socket in [one, two] { try socket.send(#"{"type":"watch","users":["bob"]}"#) }
        try one.channel.close().wait()
        let unwatched = InMemoryBackend.Call.unwatch(UserID(unchecked: "bob"), hub: 0)
        #expect(!embedded.backend.calls.contains(unwatched))
        try two.channel.close().wait()
        #expect(embedded.backend.calls.contains(unwatched))
    }

    @Test func `a watcher that leaves before the answer leaves nothing behind, and a failed watch neither`() throws {
        let embedded = EmbeddedHub()
        let alice = try embedded.enter("alice")
        embedded.backend.goAway(true)
        try alice.send(#"{"type":"watch","id":1,"users":["bob"]}"#)
        #expect(try alice.take().first?.contains(#""id":1,"code":"unavailable""#) == true)
        #expect(embedded.backend.calls.last == .unwatch(UserID(unchecked: "bob"), hub: 0))
    }

    // MARK: Signals

    @Test func `a signal reaches all connections of the other that are in the room, and no others`() throws {
        let embedded = EmbeddedHub()
        let alice = try embedded.enter("alice")
        let inside = try embedded.enter("bob")
        let also = try embedded.enter("bob")
        let outside = try embedded.enter("bob")
        for socket in [alice, inside, also] {
            try join(socket)
            _ = try socket.take()
        }
        for socket in [alice, inside] { _ = try socket.take() }
        try alice.send(#"{"type":"signal","id":7,"to":"bob","roomId":"r","payload":{"sdp" : 1}}"#)
        #expect(try alice.take() == [#"{"type":"ack","id":7}"#])
        let signal = #"{"type":"signal","roomId":"r","from":"alice","payload":{"sdp" : 1}}"#
        #expect(try inside.take() == [signal])
        #expect(try also.take() == [signal])
        #expect(try outside.take() == [])
        try alice.send(#"{"type":"signal","id":8,"to":"carol","roomId":"r","payload":1}"#)
        #expect(try alice.take().first?.contains(#""id":8,"code":"not_found""#) == true)
    }

    @Test
    func `a signal reaches who has come back and not said where it stands, and who is on the roster and not answered`()
        throws
    {
        let embedded = EmbeddedHub()
        let alice = try embedded.enter("alice")
        let bob = try embedded.enter("bob")
        for socket in [alice, bob] { try join(socket) }
        try bob.channel.close().wait()
        let back = try embedded.upgrade("/ws?userId=bob&session=s2")
        let carol = try embedded.enter("carol")
        embedded.backend.hold(true)
        try join(carol)
        for socket in [alice, back, carol] { _ = try socket.take() }
        let signal = #"{"type":"signal","roomId":"r","from":"alice","payload":1}"#
        func call(_ user: String, _ receiver: EmbeddedSocket) throws {
            try alice.send(#"{"type":"signal","id":7,"to":"\#(user)","roomId":"r","payload":1}"#)
            #expect(try alice.take() == [#"{"type":"ack","id":7}"#])
            #expect(try receiver.take() == [signal])
        }
        try call("bob", back)
        try back.send(#"{"type":"resume","since":{}}"#)
        try call("bob", back)
        try call("carol", carol)
    }
}

@Suite(.timeLimit(.minutes(1)))
struct MembersTests {
    @Test func `members come in pages`() async throws {
        try await TestServer.run { server in
            let clients = [try await server.enter("alice"), try await server.enter("bob")]
            for client in clients { try await client.send(#"{"type":"join","id":1,"roomId":"r"}"#) }
            for client in clients { _ = try await client.text(containing: #""type":"joined""#) }
            let alice = clients[0]
            try await alice.send(#"{"type":"members","id":2,"roomId":"r","limit":1}"#)
            let first = try await alice.text(containing: #""type":"members""#)
            #expect(
                first.hasPrefix(
                    #"{"type":"members","id":2,"roomId":"r","members":[{"userId":"alice","info":{},"connections":1}],"#)
            )
            #expect(first.contains(#""count":2,"rosterVersion":2,"next":"1""#))
            let rest = try await alice.ask(#"{"type":"members","id":3,"roomId":"r","cursor":"1"}"#)
            #expect(rest.contains(#""members":[{"userId":"bob","info":{},"connections":1}]"#))
            #expect(!rest.contains("next"))
            let bad = try await alice.ask(#"{"type":"members","id":4,"roomId":"r","cursor":"x"}"#)
            #expect(bad.contains(#""id":4,"code":"bad_request""#))
        }
    }
}
