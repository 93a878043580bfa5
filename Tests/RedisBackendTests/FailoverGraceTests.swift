import RedisBackend
import Testing

struct FailoverGraceTests {
    private var grace = FailoverGrace(length: 30_000)

    @Test mutating func `where no other server was before this one, all may be taken for dead`() {
        #expect(grace.spares(now: 0) == 0)
        grace.heard(of: ServerMeeting(since: 0, from: 0), redis: 1_700_000_000_000, now: 5)
        #expect(grace.spares(now: 5) == 0)
    }

    @Test mutating func `whoever registered with another server is spared for as long as the grace, and no longer`() {
        grace.heard(of: ServerMeeting(since: 500_000, from: 500_007), redis: 501_000, now: 5000)
        #expect(grace.spares(now: 5000) == 500_007)
        #expect(grace.spares(now: 33_999) == 500_007)
        #expect(grace.spares(now: 34_000) == 0)
    }

    @Test(arguments: [500_000, 560_000, 440_000, 90_000_000] as [Int64])
    mutating func `once it is heard of, no step of Redis's clock ends or prolongs it`(stepped: Int64) {
        let meeting = ServerMeeting(since: 500_000, from: 500_000)
        grace.heard(of: meeting, redis: 500_000, now: 0)
        grace.heard(of: meeting, redis: stepped, now: 1000)
        #expect(grace.spares(now: 29_999) == 500_000)
        #expect(grace.spares(now: 30_000) == 0)
    }

    @Test mutating func `a node that comes to a server whose clock was set back since waits the whole time`() {
        grace.heard(of: ServerMeeting(since: 500_000, from: 500_000), redis: 440_000, now: 0)
        #expect(grace.spares(now: 29_999) == 500_000)
        #expect(grace.spares(now: 30_000) == 0)
    }

    @Test mutating func `one that comes long after waits for nobody`() {
        grace.heard(of: ServerMeeting(since: 500_000, from: 500_000), redis: 900_000, now: 7)
        #expect(grace.spares(now: 7) == 0)
    }

    @Test mutating func `a second failover begins it anew`() {
        grace.heard(of: ServerMeeting(since: 500_000, from: 500_000), redis: 500_000, now: 0)
        grace.heard(of: ServerMeeting(since: 520_000, from: 520_000), redis: 520_000, now: 20_000)
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
