import GatewayCore
import Testing

@Suite("The backend's word in a session")
struct SessionInquiryTests {
    static let alice = UserID(unchecked: "alice")
    private static let bob = UserID(unchecked: "bob")
    static let yes = Ruling.allowed(Grant())
    static let no = Ruling.denied(Denial(.forbidden, "not you"))
    static let silent = Ruling.failed(isPassed: false)
    static let passed = Ruling.failed(isPassed: true)

    static var asking: RoomRules {
        var rule = RoomRule(pattern: RoomPattern("hall*") ?? all, log: LogLimits(size: 10, age: .seconds(60)))
        rule.asked = [.join, .publish]
        return RoomRules(rules: [rule])
    }

    private static var all: RoomPattern {
        guard let pattern = RoomPattern("*") else { preconditionFailure("no pattern") }
        return pattern
    }

    static func grants(_ pattern: String, _ actions: Set<RoomAction>) -> RoomGrants {
        RoomGrants([(RoomPattern(pattern) ?? all, actions)])
    }

    // MARK: Who is let in

    @Test func `a good token is followed by the question, and only a yes lets in`() {
        let talk = SessionConversation(tokens: true, asking: true)
        #expect(talk.open(.token("t")) == ["verify t"])
        #expect(talk.verified(SessionConversation.identity()) == ["ask 1 about alice with t"])
        #expect(talk.join(1, "r").isEmpty)
        #expect(talk.ruled(1, .connect(Self.alice, token: "t"), Self.yes) == ["register"])
        #expect(talk.user == "alice")
    }

    @Test(arguments: [
        (no, "close 4403 not you"), (Ruling.denied(Denial(.unauthorized)), "close 4401 unauthorized"),
        (silent, "close 4503 the backend does not answer"), (passed, "register"),
    ]) func `whoever is known is closed or let pass by the ruling`(ruling: Ruling, line: String) {
        let talk = SessionConversation(tokens: true, asking: true)
        _ = talk.open(.token("t"))
        _ = talk.verified(SessionConversation.identity())
        #expect(talk.ruled(1, .connect(Self.alice, token: "t"), ruling) == [line])
    }

    @Test func `nobody is let pass who is not known, and none under another name than the token's`() {
        let talk = SessionConversation(tokens: true, asking: true)
        #expect(talk.machine.opened(with: .none, isTelling: true).count == 1)
        #expect(talk.ruled(1, .connect(nil, token: nil), Self.passed) == ["close 4503 the backend does not answer"])
        let other = SessionConversation(tokens: true, asking: true)
        _ = other.open(.token("t"))
        _ = other.verified(SessionConversation.identity())
        let lie = other.ruled(1, .connect(Self.alice, token: "t"), .allowed(Grant(userId: Self.bob)))
        #expect(lie == ["close 4503 unavailable"])
    }

    @Test func `a token that is not checked here is passed on unread`() {
        let talk = SessionConversation(tokens: true, checked: false, asking: true)
        #expect(talk.open(.token("opaque")) == ["ask 1 about nobody with opaque"])
        #expect(talk.ruled(1, .connect(nil, token: "opaque"), .allowed(Grant(userId: Self.bob))) == ["register"])
        #expect(talk.user == "bob")
    }

    @Test func `a cookie is asked about at once, nothing at all after a moment of silence, or with the first frame`() {
        let cookie = SessionConversation(tokens: true, asking: true)
        #expect(cookie.lines(cookie.machine.opened(with: .none, isTelling: true)) == ["ask 1 about nobody"])
        let quiet = SessionConversation(tokens: true, asking: true)
        #expect(quiet.open(.none).isEmpty)
        #expect(quiet.wait(.milliseconds(499)).isEmpty)
        #expect(quiet.wait(.milliseconds(1)) == ["ask 1 about nobody"])
        let talkative = SessionConversation(tokens: true, asking: true)
        _ = talkative.open(.none)
        #expect(talkative.ping(1) == ["pong 1"])
        #expect(talkative.join(2, "r") == ["ask 1 about nobody"])
        _ = talkative.ruled(1, .connect(nil, token: nil), .allowed(Grant(userId: Self.bob)))
        _ = talkative.registered()
        _ = talkative.ready("*")
        // What waited is served behind the welcome.
        #expect(talkative.ready("@bob").last == "enroll r {}")
    }

    @Test func `a token in the first frame takes the place of the question without one`() {
        let talk = SessionConversation(tokens: true, asking: true)
        _ = talk.machine.opened(with: .none, isTelling: true)
        #expect(talk.auth(1, "t") == ["verify t"])
        // The answer to the question without one comes too late.
        #expect(talk.ruled(1, .connect(nil, token: nil), Self.no).isEmpty)
        #expect(talk.verified(SessionConversation.identity()) == ["ask 2 about alice with t"])
    }

