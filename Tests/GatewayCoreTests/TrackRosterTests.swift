import GatewayCore
import Testing

@Suite("A followed room's roster")
struct TrackRosterTests {
    @Test func `each step is told once, and one behind a lost one without events`() {
        let talk = TrackConversation.live(at: 5, keepsRoster: true, roster: 10)
        #expect(talk.step(10, "zoe") == [])
        #expect(talk.step(11, "amy") == [#"roster 11 ["amy"]"#])
        #expect(talk.step(11, "amy") == [])
        #expect(talk.step(13, "amy", "bob", "eve") == [#"roster 13 ["bob", "eve"]"#])
        #expect(talk.step(15, "joe") == ["roster 15 []"])
    }

    @Test func `steps wait for the log's answer, and what it alone knows is told without events`() {
        let talk = TrackConversation.live(at: 5, keepsRoster: true, roster: 10)
        #expect(talk.compared(6, roster: 11) == ["catch up after 5"])
        #expect(talk.step(11, "amy") == [])
        #expect(
            talk.caughtUp(6, log: [6], roster: 12) == ["deliver 6", #"roster 11 ["amy"]"#, "roster moved to 12"])
    }

    @Test func `a hole alone has no roster compared, and one that was lost with the messages is`() {
        let talk = TrackConversation.live(at: 5, keepsRoster: true, roster: 10)
        _ = talk.hear(7)
        #expect(talk.caughtUp(7, log: [6, 7], roster: 12) == ["deliver 6", "deliver 7", "repeated"])
        _ = talk.compared(9, roster: 12)
        #expect(talk.caughtUp(9, log: [9], roster: 12) == ["gap e1/8", "deliver 9", "roster moved to 12"])
    }

    @Test
    func `members whom Redis had lost and is given again are told of once, without events, when nobody more comes`() {
        let talk = TrackConversation.live(at: 5, keepsRoster: true, roster: 10)
        #expect(talk.step(900) == [])
        #expect(talk.tick(after: .milliseconds(1500)) == [])
        #expect(talk.step(901) == [])
        // Whoever comes meanwhile is told of.
        #expect(talk.step(902, "zoe") == [#"roster 902 ["zoe"]"#])
        #expect(talk.tick(after: .milliseconds(1999)) == [])
        #expect(talk.tick(after: .milliseconds(1)) == ["roster moved to 902"])
        #expect(talk.tick(after: .seconds(9)) == [])
        #expect(!talk.isBusy)
    }

    @Test func `the roster of another Redis is told when it is whole again`() {
        let talk = TrackConversation.live(at: 5, keepsRoster: true, roster: 10)
        _ = talk.compared(5, "e2", roster: 900)
        #expect(talk.caughtUp(5, "e2", ends: "e1=5", roster: 900) == ["epoch e2/5"])
        #expect(talk.step(901) == [])
        #expect(talk.tick(after: .seconds(2)) == ["roster moved to 901"])
    }

    @Test func `the roster is compared with the last answer of several`() {
        let talk = TrackConversation.live(at: 5, keepsRoster: true, roster: 10)
        _ = talk.compared(7, roster: 12)
        #expect(talk.caughtUp(7, log: [6], more: true, roster: 12) == ["deliver 6", "catch up after 5"])
        #expect(talk.caughtUp(7, log: [6, 7], roster: 12) == ["deliver 7", "roster moved to 12"])
    }

    @Test func `before the first answer only the newest step is known, and the answer may be older`() {
        let talk = TrackConversation(keepsRoster: true)
        _ = talk.subscribed()
        #expect(talk.follow() == ["ask"])
        #expect(talk.step(12, "amy") == [])
        #expect(talk.step(11, "zoe") == [])
        #expect(talk.answered(5, roster: 10) == ["start 1 at e1/5 roster 12"])
    }
}
