import GatewayCore
import Testing

@Suite
struct SessionResumeTests {
    @Test func `a resumed session is welcomed with nothing entered`() {
        let talk = SessionConversation()
        #expect(talk.open(.identity(SessionConversation.identity()), session: "s0") == ["register resuming s0"])
        #expect(talk.registered(["r"]) == ["follow *", "follow @alice"])
        _ = talk.ready("*")
        #expect(talk.ready("@alice") == ["welcome alice session s1 resumed time 5"])
        #expect(talk.isMember(of: "r"))
    }

    @Test func `resume asks for all rooms, named or not, and is answered once all have answered`() {
        let talk = SessionConversation.resumed("b", "a")
        #expect(
            talk.resume(1, ["a": 4, "@alice": 2]) == [
                "follow *", "follow @alice since 2", "follow a since 4", "follow b",
            ])
        #expect(talk.ready("a", recovered: false, missed: [SessionConversation.message("a", 7)]) == [])
        #expect(talk.ready("*") == [])
        #expect(talk.ready("@alice", seq: 3) == [])
        #expect(
            talk.ready("b", seq: 9) == [
                "resumed 1 @alice at 3, a at 7 lost, b at 9", "enter * at 7 missed 0", "enter @alice at 3 missed 0",
                "enter a at 7 missed 1", "enter b at 9 missed 0",
            ])
        #expect(talk.resume(2) == ["error 2 conflict"])
    }

    @Test func `rooms that are no longer allowed are told, and rooms that the session did not hold`() {
        let talk = SessionConversation.resumed("a", forbidden: ["z"])
        _ = talk.resume(1, ["a": 1, "z": 1, "never": 1, "@bob": 1])
        _ = talk.ready("*")
        _ = talk.ready("@alice")
        #expect(talk.ready("a").first == "resumed 1 @bob forbidden, a at 7, never not_member, z forbidden")
    }

    @Test func `a room joined by itself takes its position from there, the others go on waiting`() {
        let talk = SessionConversation.resumed("a", "b")
        #expect(talk.join(1, "a", since: 4) == ["follow a since 4"])
        #expect(talk.ready("a") == ["joined 1 a at 7", "enter a at 7 missed 0"])
        #expect(talk.resume(2, ["b": 1]) == ["follow *", "follow @alice", "follow b since 1"])
    }

    @Test func `rooms that nobody gives a position for go on after ten seconds, without a word`() {
        let talk = SessionConversation.resumed("a")
        let welcomed = talk.now
        #expect(talk.deadline(wall: 0) == welcomed + .seconds(10))
        #expect(talk.wait(.milliseconds(9_999)) == [])
        #expect(talk.wait(.milliseconds(1)) == ["follow *", "follow @alice", "follow a"])
        #expect(talk.deadline(wall: 0) == nil)
        #expect(talk.failed("a") == ["follow a later"])
        #expect(talk.lines(talk.machine.retry(SessionConversation.room("a"))) == ["follow a"])
        #expect(talk.ready("a") == ["enter a at 7 missed 0"])
        _ = talk.ready("*")
        _ = talk.ready("@alice")
        // A resume that comes too late repeats what was missed.
        #expect(talk.resume(1, ["a": 5]) == ["follow a since 5"])
        #expect(talk.ready("a") == ["resumed 1 a at 7", "enter a at 7 missed 0"])
    }

    @Test func `a room whose stream cannot be had is told as unavailable and goes on when it can`() {
        let talk = SessionConversation.resumed("a")
        _ = talk.resume(1, ["a": 4])
        _ = talk.ready("*")
        _ = talk.ready("@alice")
        #expect(
            talk.failed("a") == [
                "resumed 1 a unavailable", "enter * at 7 missed 0", "enter @alice at 7 missed 0", "follow a later",
            ])
        #expect(talk.ready("a") == ["enter a at 7 missed 0"])
    }

    @Test func `a room that waits can be left and written to`() {
        let talk = SessionConversation.resumed("a")
        #expect(talk.say(1, "a") == ["publish 1 a by alice"])
        #expect(talk.leave(2, "a") == ["withdraw a", "leave a", "left 2 a"])
        #expect(talk.resume(3, ["a": 4]) == ["follow *", "follow @alice"])
        _ = talk.ready("*")
        #expect(talk.ready("@alice").first == "resumed 3 a not_member")
    }

    @Test func `what is asked of a room while resume gathers waits for its end`() {
        let talk = SessionConversation.resumed("a")
        _ = talk.resume(1, ["a": 4])
        #expect(talk.say(2, "a") == [])
        _ = talk.ready("a")
        #expect(talk.leave(3, "a") == [])
        #expect(talk.resume(4) == ["error 4 conflict"])
        _ = talk.ready("*")
        #expect(
            talk.ready("@alice") == [
                "resumed 1 a at 7", "enter * at 7 missed 0", "enter @alice at 7 missed 0", "enter a at 7 missed 0",
                "publish 2 a by alice", "withdraw a", "leave a", "left 3 a",
            ])
    }

    @Test func `a new session has nothing to resume`() {
        let talk = SessionConversation.live()
        #expect(talk.resume(1, ["a": 4]) == ["error 1 conflict"])
    }

    @Test func `a narrower token that comes while rooms wait, or while they are gathered, takes them along`() throws {
        let grants = RoomGrants([(try #require(RoomPattern("a")), Set(RoomAction.allCases))])
        let narrow = SessionConversation.identity(grants: grants)
        let waiting = SessionConversation.resumed("a", "b", tokens: true)
        _ = waiting.auth(1, "t")
        #expect(waiting.verified(narrow) == ["authenticated 1 0", "withdraw b", "leave b", "left - b"])
        let gathering = SessionConversation.resumed("a", "b", tokens: true)
        _ = gathering.resume(1)
        _ = gathering.auth(2, "t")
        #expect(gathering.verified(narrow) == ["authenticated 2 0"])
        for room in ["*", "@alice", "a"] { _ = gathering.ready(room) }
        #expect(
            gathering.ready("b") == [
                "resumed 1 a at 7, b forbidden", "enter * at 7 missed 0", "enter @alice at 7 missed 0",
                "enter a at 7 missed 0", "withdraw b", "leave b",
            ])
    }

    @Test func `the end of a resumed session names its rooms, and its registry is told`() {
        let talk = SessionConversation.resumed("a")
        #expect(talk.end(.lost) == ["*", "@alice", "a", "abrupt lost"])
    }
}
