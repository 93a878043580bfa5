import GatewayCore
import Testing

@Suite("What the log is told of something that fails")
struct TroubleTests {
    private func time(_ milliseconds: Int64) -> MonotonicTime { MonotonicTime(nanoseconds: milliseconds * 1_000_000) }

    @Test func `it is told once for each reason, and once that it is well again`() {
        var trouble = Trouble()
        #expect(trouble.passed() == false)
        #expect(trouble.failed("500", at: time(0)) == true)
        #expect(trouble.failed("500", at: time(60_000)) == false)
        #expect(trouble.failed("404", at: time(61_000)) == true)
        #expect(trouble.passed() == true)
        #expect(trouble.passed() == false)
    }

    @Test func `what fails every other time is two lines in ten seconds`() {
        var trouble = Trouble()
        var (warnings, infos) = (0, 0)
        for step in 0..<600 {
            if trouble.failed("500", at: time(Int64(step) * 100)) { warnings += 1 }
            if trouble.passed() { infos += 1 }
        }
        #expect(warnings == 6 && infos == 6)
    }

    @Test func `reasons that take turns are one line in ten seconds, and the end of it is told`() {
        var trouble = Trouble()
        let lines = (0..<600).count { trouble.failed("\($0 % 2)", at: time(Int64($0) * 100)) }
        #expect(lines <= 7)
        #expect(trouble.passed() == true)
    }

    @Test func `what begins to fail again at once is told when the ten seconds are over`() {
        var trouble = Trouble()
        #expect(trouble.failed("500", at: time(0)) == true)
        #expect(trouble.passed() == true)
        #expect(trouble.failed("500", at: time(1_000)) == false)
        #expect(trouble.failed("500", at: time(10_000)) == true)
    }
}
