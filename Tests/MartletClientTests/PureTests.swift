import MartletClient
import NIOCore
import Testing

/// The client's decisions, without a socket.
@Suite struct PureTests {
    /// Always the same number.
    struct Fixed: RandomNumberGenerator {
        var value: UInt64
        mutating func next() -> UInt64 { value }
    }

    @Test func `delays double up to the cap, each random from nothing to its bound`() {
        var backoff = Backoff(first: .seconds(1), cap: .seconds(10))
        var high = Fixed(value: .max)
        let bounds = (0..<6).map { _ in backoff.next(using: &high) }
        for (delay, bound) in zip(bounds, [1, 2, 4, 8, 10, 10]) {
            #expect(delay < .seconds(bound) && delay > .seconds(Double(bound) * 0.99))
        }
        var low = Fixed(value: 0)
        #expect(backoff.next(using: &low) == .zero)
        backoff.reset()
        #expect(backoff.next(using: &high) < .seconds(1))
    }

    @Test func `a thousand failures do not overflow the delay`() {
        var backoff = Backoff(first: .seconds(1), cap: .seconds(10))
        var high = Fixed(value: .max)
        for _ in 0..<1000 { #expect(backoff.next(using: &high) <= .seconds(10)) }
    }

    @Test func `messages go out at nine tenths of the gateway's rate, after a burst`() {
        let start = ContinuousClock.now
        var pace = Pace(perSecond: 10, burst: 8, now: start)
        for _ in 0..<6 { #expect(pace.spend(now: start) == nil) }
        let wait = pace.spend(now: start) ?? .zero
        #expect(wait > .milliseconds(110) && wait < .milliseconds(112))
        #expect(pace.spend(now: start + wait) == nil)
        pace.rest(for: .seconds(3), now: start + .seconds(60))
        #expect(pace.spend(now: start + .seconds(62.9)) != nil)
        #expect(pace.spend(now: start + .seconds(63.1)) == nil)
    }

    private func reconnection(hasTokens: Bool = true) -> Reconnection {
        Reconnection(backoff: Backoff(first: .seconds(1), cap: .seconds(10)), hasTokens: hasTokens)
    }

    @Test func `a lost connection is tried again, a forbidden or replaced one is not`() {
        var random = Fixed(value: 0)
        var reconnection = reconnection()
        for code: UInt16? in [nil, 1000, 1001, 1006, 4408, 4413, 4503] {
            let step = reconnection.step(
                after: .closed(code: code, reason: "x", after: .seconds(1)), asked: nil, using: &random)
            #expect(step == .retry(after: .zero))
        }
        for code: UInt16 in [4403, 4409] {
            let step = reconnection.step(
                after: .closed(code: code, reason: "x", after: .seconds(1)), asked: nil, using: &random)
            #expect(step == .stop(code: code, reason: "x"))
        }
    }

    @Test func `the time that the gateway asked for goes before the back-off`() {
        var random = Fixed(value: .max)
        var reconnection = reconnection()
        let ending = Reconnection.Ending.closed(code: 1001, reason: "", after: .seconds(1))
        #expect(reconnection.step(after: ending, asked: .seconds(3), using: &random) == .retry(after: .seconds(3)))
        #expect(reconnection.step(after: ending, asked: .seconds(-3), using: &random) == .retry(after: .zero))
    }

    @Test func `Retry-After is waited for, within reason`() {
        var random = Fixed(value: 0)
        var reconnection = reconnection()
        let few = Reconnection.Ending.refused(status: 503, retryAfter: .seconds(2))
        let many = Reconnection.Ending.refused(status: 503, retryAfter: .seconds(86400))
        let none = Reconnection.Ending.refused(status: 403, retryAfter: nil)
        #expect(reconnection.step(after: few, asked: nil, using: &random) == .retry(after: .seconds(2)))
        #expect(reconnection.step(after: many, asked: nil, using: &random) == .retry(after: .seconds(60)))
        #expect(reconnection.step(after: none, asked: nil, using: &random) == .retry(after: .zero))
    }

    @Test func `whoever has too many connections or requests is not back at once`() {
        var random = Fixed(value: 0)
        var reconnection = reconnection()
        let pause = Reconnection.Step.retry(after: .seconds(5))
        let endings: [Reconnection.Ending] = [
            .closed(code: 4429, reason: "x", after: .seconds(60)), .failed(code: 4429, reason: "x"),
            .refused(status: 429, retryAfter: nil), .refused(status: 429, retryAfter: .seconds(1)),
        ]
        for ending in endings { #expect(reconnection.step(after: ending, asked: nil, using: &random) == pause) }
        let longer = Reconnection.Ending.refused(status: 429, retryAfter: .seconds(30))
        #expect(reconnection.step(after: longer, asked: nil, using: &random) == .retry(after: .seconds(30)))
    }

    @Test func `a refused token is tried again ever more seldom, a refused user is the end`() {
        var random = Fixed(value: .max)
        let refusal = Reconnection.Ending.failed(code: 4401, reason: "unauthorized")
        var tokens = reconnection()
        for bound in [1, 2, 4] {
            guard case .retry(let delay) = tokens.step(after: refusal, asked: nil, using: &random) else {
                Issue.record("stopped")
                return
            }
            #expect(delay < .seconds(bound) && delay > .seconds(Double(bound) * 0.99))
        }
        var user = reconnection(hasTokens: false)
        #expect(user.step(after: refusal, asked: nil, using: &random) == .stop(code: 4401, reason: "unauthorized"))
    }

    @Test func `a connection must last before the delays begin anew`() {
        var high = Fixed(value: .max)
        var reconnection = reconnection()
        func delay(afterLiving lived: Duration) -> Duration {
            guard
                case .retry(let delay) = reconnection.step(
                    after: .closed(code: nil, reason: "", after: lived), asked: nil, using: &high)
            else { return .zero }
            return delay
        }
        #expect(delay(afterLiving: .seconds(1)) < .seconds(1))
        #expect(delay(afterLiving: .seconds(1)) > .seconds(1))
        #expect(delay(afterLiving: .seconds(1)) > .seconds(3))
        #expect(delay(afterLiving: .seconds(60)) < .seconds(1))
    }

    @Test func `silence is asked about after a heartbeat and given up 10 s later`() {
        let start = NIODeadline.uptimeNanoseconds(0)
        var watch = SilenceWatch(heartbeat: .seconds(30), now: start)
        #expect(watch.check(at: start) == .wait(until: start + .seconds(30)))
        watch.heard(at: start + .seconds(20))
        #expect(watch.check(at: start + .seconds(30)) == .wait(until: start + .seconds(50)))
        #expect(watch.check(at: start + .seconds(50)) == .ping(until: start + .seconds(60)))
        watch.heard(at: start + .seconds(51))
        #expect(watch.check(at: start + .seconds(60)) == .wait(until: start + .seconds(81)))
        #expect(watch.check(at: start + .seconds(81)) == .ping(until: start + .seconds(91)))
        #expect(watch.check(at: start + .seconds(91)) == .close)
    }

    @Test func `a doubted connection is asked at once, and once`() {
        let start = NIODeadline.uptimeNanoseconds(0)
        var watch = SilenceWatch(heartbeat: .seconds(30), now: start)
        #expect(watch.doubt(at: start + .seconds(5)) == .ping(until: start + .seconds(15)))
        #expect(watch.doubt(at: start + .seconds(6)) == nil)
        var answered = watch
        answered.heard(at: start + .seconds(7))
        #expect(answered.check(at: start + .seconds(15)) == .wait(until: start + .seconds(37)))
        #expect(watch.check(at: start + .seconds(15)) == .close)
    }

    @Test func `a short heartbeat is waited for as long again`() {
        let start = NIODeadline.uptimeNanoseconds(0)
        var watch = SilenceWatch(heartbeat: .seconds(5), now: start)
        #expect(watch.check(at: start + .seconds(5)) == .ping(until: start + .seconds(10)))
    }

    @Test func `a URL names host, port and path`() throws {
        let plain = try #require(Endpoint("ws://127.0.0.1:8080/ws"))
        #expect((plain.isSecure, plain.host, plain.port, plain.path) == (false, "127.0.0.1", 8080, "/ws"))
        let secure = try #require(Endpoint("wss://chat.example.org/a/ws?x=1"))
        #expect(
            (secure.isSecure, secure.host, secure.port, secure.path) == (true, "chat.example.org", 443, "/a/ws?x=1"))
        let bare = try #require(Endpoint("ws://[::1]"))
        #expect((bare.host, bare.port, bare.path) == ("::1", 80, "/"))
        var named = plain
        named.add("userId", "a|b é")
        named.add("session", "s&1")
        #expect(named.path == "/ws?userId=a%7Cb%20%C3%A9&session=s%261")
        var further = secure
        further.add("userId", "u")
        #expect(further.path == "/a/ws?x=1&userId=u")
        for wrong in ["", "http://h/ws", "ws://", "h:80", "ws:/x"] { #expect(Endpoint(wrong) == nil) }
    }

    @Test func `a buffer hands everything out in order and says when it has room again`() async {
        let buffer = EventBuffer<Int>(limit: 4)
        for number in 1...5 { #expect(buffer.append(number) == number) }
        #expect(!buffer.hasRoom)
        let other = EventBuffer<String>(limit: 1)
        buffer.onceThereIsRoom { _ = other.append("room") }
        for number in 1...3 { #expect(await buffer.next() == number) }
        #expect(buffer.hasRoom)
        #expect(await other.next() == "room")
        buffer.finish()
        #expect(buffer.append(9) == 0)
        #expect(await buffer.next() == 4)
        #expect(await buffer.next() == 5)
        #expect(await buffer.next() == nil)
    }

    @Test func `whoever waits at a buffer is woken by an event, by its end and by cancellation`() async {
        let buffer = EventBuffer<Int>(limit: 4)
        async let first = buffer.next()
        _ = buffer.append(1)
        #expect(await first == 1)
        let waiting = Task { await buffer.next() }
        waiting.cancel()
        #expect(await waiting.value == nil)
        async let last = buffer.next()
        buffer.finish()
        #expect(await last == nil)
    }
}
