import GatewayCore
import Testing

/// An app's clients: let in without a user, in rooms by the app's word.
@Suite("Visitors")
struct SessionVisitingTests {
    func visitor(
        rules: RoomRules = SessionVisitingTests.open(), limits: SessionLimits = SessionLimits()
    ) -> SessionConversation {
        let talk = SessionConversation(tokens: true, rules: rules, limits: limits)
        #expect(talk.open(.visitor) == ["admit"])
        return talk
    }

    static func open(_ patterns: String...) -> RoomRules {
        var rules = RoomRules()
        rules.openToVisitors = (patterns.isEmpty ? ["*"] : patterns).compactMap { RoomPattern($0) }
        return rules
    }

    func subscribe(
        _ id: Int, _ room: String, signed: Bool = false, as user: String? = nil, events: Bool = true,
        last: Bool = false
    ) -> ClientCommand {
        var subscription = Subscription(
            SessionConversation.room(room), isSigned: signed || user != nil,
            member: user.map { Identity(userId: UserID(unchecked: $0), info: Array(#"{"n":1}"#.utf8)) })
        subscription.takesEvents = events
        subscription.tellsLast = last
        return .subscribe(subscription)
    }

    func signIn(_ user: String, watching users: [String] = []) -> ClientCommand {
        .signIn(Identity(userId: UserID(unchecked: user)), watching: users.map { UserID(unchecked: $0) })
    }

    /// Past `subscribe`, in a room that it is shown in.
    func enter(_ talk: SessionConversation, _ room: String, as user: String) {
        if !talk.ask(1, subscribe(1, room, as: user)).contains(where: { $0.hasPrefix("enroll") }) {
            _ = talk.registered()
        }
        _ = talk.enrolled(room)
        _ = talk.ready(room, members: 1)
        _ = roster(talk, room)
    }

    func roster(_ talk: SessionConversation, _ room: String, id: Int = 1) -> [String] {
        let joined = Joined(
            room: SessionConversation.room(room), position: .unstored, recovered: true, roster: nil)
        let id = RequestID(json: Array(String(id).utf8))
        return talk.answered(.rosterRead(joined, id: id, result: .success(9)))
    }

    @Test func `it is no stranger, and in rooms that are open, on no roster`() {
        let talk = visitor()
        #expect(!talk.isStranger && talk.isVisitor)
        #expect(talk.ask(1, subscribe(1, "news")) == ["follow news"])
        #expect(talk.ready("news") == ["attend news", "joined 1 news at 7", "enter news"])
        #expect(talk.ask(2, subscribe(2, "news")) == ["error - conflict"])
        #expect(talk.leave(3, "news") == ["withdraw news", "leave news"])
        #expect(talk.leave(4, "news") == [])
    }

    @Test func `who only knows the key enters what the rules say, and what a backend has signed`() {
        let talk = visitor(rules: SessionVisitingTests.open("news.*"))
        #expect(talk.ask(1, subscribe(1, "lesson")) == ["error 1 forbidden"])
        #expect(talk.ask(2, subscribe(2, "news.a")) == ["follow news.a"])
        #expect(talk.ask(3, subscribe(3, "private-lesson", signed: true)) == ["follow private-lesson"])
        var rule = RoomRule(
            pattern: SessionVisitingTests.open("news.b").openToVisitors[0], log: LogLimits(size: 1, age: .seconds(1)))
        rule.guestsMay = [.history]
        var rules = SessionVisitingTests.open()
        rules.rules = [rule]
        #expect(visitor(rules: rules).ask(1, subscribe(1, "news.b")) == ["error 1 forbidden"])
    }

    @Test func `the first room that shows it says whose it is, and is entered once that is registered`() {
        let talk = visitor()
        #expect(talk.ask(1, subscribe(1, "presence-a", as: "alice")) == ["name alice"])
        #expect(talk.ask(2, subscribe(2, "presence-b", as: "bob")) == [])
        #expect(talk.registered() == [#"enroll presence-a as alice {"n":1}"#, #"enroll presence-b as bob {"n":1}"#])
        #expect(talk.enrolled("presence-a") == ["follow presence-a"])
        #expect(talk.ready("presence-a", members: 3) == ["enter presence-a kept", "roster presence-a"])
        #expect(roster(talk, "presence-a") == ["joined 1 presence-a at 0", "release presence-a behind 9"])
        #expect(talk.user == "alice")
        #expect(talk.leave(3, "presence-a") == ["withdraw presence-a", "leave presence-a"])
    }

    @Test func `who is not registered is closed`() {
        let talk = visitor()
        _ = talk.ask(1, subscribe(1, "presence-a", as: "alice"))
        #expect(talk.answered(.registered(result: .failure(.banned))) == ["close 4403 banned"])
    }

    @Test func `a user that signed in has an inbox, its own alone`() {
        let talk = visitor()
        #expect(talk.ask(1, subscribe(1, "@alice")) == ["error 1 unauthorized"])
        #expect(talk.ask(2, signIn("alice")) == ["name alice"])
        #expect(talk.ask(3, subscribe(3, "@alice")) == [])
        #expect(talk.registered() == ["authenticated 2 0", "follow @alice"])
        #expect(talk.ready("@alice") == ["joined 3 @alice at 7", "enter @alice"])
        #expect(talk.ask(4, subscribe(4, "@bob")) == ["error 4 unauthorized"])
        #expect(talk.ask(5, signIn("alice")) == ["authenticated 5 0"])
        #expect(talk.ask(6, signIn("bob")) == ["error - forbidden"])
        #expect(talk.end(.lost) == ["@alice", "abrupt lost"])
    }

    @Test func `a presence channel that names nobody shows who has signed in`() {
        func subscribe(_ room: String) -> ClientCommand {
            var subscription = Subscription(SessionConversation.room(room), isSigned: true)
            subscription.isShown = true
            return .subscribe(subscription)
        }
        let talk = visitor()
        #expect(talk.ask(1, subscribe("presence-a")) == ["error 1 bad_request"])
        let alice = Identity(userId: UserID(unchecked: "alice"), info: [0x31])
        #expect(talk.ask(2, .signIn(alice, watching: [])) == ["name alice"])
        #expect(talk.ask(3, subscribe("presence-a")) == [])
        #expect(talk.registered() == ["authenticated 2 0", "enroll presence-a as alice 1"])
        let other = visitor()
        enter(other, "presence-b", as: "bob")
        // Named by a room alone, and signed in by nobody.
        #expect(other.ask(4, subscribe("presence-c")) == ["error 4 bad_request"])
        _ = other.ask(5, signIn("bob"))
        #expect(other.ask(6, subscribe("presence-c")) == ["enroll presence-c as bob {}"])
    }

    @Test func `who signs in watches whom the backend has named`() {
        let talk = visitor()
        _ = talk.ask(1, signIn("alice", watching: ["bob", "carol"]))
        #expect(talk.registered() == ["authenticated 1 0", "watch - bob carol"])
        #expect(talk.end(.lost) == ["watched bob", "watched carol", "abrupt lost"])
    }

    @Test func `a full room and one without presence are refused, and left behind`() {
        let talk = visitor()
        _ = talk.ask(1, signIn("alice"))
        _ = talk.registered()
        #expect(talk.ask(2, subscribe(2, "presence-a", as: "alice")) == [#"enroll presence-a as alice {"n":1}"#])
        #expect(
            talk.answered(.enrolled(talk.enrollment(in: "presence-a"), result: .failure(.barred(.full))))
                == ["error 2 forbidden"])
        #expect(!talk.isMember(of: "presence-a"))
        var rules = SessionVisitingTests.open()
        rules.rules = [
            RoomRule(
                pattern: SessionVisitingTests.open("*").openToVisitors[0], presence: .off,
                log: LogLimits(size: 1, age: .seconds(1)))
        ]
        #expect(visitor(rules: rules).ask(1, subscribe(1, "presence-a", as: "alice")) == ["error 1 forbidden"])
    }

    @Test func `events go to rooms that it is in and may speak in, from whom it shows there, ten a second`() {
        let talk = visitor()
        func event(_ room: String) -> ClientCommand {
            .message(
                MessageCommand(room: SessionConversation.room(room), event: EventName("client-x"), payload: [0x31]))
        }
        #expect(talk.ask(1, event("private-a")) == ["error - not_member"])
        _ = talk.ask(2, subscribe(2, "private-a", signed: true))
        _ = talk.ready("private-a")
        #expect(talk.ask(3, event("private-a")) == ["publish - private-a by  named client-x but to itself unstored"])
        enter(talk, "presence-a", as: "alice")
        #expect(
            talk.ask(4, event("presence-a")) == [
                "publish - presence-a by alice named client-x but to itself unstored"
            ])
        _ = talk.ask(5, subscribe(5, "private-b", signed: true, events: false))
        _ = talk.ready("private-b")
        #expect(talk.ask(6, event("private-b")) == ["error - forbidden"])
        for _ in 0..<6 { _ = talk.ask(7, event("private-a")) }
        #expect(talk.ask(8, event("private-a")) == ["error - rate_limited"])
        _ = talk.wait(.milliseconds(100))
        #expect(talk.ask(9, event("private-a")).first?.hasPrefix("publish") == true)
    }

    @Test func `who wants the last message asks for one`() {
        let talk = visitor()
        #expect(talk.ask(1, subscribe(1, "cache-a", last: true)) == ["follow cache-a since -1"])
        #expect(
            talk.ready("cache-a", missed: [SessionConversation.message("cache-a", 7)]) == [
                "attend cache-a", "joined 1 cache-a at 7", "enter cache-a",
            ])
    }

    @Test func `that there is no last message is noted where somebody is to know it`() {
        var rules = SessionVisitingTests.open()
        rules.noted = [.roomMissed: [RoomPattern("cache-a*")].compactMap(\.self)]
        let talk = visitor(rules: rules)
        _ = talk.ask(1, subscribe(1, "cache-a", last: true))
        #expect(talk.ready("cache-a") == ["attend cache-a", "miss cache-a", "joined 1 cache-a at 7", "enter cache-a"])
        _ = talk.ask(2, subscribe(2, "cache-b", last: true))
        #expect(talk.ready("cache-b") == ["attend cache-b", "joined 2 cache-b at 7", "enter cache-b"])
        _ = talk.ask(3, subscribe(3, "cache-ab", last: true))
        let missed = [SessionConversation.message("cache-ab", 7)]
        #expect(
            talk.ready("cache-ab", missed: missed) == ["attend cache-ab", "joined 3 cache-ab at 7", "enter cache-ab"])
    }

