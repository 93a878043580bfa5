import GatewayCore
import Testing

@Suite
struct SessionPresenceTests {
    private func id(_ number: Int) -> RequestID { RequestID(json: Array(String(number).utf8)) }

    @Test func `members are listed by whoever may know of presence, a few pages at once`() {
        let talk = SessionConversation.live(limits: SessionLimits(maxReads: 1))
        talk.enter("r")
        #expect(talk.members(1, "r") == ["members 1 r 100"])
        #expect(talk.members(2, "r") == [])
        let room = SessionConversation.room("r")
        let page = MemberPage(members: [], count: 3, rosterVersion: 9, next: nil)
        #expect(talk.answered(.members(id: id(1), room: room, result: .success(page))) == ["members 1 3"])
        #expect(talk.lines(talk.machine.pageLeft()) == ["members 2 r 100"])
        let bad = talk.answered(.members(id: id(2), room: room, result: .failure(.badCursor)))
        #expect(bad == ["error 2 bad_request"])
    }

    @Test func `a token without presence hides the roster, whoever comes and goes, and the list`() throws {
        let grants = RoomGrants([(try #require(RoomPattern("*")), [.join, .publish])])
        let talk = SessionConversation.live(grants: grants)
        _ = talk.join(1, "r")
        _ = talk.enrolled("r")
        #expect(talk.ready("r", members: 2).first == "joined 1 r at 7")
        #expect(!talk.seesPresence(in: "r"))
        #expect(talk.members(2, "r") == ["error 2 forbidden"])
    }

    @Test func `a member shows something else of itself in one room, and nobody else does`() {
        let talk = SessionConversation.live()
        let info = Array(#"{"n":1}"#.utf8)
        let room = SessionConversation.room("r")
        #expect(talk.ask(1, .presence(room: room, info: info)) == ["error 1 not_member"])
        _ = talk.join(2, "r")
        #expect(talk.ask(3, .presence(room: room, info: info)) == [])
        _ = talk.enrolled("r")
        #expect(talk.ready("r").last == #"show 3 {"n":1} in r"#)
        #expect(talk.answered(.shown(id: id(3), result: .success(()))) == ["ack 3"])
        let failure = BackendError.unavailable(reason: "away")
        #expect(talk.answered(.shown(id: id(4), result: .failure(failure))) == ["error 4 unavailable"])
    }

    @Test func `a connection says that it is away, whatever rooms it is in`() {
        let talk = SessionConversation.live()
        #expect(talk.ask(1, .state(.away)) == ["state 1 away"])
        #expect(talk.answered(.shown(id: id(1), result: .success(()))) == ["ack 1"])
    }

    @Test func `without a room it is shown in all, and in those that are joined later`() {
        let talk = SessionConversation.live()
        let info = Array(#"{"n":1}"#.utf8)
        #expect(talk.ask(1, .presence(room: nil, info: info)) == ["ack 1"])
        #expect(talk.join(2, "r") == [#"enroll r {"n":1}"#])
        let other = Array(#"{"n":2}"#.utf8)
        #expect(talk.ask(3, .presence(room: nil, info: other)) == [], "it waits for the join")
        _ = talk.enrolled("r")
        #expect(talk.ready("r").last == #"show 3 {"n":2} in r"#)
        talk.enter("s")
        #expect(talk.ask(4, .presence(room: nil, info: info)) == [#"show 4 {"n":1} in r s"#])
    }

    @Test func `users are watched up to the limit, each counted once; unwatching is answered and makes room`() {
        let talk = SessionConversation.live(limits: SessionLimits(maxWatched: 2))
        #expect(talk.watch(1, "bob", "bob") == ["watch 1 bob"])
        #expect(talk.watching(1, "bob") == ["watching 1 1"])
        #expect(talk.watch(2, "bob", "carol") == ["watch 2 bob carol"])
        #expect(talk.watching(2, "bob", "carol") == ["watching 2 2"])
        #expect(talk.watch(3, "dave") == ["error 3 forbidden"])
        #expect(talk.unwatch(4, "bob", "dave") == ["unwatch bob", "watching 4 0"])
        #expect(talk.unwatch(5, "bob") == ["watching 5 0"])
        #expect(talk.watch(6, "dave") == ["watch 6 dave"])
    }

    @Test func `users unwatched before the answer give no place to others without end`() {
        let talk = SessionConversation.live(limits: SessionLimits(maxWatched: 2))
        for id in 0..<2 {
            #expect(talk.watch(id, "u\(id)", "v\(id)") == ["watch \(id) u\(id) v\(id)"])
            _ = talk.unwatch(9, "u\(id)", "v\(id)")
        }
        #expect(talk.watch(2, "bob") == ["error 2 rate_limited"])
        _ = talk.watching(0, "u0", "v0")
        #expect(talk.watch(3, "bob") == ["watch 3 bob"])
        _ = talk.answered(.watchFailed(id: id(1), asked: 2, unwatched: [], error: .conflict))
        #expect(talk.watch(4, "bob", "carol") == ["watch 4 bob carol"])
    }

    @Test func `a watch or unwatch counts as a frame for each fifty users`() {
        let talk = SessionConversation.live(limits: SessionLimits(rate: RateLimit(perSecond: 1, burst: 10)))
        let users = (0..<200).map { UserID(unchecked: "u\($0)") }
        #expect(talk.ask(1, .watch(users: Array(users.prefix(51)))).count == 1)
        #expect(talk.ask(2, .unwatch(users: users)).last == "watching 2 0")
        for id in 3...6 { #expect(talk.ping(id) == ["pong \(id)"]) }
        #expect(talk.ping(7) == ["error 7 rate_limited"])
    }

    @Test func `users that could not be watched leave their places free`() {
        let talk = SessionConversation.live(limits: SessionLimits(maxWatched: 1))
        _ = talk.watch(1, "bob")
        let bob = UserID(unchecked: "bob")
        let error = BackendError.unavailable(reason: "secret")
        let failed = talk.answered(.watchFailed(id: id(1), asked: 1, unwatched: [bob], error: error))
        #expect(failed == ["error 1 unavailable"])
        #expect(!talk.isWatching(bob.string))
        #expect(talk.watch(2, "carol") == ["watch 2 carol"])
    }

    @Test func `a signal goes from a member, by its own name, and is answered by an acknowledgement or the error`() {
        let talk = SessionConversation.live()
        #expect(talk.signal(1, "bob", "r") == ["error 1 not_member"])
        #expect(talk.signal(2, "bob", "*") == ["error 2 not_member"])
        _ = talk.join(3, "r")
        #expect(talk.signal(4, "bob", "r") == [])
        _ = talk.enrolled("r")
        #expect(talk.ready("r").last == "signal 4 alice to bob in r")
        #expect(talk.answered(.signalled(id: id(4), result: .success(()))) == ["ack 4"])
        #expect(talk.answered(.signalled(id: id(4), result: .failure(.notFound))) == ["error 4 not_found"])
    }

    @Test func `in a room that keeps no presence nobody is signalled, and it says so`() throws {
        let pattern = try #require(RoomPattern("quiet*"))
        let rule = RoomRule(pattern: pattern, presence: .off, log: LogLimits(size: 10, age: .seconds(60)))
        let talk = SessionConversation.live(rules: RoomRules(rules: [rule]))
        #expect(talk.signal(1, "bob", "quiet") == ["error 1 not_member"])
        _ = talk.join(2, "quiet")
        _ = talk.ready("quiet")
        #expect(talk.signal(3, "bob", "quiet") == ["error 3 forbidden"])
    }

    @Test func `who may only listen in a room signals nobody there`() throws {
        let pattern = try #require(RoomPattern("r"))
        let listener = RoomGrants([(pattern, [.join, .presence])])
        var rule = RoomRule(pattern: pattern, log: LogLimits(size: 10, age: .seconds(60)))
        rule.allow = [.join, .history]
        for talk in [
            SessionConversation.live(grants: listener), SessionConversation.live(rules: RoomRules(rules: [rule])),
        ] {
            _ = talk.join(1, "r")
            _ = talk.enrolled("r")
            _ = talk.ready("r")
            #expect(talk.signal(2, "bob", "r") == ["error 2 forbidden"])
        }
    }
}
