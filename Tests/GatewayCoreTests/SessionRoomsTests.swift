import GatewayCore
import Testing

@Suite
struct SessionRoomsTests {
    private func joined(_ rooms: String..., limits: SessionLimits = SessionLimits()) -> SessionConversation {
        let talk = SessionConversation.live(limits: limits)
        for room in rooms { talk.enter(room) }
        return talk
    }

    @Test func `a join is put on the roster, answered when the stream is there too, then the room is entered`() {
        let talk = SessionConversation.live()
        #expect(talk.join(1, "r") == ["enroll r {}"])
        #expect(talk.enrolled("r") == ["follow r"])
        #expect(!talk.isMember(of: "r"))
        #expect(talk.ready("r", seq: 4, members: 2) == ["joined 1 r at 4 of 2", "enter r at 4 missed 0"])
        #expect(talk.isMember(of: "r"))
        #expect(talk.leave(2, "r") == ["withdraw r", "leave r", "left 2 r"])
    }

    @Test func `where a room keeps no presence only the session is told of it, and nobody of a roster`() throws {
        let log = LogLimits(size: 1, age: .seconds(1))
        let rule = RoomRule(pattern: try #require(RoomPattern("feed")), presence: .off, log: log)
        let talk = SessionConversation.live(rules: RoomRules(rules: [rule]))
        #expect(talk.join(1, "feed", since: 3) == ["note feed", "follow feed since 3"])
        #expect(talk.ready("feed", members: 2) == ["joined 1 feed at 7", "enter feed at 7 missed 0"])
        #expect(talk.members(2, "feed") == ["error 2 forbidden"])
        #expect(talk.leave(3, "feed") == ["withdraw feed", "leave feed", "left 3 feed"])
        #expect(talk.join(4, "feed") == ["note feed", "follow feed"])
        #expect(talk.failed("feed") == ["withdraw feed", "error 4 unavailable"])
    }

    @Test func `a join with a position is told whether nothing was lost, and gets what it missed`() {
        let talk = SessionConversation.live()
        _ = talk.join(1, "r", since: 5)
        #expect(talk.enrolled("r") == ["follow r since 5"])
        let missed = [SessionConversation.message("r", 6), SessionConversation.message("r", 7)]
        #expect(
            talk.ready("r", recovered: false, missed: missed) == [
                "joined 1 r at 7 lost", "enter r at 7 missed 2",
            ])
    }

    @Test func `a member that joins again with a position stays a member, also where it cannot be answered`() {
        let talk = joined("r")
        #expect(talk.join(1, "r", since: 5) == ["follow r since 5"])
        #expect(talk.isMember(of: "r"))
        #expect(talk.ready("r") == ["joined 1 r at 7", "enter r at 7 missed 0"])
        #expect(talk.join(2, "r", since: 5) == ["follow r since 5"])
        #expect(talk.say(3, "r") == [])
        #expect(talk.failed("r") == ["error 2 unavailable", "publish 3 r by alice"])
    }

    @Test func `the own inbox and everyone's room are caught up with by join, others' inboxes are not`() {
        let talk = SessionConversation.live()
        #expect(talk.join(1, "@alice", since: 0) == ["follow @alice since 0"])
        #expect(talk.ready("@alice") == ["joined 1 @alice at 7", "enter @alice at 7 missed 0"])
        #expect(talk.join(2, "*", since: 3) == ["follow * since 3"])
        #expect(talk.ready("*") == ["joined 2 * at 7", "enter * at 7 missed 0"])
        #expect(talk.join(3, "@bob", since: 0) == ["error 3 forbidden"])
        #expect(talk.leave(4, "@alice") == ["error 4 bad_request"])
        #expect(talk.leave(5, "*") == ["error 5 bad_request"])
    }

    @Test func `joining again tells where the room stands and changes nothing`() {
        let talk = joined("r")
        #expect(talk.join(1, "r") == ["position 1 r"])
        #expect(talk.join(2, "*") == ["position 2 *"])
    }

    @Test func `a stream that cannot be had fails the join alone`() {
        let talk = SessionConversation.live()
        _ = talk.join(1, "r")
        _ = talk.enrolled("r")
        #expect(talk.failed("r") == ["withdraw r", "error 1 unavailable"])
        #expect(talk.say(2, "r") == ["error 2 not_member"])
        #expect(talk.join(3, "r") == ["enroll r {}"])
        #expect(talk.enrollmentFailed("r") == ["error 3 unavailable"])
        #expect(talk.join(4, "r") == ["enroll r {}"])
    }

