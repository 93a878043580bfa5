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
        #expect(talk.completeSettings() == ["catch up after 5"])
        #expect(talk.caughtUp(5, state: state(7)) == [])
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
        _ = talk.completeSettings()
        _ = talk.caughtUp(5, state: state(7))
        let bob = RoomPerson(user: UserID(unchecked: "bob"), change: .role(.moderator))
        let state = talk.heard(bob, version: 8)
        #expect(state?.settings == Array("{}".utf8) && state?.role(of: bob.user) == .moderator)
        #expect(talk.heard(bob, version: 8) == nil)
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

    // MARK: Who is what

    private let ann = UserID(unchecked: "ann")
    private let bob = UserID(unchecked: "bob")

    private func state(_ version: Int64, _ roles: [UserID: RoleName] = [:]) -> RoomState {
        RoomState(version: version, settings: Array("{}".utf8), roles: roles)
    }

    @Test func `roles follow from what the channel tells, and outlive other settings`() {
        let talk = TrackConversation.live(at: 5)
        #expect(talk.heard(settings: 7))
        #expect(talk.completeSettings() == ["catch up after 5"])
        #expect(talk.caughtUp(5, state: state(7, [ann: .moderator])) == ["updated 7"])
        #expect(talk.heard(RoomPerson(user: bob, change: .host), version: 8)?.roles == [ann: .moderator, bob: .host])
        #expect(talk.heard(RoomPerson(user: bob, change: .muted(until: nil)), version: 9)?.roles.count == 2)
        #expect(talk.told(settings: 10)?.roles == [ann: .moderator, bob: .host])
        #expect(talk.settings?.roles == [ann: .moderator, bob: .host])
        // One chair.
        #expect(talk.heard(RoomPerson(user: ann, change: .host), version: 11)?.roles == [ann: .host])
        #expect(talk.heard(RoomPerson(user: ann, change: .role(.member)), version: 12)?.roles == [:])
        #expect(talk.completeSettings() == [])
    }

    @Test func `what a change before has told is asked for where that has not come, and told where it says more`() {
        let talk = TrackConversation.live(at: 5)
        #expect(talk.heard(settings: 7))
        #expect(talk.knownSettings == -1)
        #expect(talk.completeSettings() == ["catch up after 5"])
        // As the channel has told it.
        #expect(talk.caughtUp(5, state: state(7)) == [])
        #expect(talk.knownSettings == 7 && talk.completeSettings() == [])
        #expect(talk.heard(RoomPerson(user: ann, change: .role(.moderator)), version: 9) != nil)
        #expect(talk.completeSettings() == ["catch up after 5"])
        // Another comes meanwhile, and the answer is older.
        #expect(talk.heard(RoomPerson(user: bob, change: .host), version: 10) != nil)
        #expect(talk.caughtUp(5, state: state(9, [ann: .moderator])) == [])
        #expect(talk.compared(5, settings: 10) == ["catch up after 5"])
        let roles = [ann: RoleName.moderator, bob: .host, UserID(unchecked: "cid"): .moderator]
        #expect(talk.caughtUp(5, state: state(10, roles)) == ["updated 10"])
        #expect(talk.settings?.roles == roles && talk.knownSettings == 10)
    }

    @Test func `of a room that is closed nobody is anything, and nothing is missing`() {
        let talk = TrackConversation.live(at: 5)
        #expect(talk.heard(RoomPerson(user: ann, change: .host), version: 7) != nil)
        #expect(talk.heard(closed: 9))
        #expect(talk.settings?.roles == [:] && talk.completeSettings() == [])
        #expect(talk.heard(settings: 10))
        #expect(talk.completeSettings() == [])
    }

    @Test func `what came before the first answer is asked for behind it`() {
        let talk = TrackConversation()
        _ = talk.subscribed()
        _ = talk.follow()
        #expect(!talk.heard(settings: 8))
        #expect(talk.completeSettings() == [])
        #expect(talk.answered(5).contains("catch up after 5"))
        #expect(talk.caughtUp(5, state: state(8, [ann: .host])) == ["updated 8"])
    }
}
