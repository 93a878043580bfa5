import RedisBackend
import Testing

struct FailoverGraceTests {
    private var grace = FailoverGrace(length: 30_000)

    @Test mutating func `where no other server was before this one, all may be taken for dead`() {
        #expect(grace.spares(now: 0) == 0)
        grace.heard(of: ServerMeeting(from: 0, age: 0), now: 5)
        #expect(grace.spares(now: 5) == 0)
    }

    @Test mutating func `whoever registered with another server is spared for as long as the grace, and no longer`() {
        grace.heard(of: ServerMeeting(from: 500_007, age: 1000), now: 5000)
        #expect(grace.spares(now: 5000) == 500_007)
        #expect(grace.spares(now: 33_999) == 500_007)
        #expect(grace.spares(now: 34_000) == 0)
    }

    @Test mutating func `once it is heard of, it runs by the node's own clock`() {
        grace.heard(of: ServerMeeting(from: 500_000, age: 0), now: 0)
        grace.heard(of: ServerMeeting(from: 500_000, age: 4000), now: 1000)
        #expect(grace.spares(now: 29_999) == 500_000)
        #expect(grace.spares(now: 30_000) == 0)
    }

    @Test mutating func `a node that comes when the others have waited the whole time waits for nobody`() {
        grace.heard(of: ServerMeeting(from: 500_000, age: 31_000), now: 7)
        #expect(grace.spares(now: 7) == 0)
    }

    @Test mutating func `a second failover begins it anew`() {
        grace.heard(of: ServerMeeting(from: 500_000, age: 0), now: 0)
        grace.heard(of: ServerMeeting(from: 520_000, age: 0), now: 20_000)
        #expect(grace.spares(now: 49_999) == 520_000)
        #expect(grace.spares(now: 50_000) == 0)
    }

    @Test(arguments: [0, 5, 30, 120])
    func `watchers hear of nobody's end while that may yet come over from another server`(seconds: Int) {
        var settings = PresenceSettings()
        settings.failoverGrace = .seconds(seconds)
        #expect(settings.setBackGrace >= settings.failoverGrace + settings.lease)
        #expect(settings.setBackGrace >= .seconds(10))
    }
}
