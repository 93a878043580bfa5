import GatewayCore
import Testing

@Suite("A followed room's settings")
struct TrackSettingsTests {
    @Test func `each version is told once, and none that is older than what was told`() {
        let talk = TrackConversation.live(at: 5)
        #expect(talk.heard(settings: 7))
        #expect(!talk.heard(settings: 7))
        #expect(!talk.heard(settings: 6))
        #expect(talk.heard(settings: 9))
    }

    @Test func `what a broken link has not brought is found by comparison, and told once`() {
        let talk = TrackConversation.live(at: 5)
        #expect(talk.heard(settings: 7))
        #expect(talk.compared(5, settings: 7) == [])
        #expect(talk.compared(5, settings: 8) == ["catch up after 5"])
        #expect(talk.caughtUp(5, settings: 8) == ["updated 8"])
        #expect(!talk.heard(settings: 8))
        #expect(talk.compared(5, settings: 9) == ["catch up after 5"])
        #expect(talk.caughtUp(5, settings: 9, isClosed: true) == ["closed 9"])
    }

    @Test func `an answer that is older than what has come since changes nothing`() {
        let talk = TrackConversation.live(at: 5)
        #expect(talk.heard(settings: 7))
        _ = talk.compared(5, settings: 8)
        #expect(talk.heard(settings: 9))
        #expect(talk.caughtUp(5, settings: 8) == [])
        _ = talk.compared(5, "e2")
        #expect(talk.heard(settings: 12))
        #expect(talk.caughtUp(5, "e2", ends: "e1=5", settings: 10) == ["epoch e2/5"])
    }

    @Test func `a Redis that has lost the settings has that told, whatever version was known`() {
        let talk = TrackConversation.live(at: 5)
        #expect(talk.heard(settings: 7))
        _ = talk.compared(0, "", settings: 0)
        #expect(talk.caughtUp(0, "e2", settings: 0) == ["gap e2/0", "restored 0"])
        // Given again they are told like any others.
        #expect(talk.heard(settings: 3))
    }
}