    @Test func `a last message of half an hour ago is none`() {
        func last(at timestamp: Int64) -> Bool {
            var start = StreamStart(
                position: Position(epoch: "e", seq: 7), missed: [SessionConversation.message("r", 7)],
                timestamp: timestamp)
            start.settings = nil
            if case .message = LastMessage(of: start) { return true }
            return false
        }
        #expect(last(at: 5 + 1_800_000) && !last(at: 6 + 1_800_000))
    }

    @Test func `who is sent elsewhere is closed at its time`() {
        let talk = visitor()
        talk.goElsewhere(after: .seconds(2))
        #expect(talk.deadline(wall: 0) == talk.now + .seconds(2))
        #expect(talk.wait(.seconds(1)) == [])
        #expect(talk.wait(.seconds(1)) == ["close 1001 going away"])
        #expect(talk.end(.byGateway(.goingAway)) == ["abrupt drained"])
    }

    @Test func `refusals that it could read do not count as broken frames`() {
        let talk = visitor()
        for _ in 0..<20 { #expect(talk.malformed(isReadable: true) == ["error - bad_request"]) }
    }

    @Test func `with further apps their names are nobody's else`() {
        var rules = RoomRules()
        rules.fencesApps = true
        let talk = SessionConversation.live(rules: rules)
        #expect(talk.join(1, ":2:a") == ["error 1 forbidden"])
        #expect(talk.watch(2, ":2:bob") == ["error 2 forbidden"])
        let other = SessionConversation(rules: rules)
        #expect(
            other.open(.identity(SessionConversation.identity(":2:bob"))) == [
                "close 4401 userId: begins with a colon, as those of apps do"
            ])
        #expect(visitor(rules: rules).ask(1, subscribe(1, ":2:news")) == ["follow :2:news"])
        #expect(visitor(rules: rules).ask(1, subscribe(1, "news")) == ["error 1 forbidden"])
    }

