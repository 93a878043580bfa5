import GatewayCore
import Testing

@Suite("Going live in a followed room")
struct TrackListenerTests {
    @Test func `where the room stands is asked once its channel is subscribed, for all who wait`() {
        let talk = TrackConversation()
        #expect(talk.follow() == [])
        #expect(talk.follow(hub: 1) == [])
        #expect(talk.subscribed() == ["ask"])
        #expect(talk.follow(hub: 2) == [])
        #expect(talk.hear(6) == ["kept"])
        // Of a room without a roster the channel says where it stands.
        #expect(
            talk.answered(5) == [
                "start 1 at e1/5", "start 2 at e1/5", "deliver 6", "start 3 at e1/6",
            ])
    }

    @Test func `an inbox has no channel of its own to wait for`() {
        let talk = TrackConversation(isInbox: true)
        #expect(talk.follow() == ["ask"])
    }

    @Test func `a listener goes live only where the stream has reached its position`() {
        let talk = TrackConversation.live(at: 5, keepsRoster: true, roster: 1)
        #expect(talk.follow(hub: 1) == ["ask"])
        #expect(talk.answered(7, roster: 1) == [])
        #expect(talk.hear(6) == ["deliver 6"])
        #expect(talk.hear(7) == ["deliver 7", "start 2 at e1/7 roster 1"])
    }

    @Test func `a listener goes live only where the roster has reached its own, by a step or by what was compared`() {
        let talk = TrackConversation.live(at: 5, keepsRoster: true, roster: 1)
        _ = talk.follow(hub: 1)
        #expect(talk.answered(5, roster: 2) == [])
        #expect(talk.step(2, "amy") == [#"roster 2 ["amy"]"#, "start 2 at e1/5 roster 2"])
        _ = talk.follow(hub: 1)
        #expect(talk.answered(5, roster: 3) == [])
        #expect(talk.tick(after: .milliseconds(100)) == ["catch up after 5"])
        #expect(talk.caughtUp(5, roster: 3) == ["roster moved to 3", "start 3 at e1/5 roster 3"])
    }

    @Test(
        arguments: [
            (1000, Duration.milliseconds(100)), (0, .seconds(2)),
        ])
    func `where the channel lags too long behind a position the log is asked, later where it keeps nothing`(
        size: Int, lag: Duration
    ) {
        let talk = TrackConversation.live(
            at: 5, keepsRoster: true, roster: 1, limits: LogLimits(size: size, age: .seconds(60)))
        _ = talk.follow(hub: 1)
        _ = talk.answered(7, roster: 1)
        #expect(talk.tick(after: lag - .milliseconds(1)) == [])
        #expect(talk.tick(after: .milliseconds(1)) == ["catch up after 5"])
        #expect(talk.caughtUp(7, log: [6, 7]) == ["deliver 6", "deliver 7", "start 2 at e1/7 roster 1"])
    }

    @Test func `an answer of another epoch has the stream caught up with, then the room asked again`() {
        let talk = TrackConversation.live(at: 5, keepsRoster: true, roster: 1)
        _ = talk.follow(hub: 1)
        #expect(talk.answered(5, "e2", roster: 1) == ["catch up after 5"])
        #expect(talk.caughtUp(5, "e2", ends: "e1=5") == ["epoch e2/5", "ask"])
        #expect(talk.answered(5, "e2", roster: 1) == ["start 2 at e2/5 roster 1"])
    }

    @Test
    func `one that Redis does not answer in time is told so, waiting or parked, and one that is asked about is not`() {
        let talk = TrackConversation(keepsRoster: true)
        _ = talk.follow()
        #expect(talk.tick(after: .milliseconds(4999)) == [])
        #expect(talk.tick(after: .milliseconds(1)) == ["fail 1"])
        _ = talk.follow()
        _ = talk.subscribed()
        #expect(talk.tick(after: .seconds(6)) == [])
        #expect(talk.unanswered() == ["fail 2"])
        #expect(talk.tick(after: .seconds(2)) == ["leave"])
        let parked = TrackConversation.live(at: 5, keepsRoster: true, roster: 1)
        _ = parked.follow(hub: 1)
        _ = parked.answered(7, roster: 1)
        #expect(parked.tick(after: .seconds(5)) == ["fail 2"])
    }

    @Test func `one whose hub has gone is not answered`() {
        let talk = TrackConversation.live(at: 5, keepsRoster: true, roster: 1)
        _ = talk.follow(hub: 1)
        _ = talk.follow(hub: 1)
        _ = talk.leave(hub: 1)
        #expect(talk.answered(5, roster: 1) == [])
        _ = talk.follow(hub: 1)
        _ = talk.answered(6, roster: 1)
        _ = talk.leave(hub: 1)
        #expect(talk.hear(6) == ["deliver 6"])
    }

    @Test
    func
        `what a listener has missed comes from memory where that holds it, else from the log, which then serves the next`()
    {
        let talk = TrackConversation(keepsRoster: true)
        _ = talk.subscribed()
        #expect(talk.follow(since: 3) == ["ask after 3 for 1000"])
        #expect(
            talk.answered(5, log: [4, 5], after: 3, roster: 1) == [
                "remember [4, 5]", "start 1 at e1/5 roster 1 missed [4, 5]",
            ])
        #expect(talk.follow(since: 4) == ["ask"])
        #expect(talk.answered(5, roster: 1) == ["start 2 at e1/5 roster 1 missed [5]"])
        talk.forgetOldest()
        #expect(talk.follow(since: 3) == ["ask after 3 for 1000"])
    }

    @Test func `memory that has forgotten between the question and the answer has the log read`() {
        let talk = TrackConversation.live(at: 5, keepsRoster: true, roster: 1)
        _ = talk.hear(6)
        #expect(talk.follow(since: 5) == ["ask"])
        talk.forgetOldest()
        #expect(talk.answered(6, roster: 1) == ["ask after 5 for 1000"])
    }

    @Test
    func `one that takes only a part is not live before the last, and keeps the room no longer than another would`() {
        let talk = TrackConversation(recoverLimit: 2)
        _ = talk.subscribed()
        _ = talk.follow(since: 1)
        #expect(talk.answered(5, log: [2, 3], after: 1, more: true) == ["start 1 at e1/5 missed [2, 3] more"])
        #expect(talk.tick(after: .seconds(2)) == ["leave"])
    }

    @Test func `an answer that came over a break of the link is compared with the head`() {
        let talk = TrackConversation()
        _ = talk.subscribed()
        _ = talk.follow()
        talk.linkLost()
        #expect(talk.answered(5) == ["compare", "start 1 at e1/5"])
        let whole = TrackConversation()
        _ = whole.subscribed()
        _ = whole.follow()
        #expect(whole.answered(5) == ["start 1 at e1/5"])
    }

    @Test func `more than may be kept before the first answer is left to the log`() {
        let talk = TrackConversation()
        _ = talk.subscribed()
        _ = talk.hear(6, bytes: 5 << 20)
        #expect(talk.follow() == ["ask"])
        #expect(talk.answered(5) == ["start 1 at e1/5", "catch up after 5"])
    }
}
