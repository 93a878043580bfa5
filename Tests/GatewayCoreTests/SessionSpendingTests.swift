import GatewayCore
import Testing

/// What a session is refused for its number or its price.
@Suite
struct SessionSpendingTests {
    @Test func `rooms are joined at a rate of their own; a room one is in costs none of it`() {
        let talk = SessionConversation.live(limits: SessionLimits(joins: RateLimit(perSecond: 1, burst: 2)))
        #expect(talk.join(1, "a") == ["enroll a {}"])
        #expect(talk.join(2, "b") == ["enroll b {}"])
        #expect(talk.join(3, "c") == ["error 3 rate_limited"])
        _ = talk.enrolled("a")
        _ = talk.ready("a")
        #expect(talk.join(4, "a", since: 3) == ["follow a since 3"])
        #expect(talk.join(5, "*", since: 3) == ["follow * since 3"])
        _ = talk.wait(.seconds(1))
        #expect(talk.join(6, "c") == ["enroll c {}"])
        #expect(talk.join(7, "d") == ["error 7 rate_limited"])
    }

    @Test func `two hundred rooms can be joined at once, and no more than that by default`() {
        let talk = SessionConversation.live(limits: SessionLimits(rate: RateLimit(perSecond: 1000, burst: 1000)))
        for index in 1...200 { #expect(talk.join(index, "r\(index)") == ["enroll r\(index) {}"]) }
        #expect(talk.join(201, "r201") == ["error 201 rate_limited"])
        _ = talk.wait(.seconds(1))
        #expect(talk.join(202, "r202") == ["error 202 forbidden"])
    }

    @Test func `whoever is refused is told when the same may be asked again`() throws {
        let limits = SessionLimits(
            rate: RateLimit(perSecond: 10, burst: 3), joins: RateLimit(perSecond: 1, burst: 1))
        let talk = SessionConversation.live(limits: limits)
        _ = talk.join(1, "a")
        #expect(talk.retryAfter(.join(room: SessionConversation.room("b"), since: nil)) == 1000)
        _ = talk.ping(3)
        #expect(talk.retryAfter(.ping) == 100)
    }

    @Test func `what is not paid for is refused with the time it takes, a ping aside`() {
        let talk = SessionConversation.live()
        let request = ClientRequest(
            id: nil, command: .members(room: SessionConversation.room("r"), limit: 1, cursor: nil))
        let actions = talk.machine.receivedUnpaid(request, retryAfter: .microseconds(1_500_001), now: talk.now)
        #expect(talk.lines(actions) == ["error - rate_limited"])
        #expect(SessionConversation.retryAfter(actions) == 1501)
        let ping = ClientRequest(id: nil, command: .ping)
        #expect(talk.lines(talk.machine.receivedUnpaid(ping, retryAfter: .seconds(1), now: talk.now)) == ["pong -"])
        _ = talk.end(.lost)
        let late = talk.machine.receivedUnpaid(request, retryAfter: .seconds(1), now: talk.now)
        #expect(late.isEmpty)
    }

    @Test func `an answer is paid for by what it brings, and one that brings nothing is free`() {
        let room = SessionConversation.room("r")
        let resumed = ResumedSession(rooms: [room], forbidden: [SessionConversation.room("s")])
        let back = SessionMachine.Answer.registered(
            result: .success(Registration(session: "s1", timestamp: 5, resumed: resumed)))
        #expect(back.spending(isCompressing: false) == Prices.resumption(rooms: 2))
        let new = SessionMachine.Answer.registered(result: .success(Registration(session: "s1", timestamp: 5)))
        #expect(new.spending(isCompressing: false) == nil)

        let range = HistoryRange(edge: .newest, limit: 50)
        let page = HistoryPage(
            room: room, head: Position(epoch: "e", seq: 1), messages: [SessionConversation.message("r", 1, bytes: 72)],
            more: false)
        let history = SessionMachine.Answer.history(id: nil, range: range, result: .success(page))
        #expect(history.spending(isCompressing: false) == Prices.logBytes(200, isCompressing: false))
        #expect(history.spending(isCompressing: true) == Prices.logBytes(200, isCompressing: true))
        let away = SessionMachine.Answer.history(id: nil, range: range, result: .failure(.conflict))
        #expect(away.spending(isCompressing: false) == nil)
    }
}

extension SessionConversation {
    fileprivate func retryAfter(_ command: ClientCommand) -> Int? {
        Self.retryAfter(machine.received(ClientRequest(id: nil, command: command), now: now))
    }

    fileprivate static func retryAfter(_ actions: [SessionMachine.Action]) -> Int? {
        for case .send(.error(_, let error)) in actions { return error.retryAfterMilliseconds }
        return nil
    }
}