    @Test func `where clients show tokens, rooms that a backend signs for are entered by a right that names them`() {
        var rules = RoomRules()
        rules.keepsSignedRooms = true
        let talk = SessionConversation.live(rules: rules)
        #expect(talk.join(1, "private-a") == ["error 1 forbidden"])
        #expect(talk.join(2, "lesson") == ["enroll lesson {}"])
        let pattern = SessionVisitingTests.open("private-*").openToVisitors[0]
        rules.rules = [RoomRule(pattern: pattern, log: LogLimits(size: 1, age: .seconds(1)))]
        #expect(SessionConversation.live(rules: rules).join(1, "private-a") == ["enroll private-a {}"])
        let all = SessionVisitingTests.open("*").openToVisitors[0]
        rules.rules = [RoomRule(pattern: all, log: LogLimits(size: 1, age: .seconds(1)))]
        #expect(SessionConversation.live(rules: rules).join(1, "private-a") == ["error 1 forbidden"])
        #expect(SessionConversation.live(rules: rules).join(2, "lesson") == ["enroll lesson {}"])
        let grants = RoomGrants([(pattern, [.join])])
        rules.rules = []
        #expect(SessionConversation.live(rules: rules, grants: grants).join(1, "private-a") == ["enroll private-a {}"])
    }
}
