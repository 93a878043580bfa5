import GatewayCore
import Testing

@Suite
struct RateLimiterTests {
    private let limit = RateLimit(perSecond: 10, burst: 3)
    private let start = MonotonicTime(nanoseconds: 5_000_000_000)

    private func verdicts(_ count: Int, _ limiter: inout RateLimiter, at time: MonotonicTime)
        -> [RateLimiter.Verdict]
    {
        (0..<count).map { _ in limiter.spend(now: time, limit: limit) }
    }

    @Test func `a burst is let through and no frame more`() {
        var limiter = RateLimiter(now: start)
        #expect(verdicts(4, &limiter, at: start) == [.accepted, .accepted, .accepted, .refused])
    }

    @Test func `a frame that counts as many is let through by a bucket that is not empty; those after it wait`() {
        var limiter = RateLimiter(now: start)
        #expect(verdicts(2, &limiter, at: start) == [.accepted, .accepted])
        #expect(limiter.spend(now: start, limit: limit, weight: 5) == .accepted)
        #expect(verdicts(1, &limiter, at: start + .milliseconds(499)) == [.refused])
        #expect(verdicts(2, &limiter, at: start + .milliseconds(500)) == [.accepted, .refused])
    }

    @Test func `a frame comes back for each tenth of a second`() {
        var limiter = RateLimiter(now: start)
        _ = verdicts(3, &limiter, at: start)
        #expect(verdicts(1, &limiter, at: start + .milliseconds(99)) == [.refused])
        #expect(verdicts(2, &limiter, at: start + .milliseconds(100)) == [.accepted, .refused])
        #expect(verdicts(3, &limiter, at: start + .milliseconds(300)) == [.accepted, .accepted, .refused])
    }

    @Test func `a rest does not save up more than a burst`() {
        var limiter = RateLimiter(now: start)
        #expect(verdicts(4, &limiter, at: start + .seconds(3600)) == [.accepted, .accepted, .accepted, .refused])
    }

    @Test func `ten bursts of refused frames are the end of patience`() {
        var limiter = RateLimiter(now: start)
        _ = verdicts(3, &limiter, at: start)
        #expect(verdicts(30, &limiter, at: start).allSatisfy { $0 == .refused })
        #expect(limiter.spend(now: start, limit: limit) == .exhausted)
    }

    @Test func `a client that rests until its bucket is full is forgiven`() {
        var limiter = RateLimiter(now: start)
        _ = verdicts(33, &limiter, at: start)
        let later = start + .milliseconds(300)
        #expect(verdicts(33, &limiter, at: later).last == .refused)
        #expect(limiter.spend(now: later, limit: limit) == .exhausted)
    }
}
