import GatewayCore
import Testing

@Suite("What other scripts tell of a stream")
struct TrackHintTests {
    private let first = Position(epoch: "", seq: 0)

    @Test func `an inbox stands where its user's registration has seen it, and what came meanwhile is kept for it`() {
        let talk = TrackConversation(isInbox: true)
        talk.registering()
        #expect(talk.hear(6) == ["kept"])
        #expect(talk.registered(at: Position(epoch: "e1", seq: 5)) == ["deliver 6"])
        #expect(talk.follow() == ["start 1 at e1/6"])
    }

    @Test func `the first message of an inbox brings its epoch`() {
        let talk = TrackConversation(isInbox: true)
        talk.registering()
        _ = talk.registered(at: first)
        _ = talk.follow()
        #expect(talk.hear(1) == ["epoch e1/0", "deliver 1"])
    }

    @Test
    func `a registration that came about over a break spares no question, nor one that began without the subscription`()
    {
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

    @Test
    func
        `of several registrations at once the first says since when nothing was missed, and the track stays for the last`()
    {
        let talk = TrackConversation(isInbox: true)
        talk.registering()
        talk.registering()
        #expect(talk.registered(at: nil) == [])
        #expect(talk.tick(after: .seconds(3)) == [])
        #expect(talk.registered(at: first) == [])
        #expect(talk.position == first)
        #expect(talk.tick(after: .seconds(2)) == ["leave"])
    }

    @Test func `an inbox whose user was elsewhere meanwhile is caught up with, and one that has not moved is not`() {
        let talk = TrackConversation(isInbox: true)
        talk.registering()
        _ = talk.registered(at: Position(epoch: "e1", seq: 5))
        talk.registering()
        #expect(talk.registered(at: Position(epoch: "e1", seq: 5)) == [])
        talk.registering()
        #expect(talk.registered(at: Position(epoch: "e1", seq: 6)) == ["catch up after 5"])
        _ = talk.caughtUp(6, log: [6])
        talk.registering()
        #expect(talk.registered(at: nil) == ["catch up after 5"])
    }

    @Test func `who joins a followed room stands where the join has seen it, once the channel has come that far`() {
        let talk = TrackConversation.live(at: 5, keepsRoster: true, roster: 1)
        _ = talk.joined(at: 6, roster: 2)
        #expect(talk.follow(hub: 1) == [])
        #expect(talk.step(2, "amy") == [#"roster 2 ["amy"]"#])
        #expect(talk.hear(6) == ["deliver 6", "start 2 at e1/6 roster 2"])
        // One that comes with a position is asked about as ever.
        #expect(talk.follow(since: 5, hub: 1) == ["ask"])
    }

    @Test func `what a join has seen of another epoch, or too long ago, is not gone by`() {
        let talk = TrackConversation.live(at: 5, keepsRoster: true, roster: 1)
        _ = talk.joined(at: 5, "e2", roster: 1)
        #expect(talk.follow(hub: 1) == ["ask"])
        _ = talk.answered(5, roster: 1)
        _ = talk.joined(at: 5, roster: 1)
        #expect(talk.tick(after: .seconds(5)) == [])
        #expect(talk.follow(hub: 1) == ["ask"])
    }
}
