import GatewayCore
import Testing

@Suite
struct SessionRoomsTests {
    private func joined(_ rooms: String..., limits: SessionLimits = SessionLimits()) -> SessionConversation {
        var talk = SessionConversation.live(limits: limits)
        for room in rooms {
            _ = talk.join(0, room)
            _ = talk.ready(room)
        }
        return talk
    }

    @Test("a join is answered when the stream is there, then the room is entered")
    func join() {
        var talk = SessionConversation.live()
        #expect(talk.join(1, "r") == ["follow r"])
        #expect(!talk.machine.isMember(of: SessionConversation.room("r")))
        #expect(talk.ready("r", seq: 4) == ["joined 1 r at 4", "enter r"])
        #expect(talk.machine.isMember(of: SessionConversation.room("r")))
    }

    @Test("joining again tells where the room stands and changes nothing")
    func joinAgain() {
        var talk = joined("r")
        #expect(talk.join(1, "r") == ["position 1 r"])
        #expect(talk.join(2, "*") == ["position 2 *"])
    }

    @Test("a stream that cannot be had fails the join alone")
    func joinFails() {
        var talk = SessionConversation.live()
        _ = talk.join(1, "r")
        #expect(talk.failed("r") == ["error 1 unavailable"])
        #expect(talk.say(2, "r") == ["error 2 not_member"])
        #expect(talk.join(3, "r") == ["follow r"])
    }

