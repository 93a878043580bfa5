import GatewayCore
import Testing

@Suite("A followed room")
struct TrackMachineTests {
    @Test(
        "the next number goes to the followers, one that was seen does not, and a track at rest has nothing under way")
    func delivers() {
        let talk = TrackConversation.live(at: 5)
        #expect(!talk.isBusy)
        #expect(talk.hear(6) == ["deliver 6"])
        #expect(talk.hear(6) == ["repeated"])
        #expect(talk.hear(7) == ["deliver 7"])
        #expect(!talk.isBusy)
    }

    @Test("a track is small, since every user's inbox has one")
    func staysSmall() {
        #expect(MemoryLayout<TrackMachine>.size <= 80)
    }

    @Test("a hole is asked of the log, and what comes meanwhile waits for the answer")
    func fillsHoles() {
        let talk = TrackConversation.live(at: 5)
        #expect(talk.hear(7) == ["catch up after 5"])
        #expect(talk.hear(8) == ["kept"])
        #expect(talk.hear(9) == ["kept"])
        #expect(
            talk.caughtUp(8, log: [6, 7, 8]) == [
                "deliver 6", "deliver 7", "deliver 8", "repeated", "repeated", "deliver 9",
            ])
        #expect(talk.hear(10) == ["deliver 10"])
    }

    @Test("one question to the log is under way at a time")
    func asksOnce() {
        let talk = TrackConversation.live(at: 5)
        #expect(talk.hear(9) == ["catch up after 5"])
        #expect(talk.compared(20) == [])
        #expect(talk.tick(after: .seconds(1)) == [])
        // What the comparison has found may lie behind the answer.
        #expect(talk.caughtUp(9, log: [6, 7, 8, 9]).suffix(2) == ["repeated", "catch up after 9"])
    }

    @Test("a log that has more than one answer holds is read on from there")
    func readsOn() {
        let talk = TrackConversation.live(at: 5)
        _ = talk.compared(8)
        #expect(talk.caughtUp(8, log: [6, 7], more: true) == ["deliver 6", "deliver 7", "catch up after 7"])
        #expect(talk.caughtUp(8, log: [8]) == ["deliver 8"])
    }

    @Test("nothing was lost over another epoch that says so: followers are told of it before what follows")
    func tellsEpochs() {
        let talk = TrackConversation.live(at: 5)
        #expect(talk.hear(6, "e2") == ["catch up after 5"])
        #expect(
            talk.caughtUp(6, "e2", ends: "e1=5", log: [6]) == ["epoch e2/5", "deliver 6", "repeated"])
    }

    @Test("what the log no longer has is told as a gap, and the stream goes on behind it")
    func tellsGaps() {
        let talk = TrackConversation.live(at: 5)
        #expect(talk.hear(9) == ["catch up after 5"])
        #expect(talk.caughtUp(9, log: [8, 9]) == ["gap e1/9", "repeated"])
        #expect(talk.hear(10) == ["deliver 10"])
        #expect(talk.hear(1, "e2") == ["catch up after 10"])
        #expect(talk.caughtUp(1, "e2", ends: "e1=7", log: [1]) == ["gap e2/1", "repeated"])
    }

    @Test("whoever has seen nothing has lost nothing that the log holds")
    func losesNothingFromTheStart() {
        let talk = TrackConversation.live(at: 0)
        #expect(talk.hear(1, "e2") == ["catch up after 0"])
        #expect(talk.caughtUp(1, "e2", log: [1]) == ["epoch e2/0", "deliver 1", "repeated"])
    }

    @Test("what was heard before the question and lies beyond the answer is dropped; what came after it is not")
    func dropsStrays() {
        let talk = TrackConversation.live(at: 5)
        #expect(talk.hear(99) == ["catch up after 5"])
        #expect(talk.hear(7) == ["kept"])
        #expect(talk.caughtUp(6, log: [6]) == ["deliver 6", "deliver 7"])
        #expect(talk.hear(8) == ["deliver 8"])
        #expect(talk.hear(9, "e0") == ["catch up after 8"])
        #expect(talk.caughtUp(8) == [])
        #expect(talk.hear(9) == ["deliver 9"])
    }

    @Test("more than may be kept is left to the log, which is asked again")
    func boundsWhatIsHeld() {
        let talk = TrackConversation.live(at: 5)
        _ = talk.hear(7, bytes: 3 << 20)
        #expect(talk.hear(8, bytes: 2 << 20) == ["kept"])
        #expect(
            talk.caughtUp(7, log: [6, 7], roster: 4) == ["deliver 6", "deliver 7", "repeated", "catch up after 7"])
        #expect(talk.caughtUp(8, log: [8]) == ["deliver 8"])
    }

    @Test("where Redis is away the tick asks again, not every round trip")
    func asksAgain() {
        let talk = TrackConversation.live(at: 5)
        _ = talk.hear(7)
        #expect(talk.notCaughtUp() == [])
        #expect(talk.isDue)
        talk.conditions.isAnswered = false
        #expect(talk.tick(after: .milliseconds(50)) == [])
        talk.conditions.isAnswered = true
        #expect(talk.tick(after: .milliseconds(50)) == ["catch up after 5"])
        // The hole is still there, and nothing has come of the question.
        #expect(talk.hear(9) == ["kept"])
        #expect(talk.caughtUp(5) == ["catch up after 5"])
    }

    @Test("nothing is asked while the channel does not stand, and what was missed is asked for once it does")
    func waitsForTheChannel() {
        let talk = TrackConversation.live(at: 5)
        talk.linkLost()
        #expect(talk.compared(8) == [])
        #expect(talk.linkReturned() == [])
        #expect(talk.subscribed() == ["catch up after 5"])
    }

    @Test("a head that has moved on is caught up with, one that has not costs no question")
    func compares() {
        let talk = TrackConversation.live(at: 5, keepsRoster: true, roster: 3)
        #expect(talk.compared(5, roster: 3) == [])
        #expect(talk.compared(4, roster: 2) == [])
        #expect(!talk.isBusy)
        #expect(talk.compared(6, roster: 3) == ["catch up after 5"])
        #expect(talk.caughtUp(6, log: [6], roster: 3) == ["deliver 6"])
        #expect(talk.compared(6, "", roster: 3) == ["catch up after 6"])
    }

    @Test("an inbox that was never written to has not moved where there is no head")
    func comparesEmptyInboxes() {
        let talk = TrackConversation(isInbox: true)
        talk.registering()
        _ = talk.registered(at: Position(epoch: "", seq: 0))
        #expect(talk.compared(0, "") == [])
        #expect(talk.compared(1, "") == ["catch up after 0"])
    }

    @Test("a track is left a little after its last listener, and not while one has come back or an answer is due")
    func lingers() {
        let talk = TrackConversation.live(at: 5)
        #expect(talk.follow(hub: 1).first == "start 2 at e1/5")
        #expect(talk.leave(hub: 0) == [])
        #expect(talk.tick(after: .seconds(3)) == [])
        #expect(talk.leave(hub: 1) == [])
        #expect(talk.tick(after: .milliseconds(1900)) == [])
        #expect(!talk.isDue)
        #expect(talk.follow() == ["start 3 at e1/5"])
        #expect(talk.tick(after: .seconds(3)) == [])
        _ = talk.leave()
        _ = talk.hear(7)
        #expect(talk.tick(after: .seconds(3)) == [])
        _ = talk.caughtUp(7, log: [6, 7])
        #expect(talk.tick(after: .zero) == ["leave"])
        #expect(!talk.isBusy)
    }
}

