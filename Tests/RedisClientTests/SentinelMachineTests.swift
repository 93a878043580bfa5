import NIOCore
import RedisClient
import Testing

/// The words of three sentinels, and what is made of them.
@Suite("How several sentinels name one primary")
struct SentinelMachineTests {
    private let a = RedisConfiguration.Endpoint.tcp(host: "a", port: 1)
    private let b = RedisConfiguration.Endpoint.tcp(host: "b", port: 2)
    private var machine = Self.machine(of: 3)

    private static let sentinels = Sentinels(
        places: ["s0", "s1", "s2"].map { .tcp(host: $0, port: 26379) }, name: "main")

    /// Of the first of them, each a process of its own.
    private static func machine(of count: Int) -> SentinelMachine {
        var machine = SentinelMachine(Sentinels(places: Array(sentinels.places.prefix(count)), name: "main"))
        for number in 0..<count { _ = machine.identified(number, as: "run \(number)") }
        return machine
    }

    private func at(_ seconds: Int64) -> NIODeadline { .uptimeNanoseconds(0) + .seconds(100 + seconds) }

    /// All name the first address, and a primary is there.
    private mutating func settle() {
        _ = machine.ticked(now: at(0))
        for number in 0..<3 { _ = machine.answered(number, a) }
        _ = machine.verified(a)
    }

    @Test mutating func `an address that two of three name is verified, and then all links go there`() {
        #expect(machine.ticked(now: at(0)) == [.ask(0), .ask(1), .ask(2)])
        #expect(machine.answered(0, a) == [])
        #expect(machine.answered(1, a) == [.verify(a)])
        #expect(machine.answered(2, a) == [])
        #expect(machine.verified(a) == [.move(to: a), .confirmed(asked: at(0))])
        #expect(machine.ticked(now: at(1)) == [.ask(0), .ask(1), .ask(2)])
        #expect(machine.answered(0, a) == [])
        #expect(machine.answered(1, a) == [.confirmed(asked: at(1))])
    }

    @Test mutating func `a failover that is announced moves the links once two have said so`() {
        settle()
        #expect(machine.announced(0, b, now: at(1)) == [])
        #expect(machine.announced(1, b, now: at(2)) == [.verify(b)])
        #expect(machine.verified(b) == [.move(to: b), .confirmed(asked: at(1))])
        #expect(machine.announced(2, b, now: at(3)) == [.confirmed(asked: at(2))])
    }

    @Test mutating func `a failover whose announcements were missed is found by asking`() {
        settle()
        _ = machine.ticked(now: at(1))
        #expect(machine.answered(0, b) == [])
        #expect(machine.answered(1, b) == [.verify(b)])
        #expect(machine.verified(b) == [.move(to: b), .confirmed(asked: at(1))])
    }

    @Test mutating func `an answer to a question from before an announcement is older than that`() {
        settle()
        _ = machine.ticked(now: at(1))
        _ = machine.announced(0, b, now: at(2))
        #expect(machine.answered(0, a) == [])
        #expect(machine.announced(1, b, now: at(3)) == [.verify(b)])
    }

    @Test mutating func `one sentinel under two of three addresses has one voice`() {
        _ = machine.identified(1, as: "run 0")
        _ = machine.ticked(now: at(0))
        #expect(machine.answered(0, b) == [])
        #expect(machine.answered(1, b) == [])
        let reason =
            "2 of 3 sentinels must name one primary: s0:26379 names b:2, s1:26379 names b:2, as one with s0:26379, "
        #expect(machine.failed(2, .away) == [.stay(reason: reason + "s2:26379 does not answer")])
        // Behind the second address there is another one by now, which has yet to say something.
        #expect(machine.identified(1, as: "run 1") == [])
        #expect(machine.ticked(now: at(1)) == [.ask(0), .ask(1), .ask(2)])
        #expect(machine.answered(1, b) == [.verify(b)])
    }

