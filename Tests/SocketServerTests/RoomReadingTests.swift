import GatewayCore
import Testing

/// What roles let clients read, as a hub decides it.
@Suite("Roles that may not read")
struct RoomReadingTests {
    private let room = RoomName(unchecked: "r")
    private let alice = UserID(unchecked: "alice")

    /// Members may read neither; alice is a speaker, who may read both, where that is said.
    private func state(_ version: Int64, speaks: Bool = false, opens: Bool = false) -> RoomState {
        let text = opens ? "{}" : #"{"roles":{"member":["join","publish"]}}"#
        let roles = speaks ? [alice: RoleName(unchecked: "speaker")] : [:]
        return RoomState(version: version, settings: Array(text.utf8), roles: roles)
    }

    private func ask(_ socket: EmbeddedSocket, _ frame: String) throws -> String {
        try socket.send("{\(frame)}")
        socket.channel.embeddedEventLoop.run()
        return try socket.takeReplies().last ?? ""
    }

    @Test func `a page of history or members is a right of the role where the room is followed`() throws {
        let embedded = EmbeddedHub()
        embedded.publish("r")
        embedded.backend.govern(room, state(7))
        let alice = try embedded.enter("alice")
        let joined = try ask(alice, #""type":"join","id":1,"roomId":"r""#)
        #expect(!joined.contains("rosterVersion") && joined.hasSuffix(#""role":"member"}"#))
        for type in ["history", "members"] {
            let refused = try ask(alice, #""type":"\#(type)","id":2,"roomId":"r""#)
            #expect(refused.contains(#""code":"forbidden","message":"the role in the room does not allow it""#))
        }
        embedded.backend.govern(room, state(8, speaks: true))
        embedded.loop.run()
        _ = try alice.take()
        #expect(try ask(alice, #""type":"history","id":3,"roomId":"r""#).contains(#""messages":[{"#))
    }

    @Test func `who is not in the room reads no more from outside than the role there may`() throws {
        let pattern = try #require(RoomPattern("r"))
        let rule = RoomRule(
            pattern: pattern, outside: [.history, .presence], log: LogLimits(size: 10, age: .seconds(60)))
        let embedded = EmbeddedHub { $0.rules = RoomRules(rules: [rule]) }
        embedded.publish("r")
        let alice = try embedded.enter("alice")
        #expect(try ask(alice, #""type":"history","id":1,"roomId":"r""#).contains(#""messages":[{"#))
        embedded.backend.answerReadings(RoomReading(role: .member, history: false, presence: true))
        #expect(try ask(alice, #""type":"history","id":2,"roomId":"r""#).contains(#""code":"forbidden""#))
        embedded.backend.answerReadings(RoomReading(role: .member, history: true, presence: false))
        #expect(try ask(alice, #""type":"members","id":4,"roomId":"r""#).contains(#""code":"forbidden""#))
        // An inbox has no roles.
        #expect(try ask(alice, #""type":"history","id":5,"roomId":"@alice""#).contains(#""type":"history","id":5"#))
    }

    @Test func `who comes and goes is told those whose role may know it, from when it may`() throws {
        let embedded = EmbeddedHub()
        embedded.backend.govern(room, state(7, speaks: true))
        let sockets = try ["alice", "bob"].map { try embedded.enter($0) }
        #expect(try ask(sockets[0], #""type":"join","id":1,"roomId":"r""#).contains("rosterVersion"))
        #expect(!(try ask(sockets[1], #""type":"join","id":1,"roomId":"r""#).contains("rosterVersion")))
        _ = try sockets.map { try $0.take() }
        func step(_ version: Int64) -> RosterChange {
            let event = RosterEvent(
                kind: .join, userId: UserID(unchecked: "u\(version)"), info: Array("{}".utf8), connection: nil)
            return RosterChange(room: room, events: [event], members: 3, version: version, timestamp: 1)
        }
        func told(_ change: RosterChange) throws -> [Int] {
            embedded.backend.deliver([.presence(change)], to: 0)
            embedded.loop.run()
            return try sockets.map { socket in try socket.take().count { $0.contains(#""type":"presence""#) } }
        }
        let version: Int64 = 100
        #expect(try told(step(version + 1)) == [1, 0])
        // With another role, and with other rights, bob learns that there is a roster; alice knew.
        embedded.backend.govern(room, state(8, speaks: true, opens: true))
        embedded.loop.run()
        #expect(
            try sockets.map { socket in try socket.take().count { $0.contains(#""events":[],"members":3"#) } }
                == [0, 1])
        #expect(try told(step(version + 2)) == [1, 1])
        embedded.backend.govern(room, state(9, speaks: true))
        embedded.loop.run()
        _ = try sockets.map { try $0.take() }
        #expect(try told(step(version + 3)) == [1, 0])
    }

    @Test func `who may not know who is in a room finds nobody to watch there`() async throws {
        try await TestServer.run({ $0.watchRight = .sameRoom }) { server in
            server.backend.govern(room, state(7, speaks: true))
            let clients = [try await server.enter("alice"), try await server.enter("bob")]
            for client in clients {
                try await client.send(#"{"type":"join","id":1,"roomId":"r"}"#)
                _ = try await client.text(containing: #""type":"joined""#)
            }
            try await clients[0].send(#"{"type":"watch","id":2,"users":["bob"]}"#)
            let seen = try await clients[0].text(containing: #""type":"watching""#)
            #expect(seen == #"{"type":"watching","id":2,"users":[{"userId":"bob","online":true}]}"#)
            try await clients[1].send(#"{"type":"watch","id":2,"users":["alice"]}"#)
            let refused = try await clients[1].text(containing: #""type":"watching""#)
            #expect(refused == #"{"type":"watching","id":2,"users":[{"userId":"alice","code":"forbidden"}]}"#)
            // In another room that shows who is there.
            for client in clients {
                try await client.send(#"{"type":"join","id":3,"roomId":"s"}"#)
                _ = try await client.text(containing: #""type":"joined","id":3"#)
            }
            try await clients[1].send(#"{"type":"watch","id":4,"users":["alice"]}"#)
            let other = try await clients[1].text(containing: #""type":"watching","id":4"#)
            #expect(other.contains(#"{"userId":"alice","online":true}"#))
        }
    }

    @Test func `a role that changed while the node heard nothing is told its user`() throws {
        let embedded = EmbeddedHub()
        embedded.backend.govern(room, state(7))
        let sockets = try ["alice", "bob"].map { try embedded.enter($0) }
        for socket in sockets { _ = try ask(socket, #""type":"join","id":1,"roomId":"r""#) }
        for socket in sockets { _ = try socket.take() }
        // As the comparison with Redis finds it.
        embedded.backend.govern(room, state(9, speaks: true))
        embedded.loop.run()
        let role = #"{"type":"room","roomId":"r","event":"role","userId":"alice","role":"speaker","version":9}"#
        #expect(try sockets[0].take().filter { $0.contains(#""event":"role""#) } == [role])
        #expect(try sockets[1].take().count { $0.contains(#""event":"role""#) } == 0)
        // One that the channel has told, all were told of.
        var change = RoomChange(
            room: room, RoomPerson(user: alice, change: .role(.member)), state: state(10))
        change.state = state(10)
        embedded.backend.deliver([.room(change)], to: 0)
        embedded.loop.run()
        #expect(try sockets[0].take().count { $0.contains(#""event":"role""#) } == 1)
    }

    @Test func `to take a payload away goes with who asks, and answers the room's version`() throws {
        let embedded = EmbeddedHub()
        let alice = try embedded.enter("alice")
        #expect(try ask(alice, #""type":"redact","id":1,"roomId":"r","seq":4"#).contains("not_member"))
        _ = try ask(alice, #""type":"join","id":2,"roomId":"r""#)
        #expect(
            try ask(alice, #""type":"redact","id":3,"roomId":"r","seq":4,"epoch":"e""#)
                == #"{"type":"ack","id":3,"roomId":"r","version":7}"#)
        let order = try #require(embedded.backend.redactions.first)
        #expect(order.room == room && order.seq == 4 && order.epoch == "e" && order.author.user == self.alice)
        embedded.backend.answerOrders(.failure(.unknownMessage))
        #expect(try ask(alice, #""type":"redact","id":4,"roomId":"r","seq":9"#).contains(#""code":"not_found""#))
    }
}