@Suite("A followed room's roster")
struct TrackRosterTests {
    @Test("each step is told once, and one behind a lost one without events")
    func tellsSteps() {
        let talk = TrackConversation.live(at: 5, keepsRoster: true, roster: 10)
        #expect(talk.step(10, "zoe") == [])
        #expect(talk.step(11, "amy") == [#"roster 11 ["amy"]"#])
        #expect(talk.step(11, "amy") == [])
        #expect(talk.step(13, "amy", "bob", "eve") == [#"roster 13 ["bob", "eve"]"#])
        #expect(talk.step(15, "joe") == ["roster 15 []"])
    }

    @Test("steps wait for the log's answer, and what it alone knows is told without events")
    func waitsForTheLog() {
        let talk = TrackConversation.live(at: 5, keepsRoster: true, roster: 10)
        #expect(talk.compared(6, roster: 11) == ["catch up after 5"])
        #expect(talk.step(11, "amy") == [])
        #expect(
            talk.caughtUp(6, log: [6], roster: 12) == ["deliver 6", #"roster 11 ["amy"]"#, "roster moved to 12"])
    }

    @Test("a hole alone has no roster compared, and one that was lost with the messages is")
    func comparesWhereAsked() {
        let talk = TrackConversation.live(at: 5, keepsRoster: true, roster: 10)
        _ = talk.hear(7)
        #expect(talk.caughtUp(7, log: [6, 7], roster: 12) == ["deliver 6", "deliver 7", "repeated"])
        _ = talk.compared(9, roster: 12)
        #expect(talk.caughtUp(9, "e2", log: [9], more: true, roster: 12) == ["gap e2/9", "roster moved to 12"])
    }

    @Test("the roster is compared with the last answer of several")
    func comparesAtTheEnd() {
        let talk = TrackConversation.live(at: 5, keepsRoster: true, roster: 10)
        _ = talk.compared(7, roster: 12)
        #expect(talk.caughtUp(7, log: [6], more: true, roster: 12) == ["deliver 6", "catch up after 6"])
        #expect(talk.caughtUp(7, log: [7], roster: 12) == ["deliver 7", "roster moved to 12"])
    }

    @Test("before the first answer only the newest step is known, and the answer may be older")
    func keepsTheNewest() {
        let talk = TrackConversation(keepsRoster: true)
        _ = talk.subscribed()
        #expect(talk.follow() == ["ask"])
        #expect(talk.step(12, "amy") == [])
        #expect(talk.step(11, "zoe") == [])
        #expect(talk.answered(5, roster: 10) == ["start 1 at e1/5 roster 12"])
    }
}

@Suite("Going live in a followed room")
struct TrackListenerTests {
    @Test("where the room stands is asked once its channel is subscribed, for all who wait")
    func asksBehindTheSubscription() {
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

    @Test("an inbox has no channel of its own to wait for")
    func asksForInboxes() {
        let talk = TrackConversation(isInbox: true)
        #expect(talk.follow() == ["ask"])
    }

    @Test("a listener goes live only where the stream has reached its position")
    func waitsForMessages() {
        let talk = TrackConversation.live(at: 5, keepsRoster: true, roster: 1)
        #expect(talk.follow(hub: 1) == ["ask"])
        #expect(talk.answered(7, roster: 1) == [])
        #expect(talk.hear(6) == ["deliver 6"])
        #expect(talk.hear(7) == ["deliver 7", "start 2 at e1/7 roster 1"])
    }

    @Test("a listener goes live only where the roster has reached its own, by a step or by what was compared")
    func waitsForTheRoster() {
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
        "where the channel lags too long behind a position the log is asked, later where it keeps nothing",
        arguments: [
            (1000, Duration.milliseconds(100)), (0, .seconds(2)),
        ])
    func asksTheLogInstead(size: Int, lag: Duration) {
        let talk = TrackConversation.live(
            at: 5, keepsRoster: true, roster: 1, limits: LogLimits(size: size, age: .seconds(60)))
        _ = talk.follow(hub: 1)
        _ = talk.answered(7, roster: 1)
        #expect(talk.tick(after: lag - .milliseconds(1)) == [])
        #expect(talk.tick(after: .milliseconds(1)) == ["catch up after 5"])
        #expect(talk.caughtUp(7, log: [6, 7]) == ["deliver 6", "deliver 7", "start 2 at e1/7 roster 1"])
    }

    @Test("an answer of another epoch has the stream caught up with, then the room asked again")
    func meetsAnotherEpoch() {
        let talk = TrackConversation.live(at: 5, keepsRoster: true, roster: 1)
        _ = talk.follow(hub: 1)
        #expect(talk.answered(5, "e2", roster: 1) == ["catch up after 5"])
        #expect(talk.caughtUp(5, "e2", ends: "e1=5") == ["epoch e2/5", "ask"])
        #expect(talk.answered(5, "e2", roster: 1) == ["start 2 at e2/5 roster 1"])
    }

    @Test("one that Redis does not answer in time is told so, waiting or parked, and one that is asked about is not")
    func fails() {
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

    @Test("one whose hub has gone is not answered")
    func forgetsHubs() {
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

    @Test(
        "what a listener has missed comes from memory where that holds it, else from the log, which then serves the next"
    )
    func readsTheLogOnce() {
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

    @Test("memory that has forgotten between the question and the answer has the log read")
    func readsTheLogAfterAll() {
        let talk = TrackConversation.live(at: 5, keepsRoster: true, roster: 1)
        _ = talk.hear(6)
        #expect(talk.follow(since: 5) == ["ask"])
        talk.forgetOldest()
        #expect(talk.answered(6, roster: 1) == ["ask after 5 for 1000"])
    }

    @Test("one that takes only a part is not live before the last, and keeps the room no longer than another would")
    func goesLiveWithTheLastPart() {
        let talk = TrackConversation(recoverLimit: 2)
        _ = talk.subscribed()
        _ = talk.follow(since: 1)
        #expect(talk.answered(5, log: [2, 3], after: 1, more: true) == ["start 1 at e1/5 missed [2, 3] more"])
        #expect(talk.tick(after: .seconds(2)) == ["leave"])
    }

    @Test("an answer that came over a break of the link is compared with the head")
    func comparesAfterABreak() {
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

    @Test("more than may be kept before the first answer is left to the log")
    func boundsWhatIsHeldBefore() {
        let talk = TrackConversation()
        _ = talk.subscribed()
        _ = talk.hear(6, bytes: 5 << 20)
        #expect(talk.follow() == ["ask"])
        #expect(talk.answered(5) == ["start 1 at e1/5", "catch up after 5"])
    }
}

@Suite("What other scripts tell of a stream")
struct TrackHintTests {
    private let first = Position(epoch: "", seq: 0)

    @Test("an inbox stands where its user's registration has seen it, and what came meanwhile is kept for it")
    func sparesTheQuestion() {
        let talk = TrackConversation(isInbox: true)
        talk.registering()
        #expect(talk.hear(6) == ["kept"])
        #expect(talk.registered(at: Position(epoch: "e1", seq: 5)) == ["deliver 6"])
        #expect(talk.follow() == ["start 1 at e1/6"])
    }

    @Test("the first message of an inbox brings its epoch")
    func beginsAnEpoch() {
        let talk = TrackConversation(isInbox: true)
        talk.registering()
        _ = talk.registered(at: first)
        _ = talk.follow()
        #expect(talk.hear(1) == ["epoch e1/0", "deliver 1"])
    }

    @Test("a registration that came about over a break spares no question, nor one that began without the subscription")
    func asksAfterABreak() {
        let talk = TrackConversation(isInbox: true)
        talk.registering()
        talk.linkLost()
        _ = talk.linkReturned()
        #expect(talk.registered(at: first) == [])
        #expect(talk.follow() == ["ask"])
        let early = TrackConversation(isInbox: true)
        early.conditions.isConnected = false
        early.registering()
        early.conditions.isConnected = true
        #expect(early.registered(at: first) == [])
        #expect(early.follow() == ["ask"])
    }

    @Test(
        "of several registrations at once the first says since when nothing was missed, and the track stays for the last"
    )
    func countsRegistrations() {
        let talk = TrackConversation(isInbox: true)
        talk.registering()
        talk.registering()
        #expect(talk.registered(at: nil) == [])
        #expect(talk.tick(after: .seconds(3)) == [])
        #expect(talk.registered(at: first) == [])
        #expect(talk.position == first)
        #expect(talk.tick(after: .seconds(2)) == ["leave"])
    }

    @Test("an inbox whose user was elsewhere meanwhile is caught up with, and one that has not moved is not")
    func catchesUp() {
        let talk = TrackConversation(isInbox: true)
        talk.registering()
        _ = talk.registered(at: Position(epoch: "e1", seq: 5))
        talk.registering()
        #expect(talk.registered(at: Position(epoch: "e1", seq: 5)) == [])
        talk.registering()
        #expect(talk.registered(at: Position(epoch: "e1", seq: 6)) == ["catch up after 5"])
        _ = talk.caughtUp(6, log: [6])
        talk.registering()
        #expect(talk.registered(at: nil) == ["catch up after 6"])
    }

    @Test("who joins a followed room stands where the join has seen it, once the channel has come that far")
    func standsWhereItJoined() {
        let talk = TrackConversation.live(at: 5, keepsRoster: true, roster: 1)
        _ = talk.joined(at: 6, roster: 2)
        #expect(talk.follow(hub: 1) == [])
        #expect(talk.step(2, "amy") == [#"roster 2 ["amy"]"#])
        #expect(talk.hear(6) == ["deliver 6", "start 2 at e1/6 roster 2"])
        // One that comes with a position is asked about as ever.
        #expect(talk.follow(since: 5, hub: 1) == ["ask"])
    }

    @Test("what a join has seen of another epoch, or too long ago, is not gone by")
    func distrustsOldHints() {
        let talk = TrackConversation.live(at: 5, keepsRoster: true, roster: 1)
        _ = talk.joined(at: 5, "e2", roster: 1)
        #expect(talk.follow(hub: 1) == ["ask"])
        _ = talk.answered(5, roster: 1)
        _ = talk.joined(at: 5, roster: 1)
        #expect(talk.tick(after: .seconds(5)) == [])
        #expect(talk.follow(hub: 1) == ["ask"])
    }
}
