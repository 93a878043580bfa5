import GatewayCore
import RedisBackend
import Testing

/// What a node that sends itself messages through Redis makes of those that come back, and of those that do not.
@Suite("The canary")
struct CanaryTests {
    private var canary = Canary(interval: .seconds(5))
    private var now = MonotonicTime(nanoseconds: 0)

    /// A second goes by.
    private mutating func tick(after seconds: Int = 1) -> [Canary.Action] {
        now = now + .seconds(seconds)
        return canary.ticked(now: now)
    }

    /// So many seconds go by in which nothing is done but sending.
    private mutating func ticks(_ count: Int) -> [Canary.Action] {
        (0..<count).flatMap { _ in tick() }
    }

    private mutating func begin() {
        _ = canary.ticked(now: now)
        #expect(canary.linked() == [.send(1)])
        canary.sent(1)
    }

    @Test mutating func `one is sent as soon as the links stand, and each interval from then on`() {
        #expect(tick() == [])
        #expect(canary.standing == .well)
        #expect(canary.linked() == [.send(1)])
        #expect(canary.standing == .awaited)
        canary.sent(1)
        #expect(canary.returned(1) == [])
        #expect(canary.standing == .well)
        #expect(ticks(4) == [])
        #expect(tick() == [.send(2)])
        #expect(canary.returned(2) == [])
        #expect(ticks(5) == [.send(3)])
    }

    @Test mutating func `its age is the time since the last came back`() {
        begin()
        #expect(canary.returned(1) == [])
        #expect(ticks(4) == [])
        #expect(canary.age == .seconds(4))
        _ = tick()
        #expect(canary.returned(2) == [])
        #expect(canary.age == .zero)
    }

    @Test mutating func `one that is not back within two intervals has the subscriptions made anew, and is told once`()
    {
        begin()
        #expect(canary.returned(1) == [])
        #expect(ticks(5) == [.send(2)])
        canary.sent(2)
        #expect(ticks(9) == [.send(3)])
        canary.sent(3)
        #expect(canary.standing == .well)
        #expect(tick() == [.fellSilent, .renewSubscriptions, .send(4)])
        #expect(canary.standing == .silent)
        #expect(canary.age == .seconds(15))
        // The new link brings nothing either.
        canary.linkLost()
        #expect(canary.standing == .silent)
        #expect(canary.linked() == [.send(5)])
        canary.sent(5)
        #expect(ticks(9) == [.send(6)])
        #expect(tick() == [.renewSubscriptions, .send(7)])
        #expect(canary.standing == .silent)
        canary.linkLost()
        #expect(canary.linked() == [.send(8)])
        #expect(canary.returned(8) == [.cameBack])
        #expect(canary.standing == .well)
    }

    @Test mutating func `one that comes late, behind another, is well all the same`() {
        begin()
        #expect(ticks(5) == [.send(2)])
        #expect(ticks(4) == [])
        #expect(canary.returned(1) == [])
        #expect(canary.standing == .well)
        #expect(tick() == [.send(3)])
        // The second is owed from its own sending.
        #expect(ticks(4) == [])
        #expect(canary.standing == .well)
        canary.sent(2)
        #expect(tick() == [.fellSilent, .renewSubscriptions, .send(4)])
    }

    @Test mutating func `what Redis has not even answered is told, and no subscription blamed for it`() {
        #expect(canary.linked() == [.send(1)])
        _ = canary.ticked(now: now)
        #expect(ticks(9) == [.send(2)])
        #expect(tick() == [.fellSilent, .send(3)])
        #expect(canary.standing == .silent)
    }

    @Test mutating func `nothing is owed for the time in which a link is away`() {
        begin()
        canary.linkLost()
        #expect(ticks(30) == [])
        #expect(canary.standing == .well)
        // One of before comes to nobody.
        #expect(canary.returned(1) == [])
        #expect(canary.linked() == [.send(2)])
        #expect(canary.linked() == [])
        #expect(canary.returned(1) == [])
        #expect(canary.standing == .awaited)
    }

    @Test mutating func `a node that was asleep itself does not blame Redis`() {
        begin()
        #expect(canary.returned(1) == [])
        #expect(ticks(5) == [.send(2)])
        canary.sent(2)
        // An hour, in which the answer lay in the socket.
        #expect(tick(after: 3600) == [])
        #expect(canary.standing == .well)
        #expect(canary.returned(2) == [])
        #expect(canary.age == .zero)
    }

    @Test mutating func `a node whose every tick comes late finds silence all the same, only later`() {
        begin()
        var seconds = 0
        while canary.standing == .awaited, seconds < 1000 {
            _ = tick(after: 10)
            seconds += 10
        }
        #expect(canary.standing == .silent && (10...60).contains(seconds))
    }

    @Test mutating func `one that Redis refuses is told with its words at once, until one is back`() {
        begin()
        #expect(canary.returned(1) == [])
        #expect(ticks(5) == [.send(2)])
        #expect(canary.refused(2, reason: "no") == [.fellSilent])
        #expect(canary.standing == .refused(reason: "no"))
        #expect(ticks(5) == [.send(3)])
        #expect(canary.refused(3, reason: "no") == [])
        #expect(ticks(5) == [.send(4)])
        canary.sent(4)
        #expect(canary.returned(4) == [.cameBack])
        #expect(canary.standing == .well)
    }
}
