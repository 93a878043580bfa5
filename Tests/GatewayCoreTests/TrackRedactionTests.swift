import GatewayCore
import Testing

@Suite("Messages of a followed room that lose their payloads")
struct TrackRedactionTests {
    @Test func `what is remembered loses its payload, and goes so to whoever comes back`() {
        let talk = TrackConversation.live(at: 5)
        for seq in 6...9 { _ = talk.hear(seq) }
        #expect(talk.redacted(7, 9))
        #expect(talk.redacted(7))
        _ = talk.follow(since: 5)
        #expect(talk.answered(9) == ["start 2 at e1/9 missed [6, 7, 8, 9] redacted [7, 9]"])
        #expect(talk.hear(10) == ["deliver 10"])
    }

    @Test func `an answer that was read before does not bring it back`() {
        let talk = TrackConversation.live(at: 5)
        #expect(talk.compared(8) == ["catch up after 5"])
        #expect(talk.hear(9) == ["kept"])
        #expect(talk.redacted(7, 9))
        #expect(
            talk.caughtUp(8, log: [6, 7, 8]) == ["deliver 6", "deliver 7 redacted", "deliver 8", "deliver 9 redacted"])
        let other = TrackConversation.live(at: 5)
        _ = other.follow(since: 2)
        #expect(other.redacted(4))
        #expect(
            other.answered(5, log: [3, 4, 5], after: 2).last == "start 2 at e1/5 missed [3, 4, 5] redacted [4]")
    }

    @Test func `a message of an earlier count leaves the room's own alone, and nobody is told before anybody is live`()
    {
        let talk = TrackConversation.live(at: 5)
        for seq in 6...8 { _ = talk.hear(seq) }
        #expect(talk.redacted(7, of: "e0", isPresent: false))
        _ = talk.follow(since: 5)
        #expect(talk.answered(8) == ["start 2 at e1/8 missed [6, 7, 8]"])
        #expect(!TrackConversation().redacted(1))
    }

    @Test func `what a node has not heard of is no other past of the room`() {
        let talk = TrackConversation.live(at: 5)
        #expect(talk.hear(6, bytes: 9) == ["deliver 6"])
        #expect(talk.redacted(6))
        // As the log had it when it was read.
        #expect(talk.compared(7) == ["catch up after 5"])
        #expect(talk.caughtUp(7, log: [6, 7]) == ["deliver 7"])
    }
}