    @Test func `whom the backend does not know may still show a token for a moment`() {
        let talk = SessionConversation(tokens: true, asking: true)
        _ = talk.machine.opened(with: .none, isTelling: true)
        let unknown = Ruling.denied(Denial(.unauthorized, "log in"))
        #expect(talk.ruled(1, .connect(nil, token: nil), unknown).isEmpty)
        #expect(talk.auth(1, "t") == ["verify t"])
        let late = SessionConversation(tokens: true, asking: true)
        _ = late.machine.opened(with: .none, isTelling: true)
        _ = late.ruled(1, .connect(nil, token: nil), unknown)
        #expect(late.wait(.milliseconds(1999)).isEmpty)
        #expect(late.wait(.milliseconds(1)) == ["close 4401 log in"])
        let forbidden = SessionConversation(tokens: true, asking: true)
        _ = forbidden.machine.opened(with: .none, isTelling: true)
        #expect(forbidden.ruled(1, .connect(nil, token: nil), Self.no) == ["close 4403 not you"])
    }

    @Test func `a question that is never answered ends with the time for the opening`() {
        let talk = SessionConversation(tokens: true, asking: true)
        _ = talk.open(.token("t"))
        _ = talk.verified(SessionConversation.identity())
        #expect(talk.wait(.seconds(10)) == ["close 4503 unavailable"])
    }

    @Test func `what is granted ends by the clock that only runs forward`() {
        let end = MonotonicTime(nanoseconds: 1) + .seconds(30)
        let talk = SessionConversation.allowed(Grant(endsAt: end))
        // The wall's clock steps a year ahead.
        talk.wallMilliseconds += 31_536_000_000
        #expect(talk.deadline(wall: talk.wallMilliseconds) == end)
        #expect(talk.wait(.seconds(29)).isEmpty)
        #expect(talk.wait(.seconds(1)) == ["close 4401 what the backend has allowed is over"])
    }

    @Test func `rights and rooms of the answer count over the token's`() {
        let grant = Grant(
            info: Array(#"{"n":1}"#.utf8), rooms: Self.grants("a*", [.join]),
            joins: [SessionConversation.room("a1"), SessionConversation.room("b1")])
        let talk = SessionConversation(tokens: true, asking: true)
        _ = talk.machine.opened(with: .identity(SessionConversation.identity()))
        _ = talk.ruled(1, .connect(Self.alice, token: nil), .allowed(grant))
        _ = talk.registered()
        _ = talk.ready("*")
        // b1 is not among what may be joined.
        #expect(talk.ready("@alice").suffix(2) == ["enter @alice", #"enroll a1 {"n":1}"#])
        #expect(talk.join(1, "b2") == ["error 1 forbidden"])
    }

    // MARK: Rooms

    @Test func `a room with the rule is joined after a yes alone`() {
        let talk = SessionConversation.allowed(rules: Self.asking)
        #expect(talk.join(1, "hall") == ["ask 2 to join hall"])
        #expect(talk.say(2, "hall").isEmpty)
        #expect(talk.ruled(2, joining: "hall", Self.yes) == ["enroll hall {}"])
        #expect(talk.join(3, "hall2") == ["ask 3 to join hall2"])
        #expect(talk.ruled(3, joining: "hall2", Self.no) == ["error 3 forbidden"])
        #expect(talk.join(4, "hall3") == ["ask 4 to join hall3"])
        #expect(talk.ruled(4, joining: "hall3", Self.silent) == ["error 4 unavailable"])
        #expect(talk.join(5, "elsewhere") == ["enroll elsewhere {}"])
    }

    @Test func `an answer to an earlier join says nothing of a later one`() {
        let talk = SessionConversation.allowed(rules: Self.asking)
        _ = talk.join(1, "hall")
        let out = RoomChange(
            room: SessionConversation.room("hall"), event: .removed, state: RoomState.absent.next(1))
        _ = talk.lines(talk.machine.putOut(out))
        #expect(talk.join(2, "hall") == ["ask 3 to join hall"])
        #expect(talk.ruled(2, joining: "hall", Self.yes).isEmpty)
        #expect(talk.ruled(3, joining: "hall", Self.no) == ["error 2 forbidden"])
    }

    // MARK: Messages

    @Test func `messages leave in the order they came, whatever the order of the answers`() {
        let talk = Self.inHall()
        #expect(talk.say(1, "hall") == ["ask 3 to say 1 in hall"])
        #expect(talk.say(2, "hall") == ["ask 4 to say 1 in hall"])
        #expect(talk.say(3, "hall") == ["ask 5 to say 1 in hall"])
        #expect(talk.leave(4, "hall").isEmpty)
        #expect(talk.ruled(4, sayingIn: "hall", Self.no).isEmpty)
        #expect(talk.ruled(5, sayingIn: "hall", Self.yes).isEmpty)
        #expect(
            talk.ruled(3, sayingIn: "hall", Self.yes) == [
                "publish 1 hall by alice", "error 2 forbidden", "publish 3 hall by alice", "withdraw hall",
                "leave hall", "left 4 hall",
            ])
    }

    @Test func `so many messages wait and no more`() {
        let talk = Self.inHall()
        for number in 0..<64 { _ = talk.say(number, "hall") }
        #expect(talk.say(64, "hall") == ["error 64 rate_limited"])
        #expect(talk.end(.lost) == ["*", "@alice", "hall", "abrupt lost"])
    }

    static func inHall() -> SessionConversation {
        let talk = SessionConversation.allowed(rules: asking)
        _ = talk.join(0, "hall")
        _ = talk.ruled(2, joining: "hall", yes)
        _ = talk.enrolled("hall")
        _ = talk.ready("hall")
        return talk
    }
}