    @Test mutating func `nobody has a voice whom no link has reached`() {
        var strangers = SentinelMachine(Self.sentinels)
        _ = strangers.ticked(now: at(0))
        for number in 0..<2 { #expect(strangers.announced(number, b, now: at(1)) == []) }
        #expect(strangers.identified(0, as: "run 0") == [])
        #expect(strangers.identified(1, as: "run 1") == [.verify(b)])
    }

    @Test mutating func `one sentinel that lies moves nothing, by an answer or an announcement`() {
        settle()
        #expect(machine.announced(2, b, now: at(1)) == [])
        _ = machine.ticked(now: at(2))
        #expect(machine.answered(2, b) == [])
        #expect(machine.answered(0, a) == [])
        #expect(machine.answered(1, a) == [.confirmed(asked: at(2))])
    }

    @Test mutating func `sentinels that all name another address leave the node where it is, with what each says`() {
        settle()
        _ = machine.announced(0, b, now: at(1))
        let c = RedisConfiguration.Endpoint.tcp(host: "c", port: 3)
        let reason =
            "2 of 3 sentinels must name one primary: s0:26379 names b:2, s1:26379 names c:3, s2:26379 names a:1"
        #expect(machine.announced(1, c, now: at(1)) == [.stay(reason: reason)])
    }

    @Test mutating func `with two of three away the node stays, and goes on once one is back`() {
        settle()
        _ = machine.ticked(now: at(1))
        #expect(machine.failed(1, .away) == [])
        let reason = """
            2 of 3 sentinels must name one primary: s0:26379 names a:1, s1:26379 does not answer, \
            s2:26379 does not answer
            """
        #expect(machine.failed(2, .away) == [.stay(reason: reason)])
        #expect(machine.answered(0, a) == [])
        #expect(machine.ticked(now: at(2)) == [.ask(0), .ask(1), .ask(2)])
        #expect(machine.failed(1, .away) == [])
        #expect(machine.answered(2, a) == [.confirmed(asked: at(1))])
    }

    @Test mutating func `a majority that names no primary is followed only once there is one`() {
        settle()
        _ = machine.announced(0, b, now: at(1))
        #expect(machine.announced(1, b, now: at(1)) == [.verify(b)])
        let reason = "most sentinels name b:2, which cannot be used: a replica"
        #expect(machine.rejected(b, .unfit(reason: "a replica")) == [.stay(reason: reason)])
        #expect(machine.ticked(now: at(2)) == [.verify(b), .ask(0), .ask(1), .ask(2)])
        #expect(machine.rejected(b, .unfit(reason: "a replica")) == [])
        #expect(machine.ticked(now: at(3)) == [.verify(b)])
        #expect(machine.verified(b) == [.move(to: b), .confirmed(asked: at(1))])
    }

    @Test mutating func `what was verified for a majority that is gone counts no more`() {
        settle()
        _ = machine.announced(0, b, now: at(1))
        #expect(machine.announced(1, b, now: at(1)) == [.verify(b)])
        #expect(machine.announced(1, a, now: at(2)) == [])
        #expect(machine.verified(b) == [])
        #expect(machine.rejected(b, .unfit(reason: "late")) == [])
    }

    @Test
    mutating func `at the start one sentinel that lives is not enough, and nothing is said before all have spoken`() {
        _ = machine.ticked(now: at(0))
        #expect(machine.answered(0, a) == [])
        #expect(machine.failed(1, .away) == [])
        guard case .stay = machine.failed(2, .away).first else {
            Issue.record("it does not say that it waits")
            return
        }
        _ = machine.ticked(now: at(1))
        #expect(machine.answered(2, a) == [.verify(a)])
    }

    @Test mutating func `most of them know no such primary, or refuse the node: only an operator can mend that`() {
        _ = machine.ticked(now: at(0))
        #expect(machine.failed(0, .refused(reason: "WRONGPASS")) == [])
        #expect(machine.failed(1, .away) == [])
        let reason = """
            s0:26379 refuses this node (WRONGPASS), s1:26379 does not answer, s2:26379 watches no primary called main
            """
        #expect(machine.answered(2, nil) == [.refuse(reason: reason)])
    }

    @Test mutating func `a primary that refuses the node ends its start, and later leaves it where it is`() {
        _ = machine.ticked(now: at(0))
        _ = machine.answered(0, a)
        #expect(machine.answered(1, a) == [.verify(a)])
        let reason = "most sentinels name a:1, which refuses this node: WRONGPASS"
        #expect(machine.rejected(a, .refused(reason: "WRONGPASS")) == [.refuse(reason: reason)])
        #expect(machine.ticked(now: at(1)) == [.verify(a), .ask(0), .ask(1)])
        #expect(machine.verified(a) == [.move(to: a), .confirmed(asked: at(0))])
        _ = machine.announced(0, b, now: at(2))
        #expect(machine.announced(1, b, now: at(2)) == [.verify(b)])
        let later = "most sentinels name b:2, which refuses this node: WRONGPASS"
        #expect(machine.rejected(b, .refused(reason: "WRONGPASS")) == [.stay(reason: later)])
    }

    @Test mutating func `once a primary was known the same does not end the node`() {
        settle()
        _ = machine.ticked(now: at(1))
        #expect(machine.answered(0, nil) == [])
        guard case .stay = machine.answered(1, nil).first else {
            Issue.record("it does not stay")
            return
        }
    }

    @Test mutating func `whoever owes an answer is not asked again, and one that nobody asked for is no answer`() {
        _ = machine.ticked(now: at(0))
        _ = machine.answered(1, a)
        #expect(machine.ticked(now: at(1)) == [.ask(1)])
        _ = machine.answered(0, a)
        #expect(machine.answered(0, b) == [])
    }

    @Test func `an even number of sentinels needs more than half, and one alone needs itself`() {
        var two = Self.machine(of: 2)
        _ = two.ticked(now: at(0))
        #expect(two.answered(0, a) == [])
        #expect(two.answered(1, a) == [.verify(a)])
        var one = Self.machine(of: 1)
        _ = one.ticked(now: at(0))
        #expect(one.answered(0, a) == [.verify(a)])
    }

    @Test(arguments: [
        "main old 1 new 2", "other old 1 new 2", "main old 1 new", "main old 1 new 0", "main old 1 new x", "",
        "main old 1 new 2 more",
    ])
    func `only an announcement of this primary, whole, is one`(payload: String) {
        let place = Self.sentinels.announced(payload)
        #expect(place == (payload == "main old 1 new 2" ? .tcp(host: "new", port: 2) : nil))
    }

    @Test(arguments: [
        "", "0.0.0.0", "::", "a b", "a\u{0}b", "a\nb", "a\u{1B}[31m", "\u{E9}", String(repeating: "a", count: 256),
    ])
    func `what is no place is followed by nobody`(_ host: String) {
        let named = Sentinels(places: Self.sentinels.places, name: "main")
        #expect(Sentinels.endpoint(host: host, port: "6379") == nil)
        #expect(Sentinels.endpoint(host: "10.0.0.1", port: "6379") == .tcp(host: "10.0.0.1", port: 6379))
        #expect(named.announced("main 10.0.0.1 6379 \(host) 6379") == nil)
    }
}