    @Test func `what is asked of a room before its join is answered waits for it, other rooms do not`() {
        let talk = joined("other")
        _ = talk.join(1, "r")
        #expect(talk.say(2, "r") == [])
        #expect(talk.leave(3, "r") == [])
        #expect(talk.join(4, "r") == [])
        #expect(talk.say(5, "r") == [])
        #expect(talk.say(6, "other") == ["publish 6 other by alice"])
        _ = talk.enrolled("r")
        #expect(
            talk.ready("r") == [
                "joined 1 r at 7", "enter r at 7 missed 0", "publish 2 r by alice", "withdraw r", "leave r",
                "left 3 r", "enroll r {}",
            ])
        _ = talk.enrolled("r")
        #expect(
            talk.ready("r", seq: 8) == ["joined 4 r at 8", "enter r at 8 missed 0", "publish 5 r by alice"])
    }

    @Test func `what waits for a join that fails is answered as for a room not joined`() {
        let talk = SessionConversation.live()
        _ = talk.join(1, "r")
        _ = talk.say(2, "r")
        _ = talk.leave(3, "r")
        #expect(talk.enrollmentFailed("r") == ["error 1 unavailable", "error 2 not_member", "left 3 r"])
    }

    @Test func `too many requests for a room that is not there yet are refused, not kept`() {
        let talk = SessionConversation.live(limits: SessionLimits(maxWaitingFrames: 2))
        _ = talk.join(1, "r")
        #expect(talk.say(2, "r") + talk.say(3, "r") == [])
        #expect(talk.say(4, "r") == ["error 4 rate_limited"])
        _ = talk.enrolled("r")
        #expect(talk.ready("r").suffix(2) == ["publish 2 r by alice", "publish 3 r by alice"])
    }

    @Test func `leaving ends the membership, and leaving what was not joined is answered as well`() {
        let talk = joined("r")
        #expect(talk.leave(1, "r") == ["withdraw r", "leave r", "left 1 r"])
        #expect(talk.leave(2, "r") == ["left 2 r"])
        #expect(talk.say(3, "r") == ["error 3 not_member"])
        #expect(talk.leave(4, "*") == ["error 4 bad_request"])
    }

    @Test func `no more rooms than allowed, those not answered yet counted`() {
        let talk = joined("a", limits: SessionLimits(maxRooms: 2))
        _ = talk.join(1, "b")
        #expect(talk.join(2, "c") == ["error 2 forbidden"])
        _ = talk.leave(3, "a")
        #expect(talk.join(4, "c") == ["enroll c {}"])
    }

    @Test func `rules forbid joining, sending and reading, each for itself`() throws {
        let log = LogLimits(size: 1, age: .seconds(1))
        let rules = RoomRules(rules: [
            RoomRule(pattern: try #require(RoomPattern("silent")), allow: [.join], log: log),
            RoomRule(pattern: try #require(RoomPattern("closed")), allow: [.history], outside: [.history], log: log),
        ])
        let talk = SessionConversation.live(rules: rules)
        #expect(talk.join(1, "closed") == ["error 1 forbidden"])
        #expect(talk.read(2, "closed") == ["history 2 closed"])
        _ = talk.join(3, "silent")
        _ = talk.enrolled("silent")
        #expect(talk.ready("silent", members: 2).first == "joined 3 silent at 7")
        #expect(talk.members(6, "silent") == ["error 6 forbidden"])
        #expect(talk.say(4, "silent") == ["error 4 forbidden"])
        #expect(talk.read(5, "silent") == ["error 5 forbidden"])
    }

    @Test func `clients read their own inbox and everyone's room, and write to neither`() {
        let talk = SessionConversation.live()
        #expect(talk.read(3, "@alice") == ["history 3 @alice"])
        #expect(talk.read(4, "@bob") == ["error 4 forbidden"])
        #expect(talk.say(5, "*") == ["error 5 forbidden"])
        #expect(talk.say(6, "@alice") == ["error 6 forbidden"])
        #expect(talk.read(7, "*") == ["history 7 *"])
        #expect(talk.members(8, "*") == ["error 8 forbidden"])
    }

    @Test func `a publish is answered by ack or by the error, and after the end by nothing`() {
        let talk = joined("r")
        let room = SessionConversation.room("r")
        let id = RequestID(json: [UInt8(ascii: "1")])
        let published = Published(position: Position(epoch: "e", seq: 8), timestamp: 0)
        #expect(talk.say(1, "r", dedupe: "k") == ["publish 1 r by alice as k"])
        #expect(talk.answered(.published(id: id, room: room, result: .success(published))) == ["ack 1 r 8"])
        let away = Result<Published, BackendError>.failure(.unavailable(reason: "secret"))
        #expect(talk.answered(.published(id: id, room: room, result: away)) == ["error 1 unavailable"])
        _ = talk.end(.lost)
        #expect(talk.answered(.published(id: id, room: room, result: .success(published))) == [])
    }

    @Test func `a few pages at once are read, the others wait until one has left for the client, or failed`() {
        let talk = joined("r", limits: SessionLimits(maxWaitingFrames: 3, maxReads: 1))
        #expect(talk.read(1, "r") == ["history 1 r"])
        #expect(talk.read(2, "r") == [])
        #expect(talk.members(3, "r") == [])
        #expect(talk.read(4, "r") == [])
        #expect(talk.read(5, "r") == ["error 5 rate_limited"])
        let page = HistoryPage(
            room: SessionConversation.room("r"), head: Position(epoch: "e", seq: 0), messages: [], more: false)
        let range = HistoryRange(edge: .newest, limit: 50)
        let answer = talk.answered(.history(id: nil, range: range, result: .success(page)))
        #expect(answer == ["page - 0"])
        #expect(talk.lines(talk.machine.pageLeft()) == ["history 2 r"])
        let failed = talk.answered(.history(id: nil, range: range, result: .failure(.conflict)))
        #expect(failed == ["error - conflict", "members 3 r 100"])
        #expect(talk.lines(talk.machine.pageLeft()) == ["history 4 r"])
        #expect(talk.lines(talk.machine.pageLeft()) == [])
        #expect(talk.read(6, "r") == ["history 6 r"])
    }

    @Test func `a page that waits for its room is not read before the room is joined`() {
        let talk = joined("r", limits: SessionLimits(maxReads: 1))
        _ = talk.join(1, "late")
        #expect(talk.read(2, "late") == [])
        #expect(talk.read(3, "r") == ["history 3 r"])
        #expect(talk.lines(talk.machine.pageLeft()) == [])
    }
}

@Suite
struct SessionLimitsTests {
    @Test func `ten malformed frames in a row close, nine and a good one do not`() {
        let talk = SessionConversation.live()
        for id in 1...9 { #expect(talk.malformed(id) == ["error \(id) bad_request"]) }
        #expect(talk.ping(10) == ["pong 10"])
        for _ in 1...9 { #expect(talk.malformed() == ["error - bad_request"]) }
        #expect(talk.malformed() == ["close 4400 too many malformed frames"])
        #expect(talk.malformed() == [])
    }

    @Test func `a client above its rate is told so, and closed when it does not heed it`() {
        let talk = SessionConversation.live(limits: SessionLimits(rate: RateLimit(perSecond: 1, burst: 2)))
        #expect(talk.ping(1) + talk.ping(2) == ["pong 1", "pong 2"])
        #expect(talk.ping(3) == ["error 3 rate_limited"])
        for _ in 0..<19 { #expect(talk.machine.receivedControlFrame(now: talk.now) == .refused) }
        #expect(talk.ping(4) == ["close 4429 too many requests"])
    }

    @Test func `malformed frames and control frames count like any other`() {
        let talk = SessionConversation.live(limits: SessionLimits(rate: RateLimit(perSecond: 1, burst: 2)))
        #expect(talk.malformed(1) == ["error 1 bad_request"])
        #expect(talk.machine.receivedControlFrame(now: talk.now) == .accepted)
        #expect(talk.malformed(2) == ["error 2 rate_limited"])
    }

    @Test func `a draining node tells those who are in, and closes those who are not`() {
        let live = SessionConversation.live()
        let drained = live
        #expect(live.lines(drained.machine.drain(afterMilliseconds: 5)) == ["reconnect 5"])
        let entering = SessionConversation()
        _ = entering.open(.identity(SessionConversation.identity()))
        #expect(entering.lines(entering.machine.drain(afterMilliseconds: 5)) == ["close 1001 going away"])
    }

    @Test func `the end names every room in which the hub has a listener, waiting ones too, and every watched user`() {
        let talk = SessionConversation.live()
        talk.enter("a")
        _ = talk.join(2, "b")
        _ = talk.join(3, "c")
        _ = talk.enrollmentFailed("c")
        _ = talk.watch(4, "bob", "carol")
        #expect(talk.end(.lost) == ["*", "@alice", "a", "b", "watched bob", "watched carol", "abrupt lost"])
        #expect(talk.end(.lost) == [])
        #expect(talk.ready("b") == [])
        let stranger = SessionConversation(tokens: true)
        _ = stranger.open(.none)
        #expect(stranger.end(.lost) == [])
    }

    @Test(
        arguments: [
            (SessionMachine.End.byClient(code: 1000), "farewell closed"), (.byClient(code: 1001), "abrupt lost"),
            (.byClient(code: nil), "abrupt lost"), (.lost, "abrupt lost"),
            (.byGateway(.unauthorized), "farewell closed"), (.byGateway(.forbidden), "farewell kicked"),
            (.byGateway(.replaced), "farewell replaced"), (.byGateway(.goingAway), "abrupt drained"),
            (.byGateway(.tooSlow), "abrupt lost"), (.byGateway(.heartbeatMissed), "abrupt lost"),
        ])
    func `a farewell takes effect at once, everything else has the grace`(end: SessionMachine.End, told: String) {
        let talk = SessionConversation.live()
        #expect(talk.end(end).last == told)
    }

    @Test func `whoever was sent away comes back, whatever its close says; whoever is kicked does not`() {
        let (talk, kicked) = (SessionConversation.live(), SessionConversation.live())
        _ = talk.machine.drain(afterMilliseconds: 1)
        _ = kicked.machine.drain(afterMilliseconds: 1)
        #expect(talk.end(.byClient(code: 1000)).last == "abrupt drained")
        #expect(kicked.end(.byGateway(.forbidden)).last == "farewell kicked")
    }

    @Test
    func `a connection that ends while it is being registered is told of, and an answer that comes late means nothing`()
    {
        let talk = SessionConversation()
        _ = talk.open(.identity(SessionConversation.identity()))
        #expect(talk.end(.lost) == ["abrupt lost"])
        #expect(talk.registered() == [])
    }
}
