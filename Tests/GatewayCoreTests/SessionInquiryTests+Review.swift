import GatewayCore
import Testing

/// What is asked for again, and what answers from before count for then.
extension SessionInquiryTests {
    // MARK: Asked again

    @Test func `asked again a client keeps, changes or loses what it may`() {
        let talk = Self.inHall()
        talk.enter("b")
        #expect(talk.lines(talk.machine.mustAskAgain()) == ["ask 3 about alice"])
        let narrow = Grant(rooms: Self.grants("hall*", [.join]), joins: [SessionConversation.room("hall9")])
        #expect(
            talk.ruled(3, .connect(Self.alice, token: nil), .allowed(narrow)) == [
                "withdraw b", "leave b", "left - b", "ask 4 to join hall", "enroll hall9 {}",
            ])
        #expect(talk.ruled(4, joining: "hall", Self.no) == ["withdraw hall", "leave hall", "left - hall"])
        #expect(talk.lines(talk.machine.mustAskAgain()) == ["ask 5 about alice"])
        #expect(talk.ruled(5, .connect(Self.alice, token: nil), Self.no) == ["close 4403 not you"])
    }

    @Test func `an answer from before the last time it was asked counts for nothing`() {
        let talk = SessionConversation.allowed()
        _ = talk.machine.mustAskAgain()
        #expect(talk.lines(talk.machine.mustAskAgain()) == ["ask 3 about alice"])
        #expect(talk.ruled(2, .connect(Self.alice, token: nil), Self.no).isEmpty)
        #expect(talk.ruled(3, .connect(Self.alice, token: nil), Self.yes).isEmpty)
        #expect(talk.isLive)
    }

    @Test func `a failure keeps what the backend has said before, or closes`() {
        let talk = SessionConversation.allowed(Grant(rooms: Self.grants("a*", [.join])))
        _ = talk.machine.mustAskAgain()
        #expect(talk.ruled(2, .connect(Self.alice, token: nil), Self.passed).isEmpty)
        #expect(talk.join(1, "b") == ["error 1 forbidden"])
        _ = talk.machine.mustAskAgain()
        let closed = talk.ruled(3, .connect(Self.alice, token: nil), Self.silent)
        #expect(closed == ["close 4503 the backend does not answer"])
    }

    @Test func `rooms that a session brings back are asked for again`() {
        let talk = SessionConversation(tokens: true, asking: true, rules: Self.asking)
        _ = talk.machine.opened(with: .identity(SessionConversation.identity()), session: "s0")
        _ = talk.ruled(1, .connect(Self.alice, token: nil), Self.yes)
        _ = talk.registered(["hall", "free"])
        _ = talk.ready("*")
        #expect(talk.ready("@alice").last == "ask 2 to join hall")
        _ = talk.resume(1, ["hall": 3, "free": 3])
        // While the positions are asked for.
        #expect(talk.ruled(2, joining: "hall", Self.no).isEmpty)
        _ = talk.ready("free")
        _ = talk.ready("*")
        let told = talk.ready("@alice")
        #expect(told.contains("withdraw hall"))
        #expect(!talk.isMember(of: "hall"))
    }

    @Test func `a fresh token is followed by the question, whose no leaves everything as it was`() {
        let talk = SessionConversation.allowed()
        #expect(talk.auth(1, "t2") == ["verify t2"])
        #expect(talk.verified(SessionConversation.identity()) == ["ask 2 about alice with t2"])
        #expect(talk.ruled(2, .connect(Self.alice, token: "t2"), Self.no) == ["error 1 forbidden"])
        _ = talk.auth(2, "t3")
        _ = talk.verified(SessionConversation.identity(expires: 5_000_000_000))
        _ = talk.machine.mustAskAgain()
        // What is known of the fresh token may be older than that.
        #expect(talk.ruled(3, .connect(Self.alice, token: "t3"), Self.yes).isEmpty)
        #expect(
            talk.ruled(5, .connect(Self.alice, token: "t3"), Self.yes)
                == ["keep t3", "authenticated 2 5000000000000"])
        // The token that counts by then has been asked about.
        #expect(talk.ruled(4, .connect(Self.alice, token: nil), Self.no).isEmpty)
    }

    // MARK: No answer

    @Test func `a member of whose room nothing is answered is sent away for a while, and not out of the room`() {
        let talk = Self.inHall()
        _ = talk.machine.mustAskAgain()
        _ = talk.ruled(3, .connect(Self.alice, token: nil), Self.yes)
        #expect(talk.ruled(4, joining: "hall", Self.silent) == ["close 4503 the backend does not answer"])
        let passing = Self.inHall()
        _ = passing.machine.mustAskAgain()
        _ = passing.ruled(3, .connect(Self.alice, token: nil), Self.yes)
        #expect(passing.ruled(4, joining: "hall", Self.passed).isEmpty)
        #expect(passing.isMember(of: "hall"))
    }

    @Test func `so is one that brings its rooms back`() {
        let talk = SessionConversation(tokens: true, asking: true, rules: Self.asking)
        _ = talk.machine.opened(with: .identity(SessionConversation.identity()), session: "s0")
        _ = talk.ruled(1, .connect(Self.alice, token: nil), Self.yes)
        _ = talk.registered(["hall"])
        _ = talk.ready("*")
        _ = talk.ready("@alice")
        _ = talk.resume(1, ["hall": 3])
        #expect(talk.ruled(2, joining: "hall", Self.silent) == ["close 4503 the backend does not answer"])
    }

    // MARK: Answers from before

    @Test func `a join that was asked about before is asked about once more`() {
        let talk = SessionConversation.allowed(rules: Self.asking)
        #expect(talk.join(1, "hall") == ["ask 2 to join hall"])
        #expect(talk.lines(talk.machine.mustAskAgain()) == ["ask 3 about alice", "ask 4 to join hall"])
        #expect(talk.ruled(2, joining: "hall", Self.yes).isEmpty)
        #expect(talk.ruled(4, joining: "hall", Self.no) == ["error 1 forbidden"])
    }

    @Test func `a join that was allowed before and is under way is asked about like a membership`() {
        let talk = SessionConversation.allowed(rules: Self.asking)
        _ = talk.join(1, "hall")
        _ = talk.ruled(2, joining: "hall", Self.yes)
        #expect(talk.lines(talk.machine.mustAskAgain()) == ["ask 3 about alice"])
        #expect(talk.ruled(3, .connect(Self.alice, token: nil), Self.yes) == ["ask 4 to join hall"])
        #expect(
            talk.ruled(4, joining: "hall", Self.no) == ["withdraw hall", "leave hall", "error 1 forbidden"])
        #expect(talk.enrolled("hall").isEmpty)
        let staying = SessionConversation.allowed(rules: Self.asking)
        _ = staying.join(1, "hall")
        _ = staying.ruled(2, joining: "hall", Self.yes)
        _ = staying.machine.mustAskAgain()
        _ = staying.ruled(3, .connect(Self.alice, token: nil), Self.yes)
        #expect(staying.ruled(4, joining: "hall", Self.yes).isEmpty)
        #expect(staying.enrolled("hall") == ["follow hall"])
    }

    @Test func `messages that wait are asked about once more, answered or not`() {
        let talk = Self.inHall()
        #expect(talk.say(1, "hall") == ["ask 3 to say 1 in hall"])
        #expect(talk.say(2, "hall") == ["ask 4 to say 1 in hall"])
        #expect(talk.ruled(4, sayingIn: "hall", Self.yes).isEmpty)
        #expect(
            talk.lines(talk.machine.mustAskAgain())
                == ["ask 5 about alice", "ask 6 to say 1 in hall", "ask 7 to say 1 in hall"])
        #expect(talk.ruled(3, sayingIn: "hall", Self.yes).isEmpty)
        #expect(talk.ruled(6, sayingIn: "hall", Self.yes) == ["publish 1 hall by alice"])
        #expect(talk.ruled(7, sayingIn: "hall", Self.no) == ["error 2 forbidden"])
    }

    @Test func `a fresh token's answer from before does not come after the one that was asked for since`() {
        let talk = SessionConversation.allowed()
        _ = talk.auth(1, "t2")
        _ = talk.verified(SessionConversation.identity())
        #expect(
            talk.lines(talk.machine.mustAskAgain()) == ["ask 3 about alice", "ask 4 about alice with t2"])
        let narrow = Ruling.allowed(Grant(rooms: Self.grants("a*", [.join])))
        #expect(talk.ruled(3, .connect(Self.alice, token: nil), narrow).isEmpty)
        #expect(talk.ruled(2, .connect(Self.alice, token: "t2"), Self.yes).isEmpty)
        #expect(talk.join(2, "b") == ["error 2 forbidden"])
    }
}
