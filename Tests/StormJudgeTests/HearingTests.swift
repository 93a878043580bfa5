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
        // The last one before it was heard before whoever had sent it had the answer.
        #expect(!rule.isTrue(at: .seconds(25), silences: outage, stored: before + [.milliseconds(20_002)]))
        // The first one after it, heard at once.
        let after = before + [.milliseconds(29_990)]
        #expect(!rule.isTrue(at: .seconds(31), silences: outage, stored: after))
    }

    @Test func `who was served late is told late of what was true`() {
        let away = [Hearing.Silence(start: .seconds(20), end: .seconds(25))]
        let late = [Hearing.Silence(start: .seconds(21), end: .seconds(40))]
        func isTrue(_ time: Duration, _ witness: [Hearing.Silence]) -> Bool {
            rule.isTrue(at: time, silences: away, stored: stored, witness: witness)
        }
        #expect(!isTrue(.seconds(41), []))
        // What was told comes with the first message, before it or after it.
        for time in [Duration.milliseconds(39_900), .seconds(41), .milliseconds(42_900)] { #expect(isTrue(time, late)) }
        #expect(!isTrue(.seconds(44), late))
        #expect(!isTrue(.seconds(35), late), "nothing was told amid the silence")
        // It was told of that leave before its own silence began.
        #expect(!isTrue(.seconds(51), [Hearing.Silence(start: .seconds(30), end: .seconds(50))]))
        // And the leaver must have missed something all the same.
        #expect(!rule.isTrue(at: .seconds(41), silences: away, stored: [], witness: late))
    }
}
