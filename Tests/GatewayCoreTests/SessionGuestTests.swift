import GatewayCore
import Testing

/// Clients without a user, of the gateway's own dialect.
@Suite("Guests")
struct SessionGuestTests {
    private static func rules(_ entries: (pattern: String, may: Set<RoomAction>?)...) -> RoomRules {
        var rules = RoomRules()
        rules.rules = entries.compactMap { entry in
            guard let pattern = RoomPattern(entry.pattern) else { return nil }
            var rule = RoomRule(pattern: pattern, log: rules.defaultLog)
            rule.guestsMay = entry.may
            return rule
        }
        return rules
    }

    private static let open = rules(("news", [.join, .history]), ("ticker", [.join]), ("*", nil))

    private func guest(
        tokens: Bool = true, rules: RoomRules = SessionGuestTests.open, limits: SessionLimits = SessionLimits()
    ) -> SessionConversation {
        let talk = SessionConversation(tokens: tokens, guests: true, rules: rules, limits: limits)
        #expect(talk.open(.none) == ["admit guest", "follow *"])
        #expect(talk.ready("*", seq: 3) == ["greet", "enter *"])
        return talk
    }

    private func enter(_ talk: SessionConversation, _ room: String) {
        _ = talk.join(0, room)
        _ = talk.ready(room)
    }

    // MARK: The way in

    @Test func `who shows nothing is greeted as soon as the stream of everyone is there, and is no stranger`() {
        let talk = guest()
        #expect(talk.isGuest && talk.isLive && !talk.isStranger && !talk.isVisitor)
        #expect(talk.user == nil)
        #expect(talk.join(1, "*") == ["position 1 *"])
        #expect(talk.end(.lost) == ["*", "abrupt lost"])
        #expect(guest().end(.byClient(code: 1000)) == ["*", "farewell closed"])
        #expect(guest(tokens: false).isGuest)
    }

    @Test func `where guests are not let in a token is waited for as ever, and so it is where a session is named`() {
        let talk = SessionConversation(tokens: true, rules: Self.open)
        #expect(talk.open(.none) == [])
        #expect(talk.wait(.seconds(10)) == ["close 4401 no token came"])
        let back = SessionConversation(tokens: true, guests: true)
        #expect(back.open(.none, session: "s0") == [])
        #expect(back.auth(1, "t") == ["verify t"])
        let unnamed = SessionConversation(rules: Self.open)
        #expect(unnamed.open(.none) == ["close 4401 userId is missing"])
    }

    @Test func `while Redis is away a guest is greeted after two seconds, and told a gap of everyone's stream later`() {
        let talk = SessionConversation(tokens: true, guests: true)
        #expect(talk.open(.none) == ["admit guest", "follow *"])
        #expect(talk.failed("*") == ["follow * later"])
        #expect(talk.wait(.seconds(1)) == [])
        #expect(talk.wait(.seconds(1)) == ["greet"])
        #expect(talk.lines(talk.machine.retry(.everyone)) == ["follow *"])
        #expect(talk.ready("*", seq: 7) == ["gap * at 7", "enter * at 7 missed 0"])
    }

    @Test func `what comes before the greeting waits for it`() {
        let talk = SessionConversation(tokens: true, guests: true, rules: Self.open)
        _ = talk.open(.none)
        #expect(talk.join(1, "news") == [])
        #expect(talk.auth(2, "t") == [])
        #expect(talk.ready("*") == ["greet", "enter *", "follow news", "error 2 forbidden"])
    }

    // MARK: Tokens

