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
        #expect(talk.ready("a") == ["gap a at 7", "enter a at 7 missed 0"], "what came since it was due is lost")
        _ = talk.ready("*")
        _ = talk.ready("@alice")
        // A resume that comes too late repeats what was missed.
        #expect(talk.resume(1, ["a": 5]) == ["follow a since 5"])
        #expect(talk.ready("a") == ["resumed 1 a at 7", "enter a at 7 missed 0"])
    }

    /// Alice's room of which `resume` was told that it is unavailable.
    private func unavailable(since: Int?) -> SessionConversation {
        let talk = SessionConversation.resumed("a")
        _ = talk.resume(1, since.map { ["a": $0] } ?? [:])
        _ = talk.ready("*")
        _ = talk.ready("@alice")
        #expect(
            talk.failed("a") == [
                "resumed 1 a unavailable", "enter * at 7 missed 0", "enter @alice at 7 missed 0", "follow a later",
            ])
        return talk
    }

    private func retry(_ talk: SessionConversation) -> [String] {
        talk.lines(talk.machine.retry(SessionConversation.room("a")))
    }

    @Test func `a room whose stream cannot be had is told as unavailable and goes on from its position when it can`() {
        let talk = unavailable(since: 4)
        #expect(retry(talk) == ["follow a since 4"])
        #expect(talk.failed("a") == ["follow a later"])
        #expect(retry(talk) == ["follow a since 4"])
        let missed = [5, 6, 7].map { SessionConversation.message("a", $0) }
        #expect(talk.ready("a", missed: missed) == ["enter a at 7 missed 3"])
    }

    @Test func `where what it missed is lost by then, or it had no position, it is told a gap`() {
        let lost = unavailable(since: 4)
        #expect(lost.ready("a", recovered: false) == ["gap a at 7", "enter a at 7 missed 0"])
        let part = unavailable(since: 4)
        let missed = [SessionConversation.message("a", 7)]
        #expect(part.ready("a", recovered: false, missed: missed) == ["gap a at 6", "enter a at 7 missed 1"])
        let unnamed = unavailable(since: nil)
        #expect(unnamed.ready("a") == ["gap a at 7", "enter a at 7 missed 0"])
    }

    @Test func `and where it goes on under another epoch, that`() {
        let talk = unavailable(since: 4)
        #expect(talk.ready("a", epoch: "f") == ["epoch a f at 4", "enter a at 7 missed 0"])
    }

    @Test func `a join with a position that comes meanwhile is answered behind that`() {
        let talk = unavailable(since: 4)
        #expect(talk.join(2, "a", since: 4) == [])
        #expect(talk.ready("a") == ["enter a at 7 missed 0", "follow a since 4"])
        #expect(talk.ready("a") == ["joined 2 a at 7", "enter a at 7 missed 0"])
    }

    @Test func `a room that went on without a position, and cannot be repeated, is repeated as soon as it can`() {
        let talk = SessionConversation.resumed("a")
        _ = talk.wait(.seconds(10))
        for room in ["*", "@alice", "a"] { _ = talk.ready(room) }
        #expect(talk.resume(1, ["a": 4]) == ["follow a since 4"])
        #expect(talk.failed("a") == ["resumed 1 a unavailable", "follow a later"])
        #expect(talk.isMember(of: "a"))
        #expect(retry(talk) == ["follow a since 4"])
        #expect(talk.ready("a", recovered: false) == ["gap a at 7", "enter a at 7 missed 0"])
    }

    @Test func `so does one that was to be joined with its position, whose join was refused for want of Redis`() {
        let talk = SessionConversation.resumed("a")
        #expect(talk.join(1, "a", since: 4) == ["follow a since 4"])
        #expect(talk.failed("a") == ["error 1 unavailable", "follow a later"])
        #expect(retry(talk) == ["follow a since 4"])
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
