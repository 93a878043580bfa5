import RedisBackend
import Testing

/// Who is taken for dead, and when, whatever Redis's clock does.
struct SightingsTests {
    private var sightings = Sightings(lease: 3000)
    private let start: Int64 = 1_700_000_000_000

    private func entry(_ number: Int64, at: Int64) -> Beat.Index.Node {
        Beat.Index.Node(name: "b", last: LastBeat(incarnation: 5, number: number), at: at)
    }

    /// What a look at `now` shows, where Redis's clock is off by `offset` by then.
    private mutating func look(_ number: Int64, beatenAt: Int64, offset: Int64 = 0, now: Int64) {
        sightings.saw([entry(number, at: beatenAt)], redis: start + now + offset, sent: now - 4, now: now)
    }

    @Test mutating func `with clocks in step a node is silent one lease after its last beat`() {
        look(1, beatenAt: start - 600, now: 0)
        look(2, beatenAt: start + 400, now: 1000)
        look(2, beatenAt: start + 400, now: 2000)
        #expect(sightings.nextEnd(besides: "a", now: 2000) == 3400)
        #expect(sightings.nextEnd(besides: "b", now: 2000) == nil)
        #expect(sightings.silent(now: 3399).isEmpty)
        #expect(sightings.silent(now: 3400) == ["b": LastBeat(incarnation: 5, number: 2)])
    }

    @Test mutating func `at the first look nobody has been silent, however old its beat is by Redis's clock`() {
        look(1, beatenAt: start - 3_600_000, now: 0)
        #expect(sightings.silent(now: 2999).isEmpty)
        #expect(sightings.silent(now: 3000).count == 1)
    }

    @Test(arguments: [-3_600_000, -60_000, -2000, 2000, 60_000, 3_600_000] as [Int64])
    mutating func `over a step of the clock nobody who beats is silent, and a death is seen a beat later at most`(
        step: Int64
    ) {
        look(1, beatenAt: start - 600, now: 0)
        look(2, beatenAt: start + 400, now: 1000)
        look(2, beatenAt: start + 400, offset: step, now: 2000)
        look(4, beatenAt: start + 2400 + step, offset: step, now: 3000)
        #expect(sightings.silent(now: 5399).isEmpty)
        #expect(sightings.silent(now: 5400).count == 1)
    }

    @Test(arguments: [-3_600_000, -60_000, 60_000, 3_600_000] as [Int64])
    mutating func `a last beat right before the step is counted from when it was seen`(step: Int64) {
        look(1, beatenAt: start - 600, now: 0)
        look(2, beatenAt: start + 400, offset: step, now: 1000)
        #expect(sightings.silent(now: 3999).isEmpty)
        #expect(sightings.silent(now: 4000).count == 1)
    }

    @Test mutating func `whoever has left is not missed, and a new incarnation is another`() {
        look(1, beatenAt: start, now: 0)
        sightings.saw([], redis: start + 1000, sent: 999, now: 1000)
        #expect(sightings.silent(now: 9000).isEmpty)
        look(7, beatenAt: start + 1500, now: 2000)
        let anew = Beat.Index.Node(name: "b", last: LastBeat(incarnation: 6, number: 7), at: start + 2900)
        sightings.saw([anew], redis: start + 3000, sent: 2999, now: 3000)
        #expect(sightings.silent(now: 5899).isEmpty)
        #expect(sightings.silent(now: 5900).count == 1)
    }
}

struct ClockWatchTests {
    private var clock = ClockWatch()

    @Test mutating func `it tells by how much the clock has stepped, once`() {
        #expect(clock.answered(sent: 0, now: 10, redis: 90_005) == nil)
        #expect(clock.answered(sent: 1000, now: 1010, redis: 91_005) == nil)
        #expect(clock.latest(now: 1500) == 1500 + 90_005 + 500)
        #expect(clock.answered(sent: 2000, now: 2010, redis: 152_005) == 59_990)
        #expect(clock.steps == 1)
        #expect(clock.answered(sent: 3000, now: 3010, redis: 153_005) == nil)
        #expect(clock.answered(sent: 4000, now: 4010, redis: 94_005) == -59_990)
        #expect(clock.steps == 2)
        #expect(clock.answered(sent: 5000, now: 5010, redis: 95_005) == nil)
    }

    @Test mutating func `for measuring it is as far ahead as though it had been read midway`() {
        #expect(clock.middle == nil)
        _ = clock.answered(sent: 1000, now: 1010, redis: 91_005)
        #expect(clock.middle == 90_000)
        _ = clock.answered(sent: 2000, now: 2004, redis: 152_003)
        #expect(clock.middle == 150_001)
    }

    @Test mutating func `an answer that comes late is no step, nor is what it says of the clock believed`() {
        _ = clock.answered(sent: 0, now: 10, redis: 90_000)
        #expect(clock.answered(sent: 1000, now: 9000, redis: 91_000) == nil)
        #expect(clock.answered(sent: 9000, now: 17_000, redis: 106_900) == nil)
        #expect(clock.latest(now: 0) == 90_500)
        #expect(clock.answered(sent: 17_000, now: 17_010, redis: 107_005) == nil)
        #expect(clock.steps == 0)
    }

    @Test mutating func `a clock that runs a little fast never steps`() {
        for second in 0..<10_000 as Range<Int64> {
            #expect(clock.answered(sent: second * 1000, now: second * 1000 + 5, redis: second * 1001) == nil)
        }
    }

    @Test mutating func `where nothing is known of the clock, it shows nothing yet`() {
        #expect(clock.latest(now: 5000) == 0)
    }
}
