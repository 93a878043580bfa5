import GatewayCore
import Testing

/// What becomes of a room that is left, or closed to a visitor, before it is entered.
extension SessionVisitingTests {
    /// Past everything but the reading of the roster.
    private func approach(_ talk: SessionConversation, _ room: String) -> [String] {
        _ = talk.ask(1, subscribe(1, room, as: "alice"))
        _ = talk.enrolled(room)
        return talk.ready(room, members: 1)
    }

    private func putOut(_ talk: SessionConversation, of room: String) -> [String] {
        let state = RoomState(version: 3, settings: Array("{}".utf8))
        let change = RoomChange(room: SessionConversation.room(room), event: .removed, state: state)
        return talk.lines(talk.machine.putOut(change))
    }

    @Test func `rosters are read a few at a time, each of the others in its turn`() {
        var limits = SessionLimits()
        limits.maxReads = 2
        let talk = visitor(limits: limits)
        _ = talk.ask(1, signIn("alice"))
        _ = talk.registered()
        for room in ["presence-a", "presence-b"] {
            #expect(approach(talk, room) == ["enter \(room) kept", "roster \(room)"])
        }
        for room in ["presence-c", "presence-d", "presence-e"] {
            #expect(approach(talk, room) == ["enter \(room) kept"])
        }
        // Whoever has left meanwhile is not read for.
        #expect(talk.leave(2, "presence-c") == [])
        // Told once, since the protocol has one word for both.
        #expect(
            putOut(talk, of: "presence-d") == ["withdraw presence-d", "leave presence-d", "error 1 forbidden"])
        #expect(
            roster(talk, "presence-a") == [
                "joined 1 presence-a at 0", "release presence-a behind 9", "roster presence-c",
            ])
        #expect(
            roster(talk, "presence-c") == [
                "joined 1 presence-c at 0", "release presence-c behind 9", "withdraw presence-c", "leave presence-c",
                "roster presence-e",
            ])
        for room in ["presence-b", "presence-e"] {
            #expect(roster(talk, room) == ["joined 1 \(room) at 0", "release \(room) behind 9"])
        }
        #expect(approach(talk, "presence-f") == ["enter presence-f kept", "roster presence-f"])
    }

    @Test func `a roster that was read for an earlier subscription answers no later one`() {
        let talk = visitor()
        _ = talk.ask(1, signIn("alice"))
        _ = talk.registered()
        _ = approach(talk, "presence-a")
        #expect(
            putOut(talk, of: "presence-a") == ["withdraw presence-a", "leave presence-a", "error 1 forbidden"])
        #expect(talk.ask(1, subscribe(1, "presence-a", as: "alice")) == [#"enroll presence-a as alice {"n":1}"#])
        #expect(roster(talk, "presence-a") == [])
        _ = talk.enrolled("presence-a")
        #expect(talk.ready("presence-a", members: 1) == ["enter presence-a kept", "roster presence-a"])
        #expect(roster(talk, "presence-a") == ["joined 1 presence-a at 0", "release presence-a behind 9"])
    }

    @Test func `who unsubscribes while it is not known who it is does not stay in`() {
        let talk = visitor()
        #expect(talk.ask(1, subscribe(1, "presence-a", as: "alice")) == ["name alice"])
        #expect(talk.leave(2, "presence-a") == [])
        #expect(talk.registered() == [#"enroll presence-a as alice {"n":1}"#])
        _ = talk.enrolled("presence-a")
        _ = talk.ready("presence-a", members: 1)
        #expect(
            roster(talk, "presence-a") == [
                "joined 1 presence-a at 0", "release presence-a behind 9", "withdraw presence-a", "leave presence-a",
            ])
        #expect(!talk.isMember(of: "presence-a"))
    }

    @Test func `who is put out of a room is out, and may come again`() {
        let talk = visitor()
        enter(talk, "presence-a", as: "alice")
        #expect(
            putOut(talk, of: "presence-a") == ["removed presence-a 3", "withdraw presence-a", "leave presence-a"])
        #expect(putOut(talk, of: "presence-a") == [])
        #expect(talk.ask(2, subscribe(2, "presence-a", as: "alice")) == [#"enroll presence-a as alice {"n":1}"#])
    }

    @Test func `where settings hold, only who is on the roster enters`() {
        let talk = visitor()
        _ = talk.ask(1, subscribe(1, "private-a", signed: true))
        #expect(
            talk.ready("private-a", reading: RoomReading(role: .member)) == [
                "withdraw private-a", "leave private-a", "error 1 forbidden",
            ])
    }
}
