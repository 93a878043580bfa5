import GatewayCore
import NIOCore
import SocketServer
import Testing

@Suite
struct AcceptRateTests {
    @Test func `a quarter of each second is for clients that come back`() {
        var rate = AcceptRate(limit: 8)
        let now = MonotonicTime(nanoseconds: 1)
        for _ in 1...6 { #expect(rate.accepts(isResuming: false, now: now) == true) }
        #expect(rate.accepts(isResuming: false, now: now) == false)
        for _ in 1...2 { #expect(rate.accepts(isResuming: true, now: now) == true) }
        #expect(rate.accepts(isResuming: true, now: now) == false)
        #expect(rate.accepts(isResuming: true, now: now + .milliseconds(999)) == false)
        #expect(rate.accepts(isResuming: false, now: now + .seconds(1)) == true)
    }

    @Test func `clients that come back may use the whole second, and none is kept from anybody at a rate of one`() {
        var rate = AcceptRate(limit: 4)
        let now = MonotonicTime(nanoseconds: 1)
        for _ in 1...4 { #expect(rate.accepts(isResuming: true, now: now) == true) }
        #expect(rate.accepts(isResuming: true, now: now) == false)
        var slow = AcceptRate(limit: 1)
        #expect(slow.accepts(isResuming: false, now: now) == true)
        #expect(slow.accepts(isResuming: true, now: now) == false)
    }

    @Test func `without a limit all are accepted`() {
        var rate = AcceptRate(limit: 0)
        for _ in 1...10_000 { #expect(rate.accepts(isResuming: false, now: MonotonicTime(nanoseconds: 1)) == true) }
    }

    @Test func `a flooded node answers 503 and when to come again, and takes whoever comes back`() throws {
        let metrics = CountingMetrics()
        let embedded = EmbeddedHub(metrics: metrics) {
            $0.acceptRate = 4
            $0.sessionCheck = { $0 == "s1" ? .genuine : .invented }
        }
        for user in ["a", "b", "c"] { _ = try embedded.enter(user, from: "192.0.2.1") }
        let answer = try embedded.ask("/ws?userId=d", from: "192.0.2.1").head
        #expect(answer.hasPrefix("HTTP/1.1 503 "))
        #expect(answer.contains("\r\nRetry-After: "))
        #expect(metrics["martlet_handshakes_refused_total{reason=flooded}"] == 1)
        _ = try embedded.upgrade("/ws?userId=a&session=s1", from: "192.0.2.1")
        #expect(try embedded.ask("/ws?userId=a&session=s1", from: "192.0.2.1").head.hasPrefix("HTTP/1.1 503 "))
        embedded.advance(.seconds(1))
        _ = try embedded.enter("d", from: "192.0.2.1")
    }

    @Test func `an invented session has no part in what is kept for those that come back`() throws {
        let embedded = EmbeddedHub {
            $0.acceptRate = 4
            $0.sessionCheck = { $0 == "genuine" ? .genuine : .invented }
        }
        for user in ["a", "b", "c"] { _ = try embedded.enter(user, from: "192.0.2.1") }
        #expect(
            try embedded.ask("/ws?userId=d&session=invented", from: "192.0.2.1").head.hasPrefix("HTTP/1.1 503 "))
        _ = try embedded.upgrade("/ws?userId=d&session=genuine", from: "192.0.2.1")
    }

    @Test func `this machine's own handshakes are no flood`() throws {
        let embedded = EmbeddedHub { $0.acceptRate = 1 }
        for _ in 1...5 { _ = try embedded.enter() }
    }

    @Test func `12,000 clients that come back to one node within 3 s all get in by default`() {
        var rate = AcceptRate(limit: SocketServerConfiguration().acceptRate)
        let start = MonotonicTime(nanoseconds: 1)
        let accepted = (0..<12_000).count { number in
            rate.accepts(isResuming: true, now: start + .nanoseconds(Int64(number) * 250_000))
        }
        #expect(accepted == 12_000)
    }

    @Test func `a node that cannot tell yet whether a session was given out keeps no place for it, and passes it on`()
        throws
    {
        let embedded = EmbeddedHub { configuration in
            configuration.acceptRate = 4
            configuration.sessionCheck = { _ in .undecided }
        }
        _ = try embedded.enter("a", from: "192.0.2.1")
        let resumed = try embedded.upgrade("/ws?userId=a&session=s1", from: "192.0.2.1")
        #expect(try resumed.take().first?.contains(#""resumed":true"#) == true)
        _ = try embedded.enter("b", from: "192.0.2.1")
        #expect(try embedded.ask("/ws?userId=a&session=s1", from: "192.0.2.1").head.hasPrefix("HTTP/1.1 503 "))
    }

    @Test func `an invented session is none: the registry is not asked for it`() throws {
        let embedded = EmbeddedHub { $0.sessionCheck = { _ in .invented } }
        _ = try embedded.enter("a")
        let socket = try embedded.upgrade("/ws?userId=a&session=s1")
        #expect(try socket.take().first?.contains(#""session":"s2","resumed":false"#) == true)
    }
}

@Suite
struct DrainPlanTests {
    @Test func `clients are sent away at the rate, where half of the time is enough for all`() {
        let plan = DrainPlan(connections: 1000, rate: 500, limit: .seconds(30))
        #expect(plan.perSecond == 500)
        #expect(plan.milliseconds(before: 0, of: 1000) == 0)
        #expect(plan.milliseconds(before: 999, of: 1000) == 1998)
    }

    @Test(arguments: [10_000, 100_000, 99_999])
    func `the rate rises so that all are back within half of the time`(connections: Int) {
        let plan = DrainPlan(connections: connections, rate: 500, limit: .seconds(30))
        #expect(plan.perSecond > 500)
        #expect(plan.milliseconds(before: connections - 1, of: connections) <= 15_000)
        #expect(plan.milliseconds(before: connections - 1, of: connections) > 14_900)
    }

    @Test func `without time to wait all are sent away at once`() {
        let plan = DrainPlan(connections: 10, rate: 1, limit: .zero)
        #expect(plan.milliseconds(before: 9, of: 10) == 0)
    }

    @Test func `the clients of a loop that has nearly all of them are back in time as well, and spread`() {
        let plan = DrainPlan(connections: 200, rate: 1, limit: .seconds(8))
        let counts = [190, 0, 10]
        let delays = counts.enumerated().flatMap { loop, count in
            (0..<count).map { plan.milliseconds(before: $0, of: count, loop: loop, loops: counts.count) }
        }
        #expect(delays.count == 200)
        for quarter in 0..<4 {
            let told = delays.filter { $0 / 1000 == quarter }
            #expect((45...55).contains(told.count))
        }
    }
}
