import GatewayCore
import Testing

@Suite("A followed room")
struct TrackMachineTests {
    @Test
    func
        `the next number goes to the followers, one that was seen does not, and a track at rest has nothing under way`()
    {
        let talk = TrackConversation.live(at: 5)
        #expect(!talk.isBusy)
        #expect(talk.hear(6) == ["deliver 6"])
        #expect(talk.hear(6) == ["repeated"])
        #expect(talk.hear(7) == ["deliver 7"])
        #expect(!talk.isBusy)
    }

    @Test func `a track is small, since every user's inbox has one`() {
        #expect(MemoryLayout<TrackMachine>.size <= 96)
    }

    @Test func `a hole is asked of the log, and what comes meanwhile waits for the answer`() {
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

    @Test func `one question to the log is under way at a time`() {
        let talk = TrackConversation.live(at: 5)
        #expect(talk.hear(9) == ["catch up after 5"])
        #expect(talk.compared(20) == [])
        #expect(talk.tick(after: .seconds(1)) == [])
        // What the comparison has found may lie behind the answer.
        #expect(talk.caughtUp(9, log: [6, 7, 8, 9]).suffix(2) == ["repeated", "catch up after 8"])
    }

    @Test func `a log that has more than one answer holds is read on from there`() {
        let talk = TrackConversation.live(at: 5)
        _ = talk.compared(8)
        #expect(talk.caughtUp(8, log: [6, 7], more: true) == ["deliver 6", "deliver 7", "catch up after 6"])
        #expect(talk.caughtUp(8, log: [7, 8]) == ["deliver 8"])
    }

    @Test func `nothing was lost over another epoch that says so: followers are told of it before what follows`() {
        let talk = TrackConversation.live(at: 5)
        #expect(talk.hear(6, "e2") == ["catch up after 5"])
        #expect(
            talk.caughtUp(6, "e2", ends: "e1=5", log: [6]) == ["epoch e2/5", "deliver 6", "repeated"])
    }

    @Test func `what the log no longer has is told as a gap, and the stream goes on behind it`() {
        let talk = TrackConversation.live(at: 5)
        #expect(talk.hear(9) == ["catch up after 5"])
        #expect(talk.caughtUp(9, log: [8, 9]) == ["gap e1/7", "deliver 8", "deliver 9", "repeated"])
        #expect(talk.hear(10) == ["deliver 10"])
        #expect(talk.hear(19) == ["catch up after 9"])
        #expect(talk.caughtUp(19) == ["gap e1/18", "deliver 19"])
        #expect(talk.compared(25) == ["catch up after 18"])
        #expect(talk.caughtUp(25, log: []) == ["gap e1/25"])
    }

    @Test func `whoever has seen nothing has lost nothing that the log holds`() {
        let talk = TrackConversation.live(at: 0)
        #expect(talk.hear(1, "e2") == ["catch up after 0"])
        #expect(talk.caughtUp(1, "e2", log: [1]) == ["epoch e2/0", "deliver 1", "repeated"])
    }

    @Test func `what was heard before the question and lies beyond the answer is dropped; what came after it is not`() {
        let talk = TrackConversation.live(at: 5)
        #expect(talk.hear(99) == ["catch up after 5"])
        #expect(talk.hear(7) == ["kept"])
        #expect(talk.caughtUp(6, log: [6]) == ["deliver 6", "deliver 7"])
        #expect(talk.hear(8) == ["deliver 8"])
        #expect(talk.hear(9, "e0") == ["catch up after 7"])
        #expect(talk.caughtUp(8) == [])
        #expect(talk.hear(9) == ["deliver 9"])
    }

    @Test func `more than may be kept is left to the log, which is asked again`() {
        let talk = TrackConversation.live(at: 5)
        _ = talk.hear(7, bytes: 3 << 20)
        #expect(talk.hear(8, bytes: 2 << 20) == ["kept"])
        #expect(
            talk.caughtUp(7, log: [6, 7], roster: 4) == ["deliver 6", "deliver 7", "repeated", "catch up after 6"])
        #expect(talk.caughtUp(8, log: [7, 8]) == ["deliver 8"])
    }

    @Test func `where Redis is away the tick asks again, not every round trip`() {
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

    @Test func `nothing is asked while the channel does not stand, and what was missed is asked for once it does`() {
        let talk = TrackConversation.live(at: 5)
        talk.linkLost()
        #expect(talk.compared(8) == [])
        #expect(talk.linkReturned() == [])
        #expect(talk.subscribed() == ["catch up after 5"])
    }

    @Test func `a head that has moved on is caught up with, one that has not costs no question`() {
        let talk = TrackConversation.live(at: 5, keepsRoster: true, roster: 3)
        #expect(talk.compared(5, roster: 3) == [])
        // It was asked for before what came meanwhile.
        #expect(talk.compared(4, roster: 2, asked: Position(epoch: "e1", seq: 4)) == [])
        #expect(!talk.isBusy)
        #expect(talk.compared(6, roster: 3) == ["catch up after 5"])
        #expect(talk.caughtUp(6, log: [6], roster: 3) == ["deliver 6"])
        #expect(talk.compared(6, "", roster: 3) == ["catch up after 5"])
    }

    @Test func `an inbox that was never written to has not moved where there is no head`() {
        let talk = TrackConversation(isInbox: true)
        talk.registering()
        _ = talk.registered(at: Position(epoch: "", seq: 0))
        #expect(talk.compared(0, "") == [])
        #expect(talk.compared(1, "") == ["catch up after 0"])
    }

    @Test func `a track is left a little after its last listener, and not while one has come back or an answer is due`()
    {
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
