import GatewayCore
import Testing

@Suite("A session and the rooms that it is not in")
struct SessionOutsideTests {
    private func pattern(_ text: String) throws -> RoomPattern { try #require(RoomPattern(text)) }

    @Test func `members and history are for those in the room, before a join and after the leave`() {
        let talk = SessionConversation.live()
        #expect(talk.read(1, "r") == ["error 1 not_member"])
        #expect(talk.members(2, "r") == ["error 2 not_member"])
        talk.enter("r")
        #expect(talk.read(3, "r") == ["history 3 r"])
        #expect(talk.members(4, "r") == ["members 4 r 100"])
        _ = talk.leave(5, "r")
        #expect(talk.read(6, "r") == ["error 6 not_member"])
        #expect(talk.members(7, "r") == ["error 7 not_member"])
    }

    @Test func `what is asked while the join is under way waits for it, and is refused where it fails`() {
        let talk = SessionConversation.live()
        _ = talk.join(1, "r")
        #expect(talk.read(2, "r") == [])
        #expect(talk.members(3, "r") == [])
        _ = talk.enrolled("r")
        #expect(talk.ready("r").suffix(2) == ["history 2 r", "members 3 r 100"])
        _ = talk.join(4, "s")
        #expect(talk.read(5, "s") == [])
        #expect(talk.enrollmentFailed("s") == ["error 4 unavailable", "error 5 not_member"])
    }

    @Test func `a member that joins again with a position, or whose session came back, need not wait`() {
        let talk = SessionConversation.live()
        talk.enter("r")
        _ = talk.join(1, "r", since: 5)
        #expect(talk.read(2, "r") == ["history 2 r"])
        let resumed = SessionConversation.resumed("r")
        #expect(resumed.read(1, "r") == ["history 1 r"])
        _ = resumed.resume(2, ["r": 5])
        #expect(resumed.members(3, "r") == ["members 3 r 100"])
    }

    @Test func `a room's rule lets others look in, each right for itself, also while a join is under way`() throws {
        let log = LogLimits(size: 1, age: .seconds(1))
        let rules = RoomRules(rules: [
            RoomRule(pattern: try pattern("news"), outside: [.history], log: log),
            RoomRule(pattern: try pattern("board"), outside: [.presence], log: log),
            RoomRule(pattern: try pattern("dark"), allow: [.join], outside: [.presence, .history], log: log),
        ])
        let talk = SessionConversation.live(rules: rules)
        #expect(talk.read(1, "news") == ["history 1 news"])
        #expect(talk.members(2, "news") == ["error 2 not_member"])
        #expect(talk.members(3, "board") == ["members 3 board 100"])
        #expect(talk.read(4, "board") == ["error 4 not_member"])
        #expect(talk.read(5, "dark") == ["error 5 forbidden"])
        #expect(talk.members(6, "dark") == ["error 6 forbidden"])
        _ = talk.join(7, "news")
        #expect(talk.read(8, "news") == ["history 8 news"])
    }

    @Test func `a token that grants reading and not joining is an observer's`() throws {
        let grants = RoomGrants([
            (try pattern("lesson-*"), [.presence, .history]), (try pattern("lesson-7"), [.join]),
        ])
        let talk = SessionConversation.live(grants: grants)
        #expect(talk.members(1, "lesson-1") == ["members 1 lesson-1 100"])
        #expect(talk.read(2, "lesson-1") == ["history 2 lesson-1"])
        #expect(talk.members(3, "lesson-7") == ["error 3 not_member"])
        #expect(talk.read(4, "lesson-7") == ["error 4 not_member"])
        #expect(talk.join(5, "lesson-1") == ["error 5 forbidden"])
    }
}
