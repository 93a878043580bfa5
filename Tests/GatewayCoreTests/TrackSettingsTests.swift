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

    @Test func `a room that was closed and opened again while a link was broken is told as both`() {
        let talk = TrackConversation.live(at: 5)
        #expect(talk.heard(settings: 7))
        _ = talk.compared(5, settings: 11)
        #expect(talk.caughtUp(5, settings: 11, closedAt: 9) == ["closed 9", "updated 11"])
        // Long ago, and known.
        _ = talk.compared(5, settings: 12)
        #expect(talk.caughtUp(5, settings: 12, closedAt: 9) == ["updated 12"])
    }

    @Test func `a version that something else brought is told once, with the settings as they were`() {
        let talk = TrackConversation.live(at: 5)
        #expect(talk.heard(settings: 7))
        #expect(talk.heard(version: 8)?.settings == Array("{}".utf8))
        #expect(talk.heard(version: 8) == nil)
        #expect(!talk.heard(settings: 8))
        #expect(talk.compared(5, settings: 8) == [])
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