    @Test func `a token in the first frame makes a user of it, as if it had come with the handshake`() {
        let talk = guest()
        #expect(talk.ping(1) == ["pong 1"])
        #expect(talk.auth(2, "t") == ["no guest", "leave *", "verify t"])
        #expect(!talk.isGuest && !talk.isStranger)
        #expect(talk.join(3, "news") == [])
        #expect(talk.verified(SessionConversation.identity()) == ["register"])
        #expect(talk.registered() == ["follow *", "follow @alice"])
        _ = talk.ready("@alice")
        #expect(
            talk.ready("*") == [
                "welcome 2 alice session s1 time 5", "enter *", "enter @alice", "enroll news {}",
            ])
        #expect(talk.user == "alice" && !talk.isGuest)
        #expect(talk.auth(4, "u") == ["verify u"])
    }

    @Test func `the same before it was greeted, however long that was before`() {
        let talk = SessionConversation(tokens: true, guests: true)
        _ = talk.open(.none)
        #expect(talk.auth(1, "t") == ["no guest", "leave *", "verify t"])
        #expect(talk.ready("*") == [])
        let late = guest()
        _ = late.wait(.seconds(3600))
        #expect(late.auth(1, "t") == ["no guest", "leave *", "verify t"])
        #expect(late.wait(.seconds(9)) == [])
        #expect(late.wait(.seconds(1)) == ["close 4503 unavailable"])
        #expect(late.end(.byGateway(.unavailable)) == ["abrupt lost"])
    }

    @Test func `a bad token closes, and a registry that does not take the user in is asked again`() {
        let bad = guest()
        _ = bad.auth(1, "t")
        #expect(bad.refused("bad signature") == ["close 4401 bad signature"])
        #expect(bad.end(.byGateway(.unauthorized)) == ["farewell closed"])
        let away = guest()
        _ = away.auth(1, "t")
        _ = away.verified(SessionConversation.identity())
        #expect(away.registrationFailed(.backend(.unavailable(reason: "secret"))) == ["register later"])
        #expect(away.lines(away.machine.retryRegistration()) == ["register"])
        #expect(away.registrationFailed(.banned) == ["close 4403 banned"])
    }

    @Test func `a ping asks for nothing: it is answered at once, and a token may come behind it`() {
        let talk = SessionConversation(tokens: true, guests: true)
        _ = talk.open(.none)
        #expect(talk.ping(1) == ["pong 1"])
        #expect(talk.auth(2, "t") == ["no guest", "leave *", "verify t"])
        let greeted = guest()
        #expect(greeted.ping(1) == ["pong 1"])
        #expect(greeted.auth(2, "t") == ["no guest", "leave *", "verify t"])
    }

    @Test func `a token is taken also where guests of its address have nothing left, and nothing else is`() {
        let talk = guest()
        func unpaid(_ command: ClientCommand) -> [String] {
            let request = ClientRequest(id: nil, command: command)
            return talk.lines(talk.machine.receivedUnpaid(request, retryAfter: .seconds(1), now: talk.now))
        }
        #expect(unpaid(.join(room: SessionConversation.room("news"), since: nil)) == ["error - rate_limited"])
        #expect(unpaid(.auth(token: "t")) == ["no guest", "leave *", "verify t"])
        #expect(unpaid(.auth(token: "t")) == ["error - rate_limited"])
    }

    @Test func `who has asked for something else stays a guest`() {
        let talk = guest()
        _ = talk.join(1, "secret")
        #expect(talk.auth(2, "t") == ["error 2 forbidden"])
        #expect(talk.isGuest)
        #expect(guest(tokens: false).auth(1, "t") == ["error 1 bad_request"])
    }

    // MARK: The backend's word

    @Test func `a backend that allows a client without naming anybody makes a guest of it`() throws {
        let talk = SessionConversation(tokens: true, checked: false, asking: true, guests: true, rules: Self.open)
        #expect(talk.open(.none) == [])
        #expect(talk.wait(.milliseconds(500)) == ["ask 1 about nobody"])
        #expect(talk.join(1, "news") == [])
        let grant = Grant(rooms: RoomGrants([(try #require(RoomPattern("*")), [.join, .publish])]))
        #expect(
            talk.ruled(1, .connect(nil, token: nil), .allowed(grant)) == ["admit guest", "follow *"])
        #expect(talk.wait(.milliseconds(1900)) == [])
        #expect(talk.ready("*") == ["greet", "enter *", "follow news"])
        #expect(talk.join(2, "secret") == ["error 2 forbidden"])
        #expect(talk.lines(talk.machine.mustAskAgain()) == [])
    }

    @Test func `not one that has shown a token, and none where guests are not let in`() {
        let shown = SessionConversation(tokens: true, checked: false, asking: true, guests: true)
        _ = shown.open(.token("t"))
        #expect(shown.ruled(1, .connect(nil, token: "t"), .allowed(Grant())) == ["close 4503 unavailable"])
        let off = SessionConversation(tokens: true, checked: false, asking: true)
        _ = off.open(.none)
        _ = off.wait(.milliseconds(500))
        #expect(off.ruled(1, .connect(nil, token: nil), .allowed(Grant())) == ["close 4503 unavailable"])
    }

    @Test func `a guest by the backend's word may still show a token`() {
        let talk = SessionConversation(tokens: true, checked: false, asking: true, guests: true)
        _ = talk.open(.none)
        _ = talk.wait(.milliseconds(500))
        _ = talk.ruled(1, .connect(nil, token: nil), .allowed(Grant()))
        _ = talk.ready("*")
        #expect(talk.auth(1, "t") == ["no guest", "leave *", "ask 2 about nobody with t"])
        let grant = Grant(userId: UserID(unchecked: "alice"))
        #expect(talk.ruled(2, .connect(nil, token: "t"), .allowed(grant)) == ["register"])
    }

    @Test func `it goes on with the session that it has named, should it show a token`() {
        let talk = SessionConversation(tokens: true, checked: false, asking: true, guests: true)
        _ = talk.open(.none, session: "s0")
        _ = talk.wait(.milliseconds(500))
        _ = talk.ruled(1, .connect(nil, token: nil), .allowed(Grant()))
        _ = talk.ready("*")
        #expect(talk.auth(1, "t") == ["no guest", "leave *", "ask 2 about nobody with t"])
        let grant = Grant(userId: UserID(unchecked: "alice"))
        #expect(talk.ruled(2, .connect(nil, token: "t"), .allowed(grant)) == ["register resuming s0"])
    }

    // MARK: Rights

    @Test func `it joins what a rule opens to guests, counted and on no roster, and nothing else`() {
        let talk = guest()
        #expect(talk.join(1, "news") == ["follow news"])
        #expect(
            talk.ready("news", members: 2) == [
                "attend news", "joined 1 news at 7", "enter news at 7 missed 0",
            ])
        #expect(!talk.seesPresence(in: "news"))
        #expect(talk.join(2, "secret") == ["error 2 forbidden"])
        #expect(talk.join(3, "@alice") == ["error 3 forbidden"])
        #expect(talk.join(4, "news") == ["position 4 news"])
        #expect(talk.join(5, "news", since: 5) == ["follow news since 5"])
        #expect(talk.ready("news") == ["joined 5 news at 7", "enter news at 7 missed 0"])
        #expect(talk.leave(6, "news") == ["withdraw news", "leave news", "left 6 news"])
    }

    @Test func `rooms without a roster are joined, and nobody is counted there`() {
        var rules = Self.open
        rules.rules[0].presence = .off
        let talk = guest(rules: rules)
        #expect(talk.join(1, "news") == ["follow news"])
        #expect(talk.ready("news") == ["joined 1 news at 7", "enter news at 7 missed 0"])
    }

    @Test func `the past is for those with history: others are told that they have lost it, where there was any`() {
        let talk = guest()
        let missed = [SessionConversation.message("ticker", 7)]
        #expect(talk.join(1, "ticker", since: 6) == ["follow ticker since 6"])
        #expect(talk.ready("ticker", missed: missed) == ["follow ticker"])
        #expect(
            talk.ready("ticker") == ["attend ticker", "joined 1 ticker at 7 lost", "enter ticker at 7 missed 0"])
        #expect(talk.join(2, "ticker", since: 7) == ["follow ticker since 7"])
        #expect(talk.ready("ticker") == ["joined 2 ticker at 7", "enter ticker at 7 missed 0"])
        #expect(talk.read(3, "ticker") == ["error 3 forbidden"])
        #expect(talk.join(4, "news", since: 6) == ["follow news since 6"])
        #expect(
            talk.ready("news", missed: [SessionConversation.message("news", 7)]) == [
                "attend news", "joined 4 news at 7", "enter news at 7 missed 1",
            ])
        #expect(talk.read(5, "news") == ["history 5 news"])
        #expect(talk.read(6, "*") == ["history 6 *"])
    }

    @Test func `history from outside is as the rule says`() {
        var rules = Self.open
        #expect(guest(rules: rules).read(1, "news") == ["error 1 not_member"])
        rules.rules[0].outside = [.history, .presence]
        let talk = guest(rules: rules)
        #expect(talk.read(1, "news") == ["history 1 news"])
        #expect(talk.members(2, "news") == ["error 2 forbidden"])
    }

    @Test func `all else is refused, in rooms that it is in as well`() {
        let talk = guest()
        enter(talk, "news")
        #expect(talk.say(1, "news") == ["error 1 forbidden"])
        #expect(talk.signal(2, "bob", "news") == ["error 2 forbidden"])
        #expect(talk.members(3, "news") == ["error 3 forbidden"])
        #expect(talk.watch(4, "bob") == ["error 4 forbidden"])
        #expect(talk.unwatch(5, "bob") == ["error 5 forbidden"])
        #expect(talk.ask(6, .state(.away)) == ["error 6 forbidden"])
        #expect(talk.ask(7, .turn) == ["error 7 forbidden"])
        #expect(talk.ask(8, .presence(room: nil, info: Array("{}".utf8))) == ["error 8 forbidden"])
        #expect(talk.resume(9) == ["error 9 conflict"])
        #expect(talk.lines(talk.machine.invited(to: SessionConversation.room("secret"))) == [])
    }

    @Test func `a room for which the backend is asked, or that has settings, is none for guests`() {
        var rules = Self.open
        rules.rules[0].asked = [.join]
        #expect(guest(rules: rules).join(1, "news") == ["error 1 forbidden"])
        let talk = guest()
        _ = talk.join(1, "news")
        let reading = RoomReading(role: .member)
        #expect(talk.ready("news", reading: reading) == ["withdraw news", "leave news", "error 1 forbidden"])
        enter(talk, "ticker")
        let change = RoomChange(
            room: SessionConversation.room("ticker"), event: .removed,
            state: RoomState(version: 7, settings: Array("{}".utf8)))
        #expect(talk.lines(talk.machine.putOut(change)) == ["removed ticker 7", "withdraw ticker", "leave ticker"])
    }

    @Test func `rooms that an app's backend signs for are opened by a rule for such alone`() {
        var rules = Self.rules(("*", [.join]))
        rules.keepsSignedRooms = true
        #expect(guest(rules: rules).join(1, "private-x") == ["error 1 forbidden"])
        #expect(guest(rules: rules).join(1, "x") == ["follow x"])
        rules.rules = Self.rules(("private-*", [.join])).rules
        #expect(guest(rules: rules).join(1, "private-x") == ["follow private-x"])
        rules.rules = Self.rules(("*", [.join])).rules
        rules.fencesApps = true
        #expect(guest(rules: rules).join(1, ":2:x") == ["error 1 forbidden"])
    }

    @Test func `limits are those of others, and a node that drains asks it to come back`() {
        let talk = guest(rules: Self.rules(("*", [.join])), limits: SessionLimits(maxRooms: 1))
        enter(talk, "a")
        #expect(talk.join(1, "b") == ["error 1 forbidden"])
        #expect(talk.lines(talk.machine.drain(afterMilliseconds: 5)) == ["reconnect 5"])
        #expect(talk.end(.byClient(code: 1000)) == ["*", "a", "abrupt drained"])
    }
}
