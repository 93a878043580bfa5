import GatewayCore
import Testing

@Suite("Whom a session may watch")
struct SessionWatchTests {
    private func id(_ number: Int) -> RequestID { RequestID(json: Array(String(number).utf8)) }

    /// One that may watch those in its rooms, and is in these.
    private func live(
        _ rooms: String..., rules: RoomRules = RoomRules(), limits: SessionLimits = SessionLimits()
    ) -> SessionConversation {
        let talk = SessionConversation.live(rules: rules, watchRight: .sameRoom, limits: limits)
        for room in rooms { talk.enter(room) }
        return talk
    }

    @Test func `where nobody may be watched each is named as forbidden, and nobody is asked about`() {
        let talk = SessionConversation.live(watchRight: .nobody)
        #expect(talk.watch(1, "bob", "carol", "bob") == ["watching 1 0 bob forbidden carol forbidden"])
        #expect(!talk.isWatching("bob"))
        #expect(talk.unwatch(2, "bob") == ["watching 2 0"])
    }

    @Test func `who shares a room is watched, the others are named as forbidden`() {
        let talk = live("r", "s")
        #expect(talk.watch(1, "bob", "carol", "dave") == ["ask 1 bob carol dave in r s"])
        #expect(
            talk.sharers(1, of: ["bob", "carol", "dave"], ["carol", "erin"]) == [
                "unwatch bob dave", "watch 1 carol not bob dave",
            ])
        let states = [UserStatus(userId: UserID(unchecked: "carol"), isOnline: true, lastSeen: nil)]
        let refused = ["bob", "dave"].map { UserID(unchecked: $0) }
        #expect(
            talk.answered(.watching(id: id(1), users: states, refused: refused)) == [
                "watching 1 1 bob forbidden dave forbidden"
            ])
        #expect(talk.isWatching("carol"))
        #expect(!talk.isWatching("bob"))
    }

    @Test func `where nobody shares a room the answer is there at once, and one watched before is watched no longer`() {
        let talk = live("r")
        _ = talk.watch(1, "bob")
        _ = talk.sharers(1, of: ["bob"], ["bob"])
        _ = talk.watching(1, "bob")
        _ = talk.watch(2, "bob")
        #expect(talk.sharers(2, of: ["bob"], []) == ["unwatch bob", "watching 2 0 bob forbidden"])
        let alone = live()
        #expect(alone.watch(1, "bob") == ["unwatch bob", "watching 1 0 bob forbidden"])
    }

    @Test func `a room whose members one may not know of makes nobody watchable`() throws {
        let log = LogLimits(size: 1, age: .seconds(1))
        let rules = RoomRules(rules: [
            RoomRule(pattern: try #require(RoomPattern("dark")), allow: [.join], log: log),
            RoomRule(pattern: try #require(RoomPattern("feed")), presence: .off, log: log),
        ])
        let talk = live("dark", "open", rules: rules)
        _ = talk.join(0, "feed")
        _ = talk.ready("feed")
        #expect(talk.watch(1, "bob") == ["ask 1 bob in open"])
    }

    @Test func `a watch that comes with the joins waits until they are through`() {
        let talk = live("r")
        _ = talk.join(1, "s")
        _ = talk.join(2, "t")
        #expect(talk.watch(3, "bob") == [])
        _ = talk.enrolled("s")
        #expect(talk.ready("s").count == 2)
        #expect(talk.enrollmentFailed("t") == ["error 2 unavailable", "ask 3 bob in r s"])
    }

    @Test func `an unwatch waits behind a watch that waits`() {
        let talk = live("r")
        _ = talk.join(1, "s")
        #expect(talk.watch(2, "bob") == [])
        #expect(talk.ask(3, .unwatch(users: [UserID(unchecked: "bob")])) == [])
        _ = talk.enrolled("s")
        let answers = talk.ready("s")
        #expect(answers.suffix(3) == ["ask 2 bob in r s", "unwatch bob", "watching 3 0"])
        #expect(!talk.isWatching("bob"))
    }

    @Test func `few questions at once, and each counts by users and rooms against the rate`() {
        let talk = live("r", limits: SessionLimits(rate: RateLimit(perSecond: 1, burst: 20)))
        for id in 1...4 { #expect(talk.watch(id, "u\(id)") == ["ask \(id) u\(id) in r"]) }
        #expect(talk.watch(5, "u5") == ["error 5 rate_limited"])
        _ = talk.sharers(1, of: ["u1"], [])
        #expect(talk.watch(6, "u6") == ["ask 6 u6 in r"])
        let crowded = live(limits: SessionLimits(rate: RateLimit(perSecond: 1, burst: 125)))
        for number in 0..<50 { crowded.enter("r\(number)") }
        let users = (0..<100).map { UserID(unchecked: "u\($0)") }
        #expect(crowded.ask(1, .watch(users: users)).count == 1)
        // Fifty joins and a watch that counts as fifty frames.
        for id in 2...26 { #expect(crowded.ping(id) == ["pong \(id)"]) }
        #expect(crowded.ping(27) == ["error 27 rate_limited"])
    }

    @Test func `where it cannot be known who shares a room the request fails, and those watched before still are`() {
        let talk = live("r", limits: SessionLimits(maxWatched: 2))
        _ = talk.watch(1, "bob")
        _ = talk.sharers(1, of: ["bob"], ["bob"])
        _ = talk.watching(1, "bob")
        _ = talk.watch(2, "bob", "carol")
        let users = ["bob", "carol"].map { UserID(unchecked: $0) }
        let failed = talk.answered(
            .sharersUnknown(
                id: id(2), users: users, unwatched: [users[1]], error: .backend(.unavailable(reason: "secret"))))
        #expect(failed == ["error 2 unavailable"])
        #expect(talk.isWatching(users[0].string))
        #expect(!talk.isWatching(users[1].string))
        #expect(talk.watch(3, "dave") == ["ask 3 dave in r"])
    }
}
