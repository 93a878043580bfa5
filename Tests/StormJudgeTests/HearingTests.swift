import StormJudge
import Testing

@Suite("Who heard nothing, and whether it was true that they had gone")
struct HearingTests {
    private let rule = AbsenceRule(grace: .seconds(2))
    /// A message every half second for a minute.
    private let stored = (0..<120).map { Duration.milliseconds(500 * $0) }

    @Test func `silences are those between two that were heard, and the one that lasts`() {
        var hearing = Hearing(keeping: .seconds(2))
        #expect(hearing.silences(at: .seconds(9)) == [])
        for time in [0, 500, 1_000, 4_000, 4_500] { hearing.heard(at: .milliseconds(time)) }
        #expect(hearing.longest == .seconds(3))
        #expect(hearing.silences(at: .seconds(5)) == [.init(start: .seconds(1), end: .seconds(4))])
        #expect(
            hearing.silences(at: .seconds(8)) == [
                .init(start: .seconds(1), end: .seconds(4)), .init(start: .milliseconds(4_500), end: nil),
            ])
        #expect(hearing.longest(until: .seconds(8)) == .milliseconds(3_500))
        #expect(hearing.longest(until: .seconds(5)) == .seconds(3))
    }

    @Test func `who was served all the time was falsely told to have gone`() {
        #expect(!rule.isTrue(at: .seconds(10), silences: [], stored: stored))
        let elsewhere = [Hearing.Silence(start: .seconds(20), end: .seconds(25))]
        #expect(!rule.isTrue(at: .seconds(10), silences: elsewhere, stored: stored))
        #expect(!rule.isTrue(at: .seconds(30), silences: elsewhere, stored: stored))
    }

    @Test func `who missed something for long enough had gone, until shortly after the return`() {
        let away = [Hearing.Silence(start: .seconds(20), end: .seconds(25))]
        #expect(!rule.isTrue(at: .milliseconds(21_500), silences: away, stored: stored))
        #expect(rule.isTrue(at: .seconds(23), silences: away, stored: stored))
        #expect(rule.isTrue(at: .milliseconds(27_900), silences: away, stored: stored))
        let stays = [Hearing.Silence(start: .seconds(20), end: nil)]
        #expect(rule.isTrue(at: .seconds(50), silences: stays, stored: stored))
    }

    @Test func `an outage in which nothing was stored excuses nobody's being told offline`() {
        let outage = [Hearing.Silence(start: .seconds(20), end: .seconds(30))]
        let before = stored.filter { $0 <= .seconds(20) }
        #expect(!rule.isTrue(at: .seconds(25), silences: outage, stored: before))
        // The first one after it, heard at once.
        let after = before + [.milliseconds(29_990)]
        #expect(!rule.isTrue(at: .seconds(31), silences: outage, stored: after))
    }
}