    @Test("what is asked of a room before its join is answered waits for it, other rooms do not")
    func waitsForJoin() {
        var talk = joined("other")
        _ = talk.join(1, "r")
        #expect(talk.say(2, "r") == [])
        #expect(talk.leave(3, "r") == [])
        #expect(talk.join(4, "r") == [])
        #expect(talk.say(5, "r") == [])
        #expect(talk.say(6, "other") == ["publish 6 other by alice"])
        #expect(
            talk.ready("r") == [
                "joined 1 r at 7", "enter r", "publish 2 r by alice", "leave r", "left 3 r", "follow r",
            ])
        #expect(talk.ready("r", seq: 8) == ["joined 4 r at 8", "enter r", "publish 5 r by alice"])
    }

    @Test("what waits for a join that fails is answered as for a room not joined")
    func waitsInVain() {
        var talk = SessionConversation.live()
        _ = talk.join(1, "r")
        _ = talk.say(2, "r")
        _ = talk.leave(3, "r")
        #expect(talk.failed("r") == ["error 1 unavailable", "error 2 not_member", "left 3 r"])
    }

    @Test("too many requests for a room that is not there yet are refused, not kept")
    func tooManyWait() {
        var talk = SessionConversation.live(limits: SessionLimits(maxWaitingFrames: 2))
        _ = talk.join(1, "r")
        #expect(talk.say(2, "r") + talk.say(3, "r") == [])
        #expect(talk.say(4, "r") == ["error 4 rate_limited"])
        #expect(talk.ready("r") == ["joined 1 r at 7", "enter r", "publish 2 r by alice", "publish 3 r by alice"])
    }

    @Test("leaving ends the membership, and leaving what was not joined is answered as well")
    func leave() {
        var talk = joined("r")
        #expect(talk.leave(1, "r") == ["leave r", "left 1 r"])
        #expect(talk.leave(2, "r") == ["left 2 r"])
        #expect(talk.say(3, "r") == ["error 3 not_member"])
        #expect(talk.leave(4, "*") == ["error 4 bad_request"])
    }

    @Test("no more rooms than allowed, those not answered yet counted")
    func maxRooms() {
        var talk = joined("a", limits: SessionLimits(maxRooms: 2))
        _ = talk.join(1, "b")
        #expect(talk.join(2, "c") == ["error 2 forbidden"])
        _ = talk.leave(3, "a")
        #expect(talk.join(4, "c") == ["follow c"])
    }

    @Test("rules forbid joining, sending and reading, each for itself")
    func rules() throws {
        let log = LogLimits(size: 1, age: .seconds(1))
        let rules = RoomRules(rules: [
            RoomRule(pattern: try #require(RoomPattern("silent")), allow: [.join], log: log),
            RoomRule(pattern: try #require(RoomPattern("closed")), allow: [.history], log: log),
        ])
        var talk = SessionConversation.live(rules: rules)
        #expect(talk.join(1, "closed") == ["error 1 forbidden"])
        #expect(talk.read(2, "closed") == ["history 2 closed"])
        _ = talk.join(3, "silent")
        _ = talk.ready("silent")
        #expect(talk.say(4, "silent") == ["error 4 forbidden"])
        #expect(talk.read(5, "silent") == ["error 5 forbidden"])
    }

    @Test("inboxes are for later, and everyone's room is for backends to write")
    func special() {
        var talk = SessionConversation.live()
        #expect(talk.join(1, "@alice") == ["error 1 bad_request"])
        #expect(talk.join(2, "@bob") == ["error 2 forbidden"])
        #expect(talk.read(3, "@alice") == ["error 3 bad_request"])
        #expect(talk.read(4, "@bob") == ["error 4 forbidden"])
        #expect(talk.say(5, "*") == ["error 5 forbidden"])
        #expect(talk.say(6, "@alice") == ["error 6 forbidden"])
        #expect(talk.read(7, "*") == ["history 7 *"])
    }

    @Test("a publish is answered by ack or by the error, and after the end by nothing")
    func publish() {
        var talk = joined("r")
        let room = SessionConversation.room("r")
        let id = RequestID(json: [UInt8(ascii: "1")])
        let published = Published(position: Position(epoch: "e", seq: 8), timestamp: 0)
        #expect(talk.say(1, "r", dedupe: "k") == ["publish 1 r by alice as k"])
        #expect(talk.lines(talk.machine.publishAnswered(id: id, room: room, .success(published))) == ["ack 1 r 8"])
        let away = Result<Published, BackendError>.failure(.unavailable(reason: "secret"))
        #expect(talk.lines(talk.machine.publishAnswered(id: id, room: room, away)) == ["error 1 unavailable"])
        _ = talk.machine.closed()
        #expect(talk.lines(talk.machine.publishAnswered(id: id, room: room, .success(published))) == [])
    }

    @Test("a few histories at once are read, one more is refused until one is answered")
    func histories() {
        var talk = SessionConversation.live(limits: SessionLimits(maxHistories: 1))
        #expect(talk.read(1, "r") == ["history 1 r"])
        #expect(talk.read(2, "r") == ["error 2 rate_limited"])
        let page = HistoryPage(
            room: SessionConversation.room("r"), head: Position(epoch: "e", seq: 0), messages: [], more: false)
        let range = HistoryRange(edge: .newest, limit: 50)
        let answer = talk.machine.historyAnswered(id: nil, range: range, .success(page))
        #expect(talk.lines(answer) == ["page - 0"])
        #expect(talk.read(3, "r") == ["history 3 r"])
    }
}

@Suite
struct SessionLimitsTests {
    @Test("ten malformed frames in a row close, nine and a good one do not")
    func malformed() {
        var talk = SessionConversation.live()
        for id in 1...9 { #expect(talk.malformed(id) == ["error \(id) bad_request"]) }
        #expect(talk.ping(10) == ["pong 10"])
        for _ in 1...9 { #expect(talk.malformed() == ["error - bad_request"]) }
        #expect(talk.malformed() == ["close 4400 too many malformed frames"])
        #expect(talk.malformed() == [])
    }

    @Test("a client above its rate is told so, and closed when it does not heed it")
    func rate() {
        var talk = SessionConversation.live(limits: SessionLimits(rate: RateLimit(perSecond: 1, burst: 2)))
        #expect(talk.ping(1) + talk.ping(2) == ["pong 1", "pong 2"])
        #expect(talk.ping(3) == ["error 3 rate_limited"])
        for _ in 0..<19 { #expect(talk.machine.receivedControlFrame(now: talk.now) == .refused) }
        #expect(talk.ping(4) == ["close 4429 too many requests"])
    }

    @Test("malformed frames and control frames count like any other")
    func allFramesCount() {
        var talk = SessionConversation.live(limits: SessionLimits(rate: RateLimit(perSecond: 1, burst: 2)))
        #expect(talk.malformed(1) == ["error 1 bad_request"])
        #expect(talk.machine.receivedControlFrame(now: talk.now) == .accepted)
        #expect(talk.malformed(2) == ["error 2 rate_limited"])
    }

    @Test("a draining node tells those who are in, and closes those who are not")
    func drain() {
        let live = SessionConversation.live()
        var drained = live
        #expect(live.lines(drained.machine.drain(afterMilliseconds: 5)) == ["reconnect 5"])
        var entering = SessionConversation()
        _ = entering.open(.identity(SessionConversation.identity()))
        #expect(entering.lines(entering.machine.drain(afterMilliseconds: 5)) == ["close 1001 going away"])
    }

    @Test("the end names every room in which the hub has a listener, waiting ones too")
    func closed() {
        var talk = SessionConversation.live()
        _ = talk.join(1, "a")
        _ = talk.ready("a")
        _ = talk.join(2, "b")
        _ = talk.join(3, "c")
        _ = talk.failed("c")
        #expect(Set(talk.machine.closed().map(\.string)) == ["a", "b", "*"])
        #expect(talk.machine.closed() == [])
        #expect(talk.ready("b") == [])
        var stranger = SessionConversation(tokens: true)
        _ = stranger.open(.none)
        #expect(stranger.machine.closed() == [])
    }
}
