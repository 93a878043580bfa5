import GatewayCore
import Testing

@Suite
struct RoomPatternTests {
    private func matches(_ pattern: String, _ room: String) throws -> Bool {
        let pattern = try #require(RoomPattern(pattern))
        return pattern.matches(try #require(RoomName(room: room)))
    }

    @Test(
        arguments: [
            ("lesson-*", "lesson-7", true), ("lesson-*", "lesson-", true), ("lesson-*", "lesson", false),
            ("*", "anything", true), ("*-chat", "a-chat", true), ("*-chat", "chat", false),
            ("a*b*c", "abc", true), ("a*b*c", "a1b2c", true), ("a*b*c", "acb", false), ("a*a", "a", false),
            ("a**b", "ab", true), ("*a*a*", "a", false), ("*a*a*", "aa", true), ("room", "room", true),
            ("room", "rooms", false), ("room", "Room", false), ("*ab*ab", "abab", true), ("*ab*ab", "ab", false),
        ])
    func `a star stands for any run of characters, the empty one too`(pattern: String, room: String, isMatch: Bool)
        throws
    {
        #expect(try matches(pattern, room) == isMatch)
    }

    @Test(arguments: ["", "a b", "@u", "ü", "a?", "a/b"])
    func `a pattern holds what a room's name may hold, and stars`(pattern: String) {
        #expect(RoomPattern(pattern) == nil)
    }

    @Test func `a pattern of many stars takes a long name without trying every way`() throws {
        let pattern = String(repeating: "a*", count: 60) + "b"
        #expect(try !matches(pattern, String(repeating: "a", count: 128)))
    }
}

@Suite
struct RoomRulesTests {
    private let alice = Identity(userId: UserID(unchecked: "alice"))
    private let room = RoomName(unchecked: "lesson-1")
    private let day = Duration.seconds(86_400)

    private func pattern(_ text: String) throws -> RoomPattern { try #require(RoomPattern(text)) }

    @Test(arguments: RoomAction.allCases)
    func `where nothing is configured everything is allowed`(action: RoomAction) {
        #expect(RoomRules().allows(action, in: room, for: alice))
    }

    @Test func `the first rule that matches wins`() throws {
        let rules = RoomRules(rules: [
            RoomRule(pattern: try pattern("lesson-1"), allow: [.join], log: LogLimits(size: 1, age: day)),
            RoomRule(pattern: try pattern("lesson-*"), allow: [.publish], log: LogLimits(size: 2, age: day)),
        ])
        #expect(rules.allows(.join, in: room, for: alice))
        #expect(!rules.allows(.publish, in: room, for: alice))
        #expect(rules.log(of: room).size == 1)
        #expect(rules.log(of: RoomName(unchecked: "lesson-2")).size == 2)
        #expect(rules.log(of: RoomName(unchecked: "other")).size == 1000)
        #expect(rules.log(of: .everyone).size == 100)
    }

    @Test func `a token's rooms are all that is allowed, whatever the configuration says`() throws {
        let grants = RoomGrants([
            (try pattern("lesson-*"), [.join]), (try pattern("*-1"), [.history]),
        ])
        let identity = Identity(userId: alice.userId, grants: grants)
        let rules = RoomRules()
        #expect(rules.allows(.join, in: room, for: identity))
        #expect(rules.allows(.history, in: room, for: identity))
        #expect(!rules.allows(.publish, in: room, for: identity))
        #expect(!rules.allows(.join, in: RoomName(unchecked: "other"), for: identity))
        let nothing = Identity(userId: alice.userId, grants: RoomGrants([]))
        #expect(RoomAction.allCases.allSatisfy { !rules.allows($0, in: room, for: nothing) })
    }

    @Test func `a client reads its own inbox and everyone's room, and writes to neither`() {
        let rules = RoomRules()
        let own = RoomName(inboxOf: alice.userId)
        let foreign = RoomName(inboxOf: UserID(unchecked: "bob"))
        #expect(rules.allows(.history, in: own, for: alice))
        #expect(rules.allows(.join, in: .everyone, for: alice))
        #expect(!rules.allows(.publish, in: own, for: alice))
        #expect(!rules.allows(.publish, in: .everyone, for: alice))
        #expect(RoomAction.allCases.allSatisfy { !rules.allows($0, in: foreign, for: alice) })
    }

    @Test
    func `from outside a room may be read where its rule says so, or by a token that grants reading and not joining`()
        throws
    {
        let log = LogLimits(size: 1, age: day)
        let rules = RoomRules(rules: [RoomRule(pattern: try pattern("open-*"), outside: [.history], log: log)])
        let open = RoomName(unchecked: "open-1")
        #expect(rules.allowsOutside(.history, in: open, for: alice))
        #expect(!rules.allowsOutside(.presence, in: open, for: alice))
        #expect(!rules.allowsOutside(.history, in: room, for: alice))
        #expect(rules.allowsOutside(.history, in: .everyone, for: alice))
        #expect(rules.allowsOutside(.history, in: RoomName(inboxOf: alice.userId), for: alice))
        let observer = Identity(
            userId: alice.userId,
            grants: RoomGrants([(try pattern("lesson-*"), [.presence]), (try pattern("*"), [.history])]))
        #expect(rules.allowsOutside(.presence, in: room, for: observer))
        #expect(rules.allowsOutside(.history, in: room, for: observer))
        let pupil = Identity(
            userId: alice.userId,
            grants: RoomGrants([(try pattern("lesson-*"), [.presence, .history]), (try pattern("*-1"), [.join])]))
        #expect(!rules.allowsOutside(.presence, in: room, for: pupil))
        #expect(rules.allowsOutside(.presence, in: RoomName(unchecked: "lesson-2"), for: pupil))
    }

    @Test func `grants are equal when they name the same patterns and actions`() throws {
        let one = RoomGrants([(try pattern("a-*"), [.join, .publish])])
        let same = RoomGrants([(try pattern("a-*"), [.publish, .join])])
        let other = RoomGrants([(try pattern("a-*"), [.join])])
        #expect(one == same)
        #expect(Set([one, same]).count == 1)
        #expect(one != other)
    }
}
