import GatewayCore
import Testing

/// Rooms that a session brings back and the backend is asked about: as with a `join`, nothing is handed over before its
/// answer.
extension SessionInquiryTests {
    /// Alice is back with these rooms; of `hall` the backend is asked by question 2.
    private static func back(_ rooms: String...) -> SessionConversation {
        let talk = SessionConversation(tokens: true, asking: true, rules: asking)
        _ = talk.machine.opened(with: .identity(SessionConversation.identity()), session: "s0")
        _ = talk.ruled(1, .connect(alice, token: nil), yes)
        _ = talk.registered(rooms)
        _ = talk.ready("*")
        #expect(talk.ready("@alice").last == "ask 2 to join hall")
        return talk
    }

    /// The streams that every connection has, and these.
    private static func ready(_ talk: SessionConversation, _ rooms: String...) -> [String] {
        (["*", "@alice"] + rooms).flatMap { talk.ready($0) }
    }

    @Test func `the stream of a room that comes back is asked for only once the backend has said yes`() {
        let talk = Self.back("hall", "free")
        #expect(!talk.isMember(of: "hall"))
        #expect(talk.isMember(of: "free"))
        #expect(talk.resume(1, ["hall": 3, "free": 4]) == ["follow *", "follow @alice", "follow free since 4"])
        #expect(Self.ready(talk, "free").isEmpty, "the answer is about all rooms")
        #expect(talk.ruled(2, joining: "hall", Self.yes) == ["follow hall since 3"])
        let missed = (4...7).map { SessionConversation.message("hall", $0) }
        #expect(
            talk.ready("hall", missed: missed) == [
                "resumed 1 free at 7, hall at 7", "enter * at 7 missed 0", "enter @alice at 7 missed 0",
                "enter free at 7 missed 0", "enter hall at 7 missed 4",
            ])
        #expect(talk.isMember(of: "hall"))
    }

    @Test func `who is put out while the backend is asked stays out, whatever it says then`() {
        let talk = Self.back("hall", "free")
        _ = talk.resume(1, ["hall": 3, "free": 4])
        let removed = RoomChange(room: SessionConversation.room("hall"), event: .removed, state: .absent)
        _ = talk.lines(talk.machine.putOut(removed))
        #expect(talk.ruled(2, joining: "hall", Self.yes).isEmpty)
        #expect(Self.ready(talk, "free").first == "resumed 1 free at 7, hall forbidden")
        #expect(!talk.isMember(of: "hall"))
    }

    @Test func `one that the backend refuses is told as forbidden, and nothing of it was asked for`() {
        let talk = Self.back("hall", "free")
        _ = talk.resume(1, ["hall": 3, "free": 4])
        _ = Self.ready(talk, "free")
        #expect(
            talk.ruled(2, joining: "hall", Self.no) == [
                "resumed 1 free at 7, hall forbidden", "enter * at 7 missed 0", "enter @alice at 7 missed 0",
                "enter free at 7 missed 0", "withdraw hall", "leave hall",
            ])
        #expect(talk.say(2, "hall") == ["error 2 not_member"])
    }

    @Test func `an answer that comes before resume leaves the room waiting for its position, or is told at once`() {
        let talk = Self.back("hall")
        #expect(talk.ruled(2, joining: "hall", Self.yes).isEmpty)
        #expect(talk.isMember(of: "hall"))
        #expect(talk.resume(1, ["hall": 3]) == ["follow *", "follow @alice", "follow hall since 3"])
        let refused = Self.back("hall")
        #expect(refused.ruled(2, joining: "hall", Self.no) == ["withdraw hall", "leave hall", "left - hall"])
        _ = refused.resume(1, ["hall": 3])
        #expect(Self.ready(refused).first == "resumed 1 hall not_member")
    }

    @Test func `what is asked of such a room meanwhile waits for the answer`() {
        let range = HistoryRange(edge: .newest, limit: 5)
        for ruling in [Self.yes, Self.no] {
            let talk = Self.back("hall")
            #expect(talk.say(1, "hall").isEmpty)
            #expect(talk.ask(2, .history(room: SessionConversation.room("hall"), range: range)).isEmpty)
            #expect(talk.signal(3, "bob", "hall").isEmpty)
            let told = talk.ruled(2, joining: "hall", ruling)
            if case .allowed = ruling {
                #expect(told == ["ask 3 to say 1 in hall", "history 2 hall", "signal 3 alice to bob in hall"])
            } else {
                #expect(
                    told == [
                        "withdraw hall", "leave hall", "left - hall", "error 1 not_member", "error 2 not_member",
                        "error 3 not_member",
                    ])
            }
        }
    }

    @Test func `nobody's signals in it are for this client before the answer`() {
        let talk = Self.back("hall", "free")
        func takes(_ room: String) -> Bool { talk.machine.takesSignals(in: SessionConversation.room(room)) }
        #expect(!takes("hall") && takes("free"))
        _ = talk.ruled(2, joining: "hall", Self.yes)
        #expect(takes("hall"))
    }

    @Test func `a join with a position is answered once the backend has said yes, or with its no`() {
        let talk = Self.back("hall")
        #expect(talk.join(1, "hall", since: 3).isEmpty)
        #expect(talk.resume(2) == ["follow *", "follow @alice"])
        #expect(Self.ready(talk).first == "resumed 2 ")
        #expect(talk.ruled(2, joining: "hall", Self.yes) == ["follow hall since 3"])
        #expect(talk.ready("hall") == ["joined 1 hall at 7", "enter hall at 7 missed 0"])
        let refused = Self.back("hall")
        _ = refused.join(1, "hall", since: 3)
        #expect(refused.ruled(2, joining: "hall", Self.no) == ["withdraw hall", "leave hall", "error 1 forbidden"])
    }

    @Test func `a room of which the answer comes after nobody has said a position goes on from then, told by a gap`() {
        let talk = Self.back("hall")
        #expect(talk.wait(.seconds(10)) == ["follow *", "follow @alice"])
        #expect(talk.ruled(2, joining: "hall", Self.yes) == ["follow hall"])
        #expect(talk.ready("hall") == ["gap hall at 7", "enter hall at 7 missed 0"])
    }

    @Test func `others wait for a slow backend no longer than for a position, and the room comes when it can`() {
        func slow() -> SessionConversation {
            let talk = Self.back("hall", "free")
            _ = talk.wait(.seconds(4))
            _ = talk.resume(1, ["hall": 3, "free": 4])
            _ = Self.ready(talk, "free")
            #expect(talk.deadline(wall: 0) == talk.now + .seconds(6))
            #expect(
                talk.wait(.seconds(6)) == [
                    "resumed 1 free at 7, hall unavailable", "enter * at 7 missed 0", "enter @alice at 7 missed 0",
                    "enter free at 7 missed 0",
                ])
            #expect(talk.deadline(wall: 0) == nil)
            #expect(!talk.isMember(of: "hall"))
            #expect(talk.say(2, "hall").isEmpty)
            return talk
        }
        let allowed = slow()
        #expect(allowed.ruled(2, joining: "hall", Self.yes) == ["follow hall since 3"])
        let missed = (4...7).map { SessionConversation.message("hall", $0) }
        #expect(
            allowed.ready("hall", missed: missed) == ["enter hall at 7 missed 4", "ask 3 to say 1 in hall"])
        let refused = slow()
        #expect(
            refused.ruled(2, joining: "hall", Self.no)
                == ["withdraw hall", "leave hall", "left - hall", "error 2 not_member"])
    }

    @Test func `a yes that comes while the others are still missing loses nothing either`() {
        let talk = Self.back("hall", "free")
        _ = talk.resume(1, ["hall": 3, "free": 4])
        _ = Self.ready(talk)
        #expect(talk.wait(.seconds(10)).isEmpty)
        #expect(talk.ruled(2, joining: "hall", Self.yes) == ["follow hall since 3"])
        #expect(talk.ready("free").isEmpty)
        #expect(talk.ready("hall").first == "resumed 1 free at 7, hall at 7")
    }

    @Test func `a failure lets the room pass or ends the connection, which comes back`() {
        let passing = Self.back("hall")
        _ = passing.resume(1, ["hall": 3])
        #expect(passing.ruled(2, joining: "hall", Self.passed) == ["follow hall since 3"])
        let closing = Self.back("hall")
        #expect(closing.ruled(2, joining: "hall", Self.silent) == ["close 4503 the backend does not answer"])
    }

    @Test func `asked once more meanwhile, only the last answer counts`() {
        let talk = Self.back("hall")
        #expect(talk.lines(talk.machine.mustAskAgain()) == ["ask 3 about alice", "ask 4 to join hall"])
        _ = talk.resume(1, ["hall": 3])
        #expect(talk.ruled(2, joining: "hall", Self.yes).isEmpty)
        #expect(talk.ruled(4, joining: "hall", Self.yes) == ["follow hall since 3"])
    }

    @Test func `a token that allows the room no longer keeps it out, whatever the backend says`() {
        let talk = Self.back("hall")
        _ = talk.auth(1, "t2")
        _ = talk.verified(SessionConversation.identity())
        let narrow = Ruling.allowed(Grant(rooms: Self.grants("free", [.join])))
        _ = talk.ruled(3, .connect(Self.alice, token: "t2"), narrow)
        #expect(talk.ruled(2, joining: "hall", Self.yes) == ["withdraw hall", "leave hall", "left - hall"])
    }

    @Test func `a no that comes when the room's stream is there and others' are not keeps the room out`() {
        let talk = Self.back("hall", "free")
        _ = talk.ruled(2, joining: "hall", Self.yes)
        _ = talk.machine.mustAskAgain()
        _ = talk.ruled(3, .connect(Self.alice, token: nil), Self.yes)
        _ = talk.resume(1, ["hall": 3, "free": 4])
        _ = Self.ready(talk, "hall")
        #expect(talk.ruled(4, joining: "hall", Self.no).isEmpty)
        #expect(
            talk.ready("free") == [
                "resumed 1 free at 7, hall forbidden", "enter * at 7 missed 0", "enter @alice at 7 missed 0",
                "enter free at 7 missed 0", "withdraw hall", "leave hall",
            ])
    }
}
