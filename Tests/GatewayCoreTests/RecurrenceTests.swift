import GatewayCore
import Testing

@Suite("Lines of the log for what happens very often")
struct RecurrenceTests {
    private func time(_ milliseconds: Int64) -> MonotonicTime { MonotonicTime(nanoseconds: milliseconds * 1_000_000) }

    @Test func `the first is told at once, and the others once a second, all counted`() {
        var recurrence = Recurrence()
        #expect(recurrence.happened(at: time(0)) == 1)
        for moment in 1..<1_000 { #expect(recurrence.happened(2, at: time(Int64(moment))) == nil) }
        #expect(recurrence.happened(at: time(1_000)) == 1_999)
        #expect(recurrence.happened(at: time(1_999)) == nil)
        #expect(recurrence.happened(at: time(60_000)) == 2)
    }

    @Test func `a million in one second are one line`() {
        var recurrence = Recurrence()
        var lines = 0
        for number in 0..<1_000_000 where recurrence.happened(at: time(Int64(number) / 1_001)) != nil { lines += 1 }
        #expect(lines == 1)
    }
}
