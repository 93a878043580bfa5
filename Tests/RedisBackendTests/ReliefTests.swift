import RedisBackend
import Testing

/// When a node sends its clients away because it cannot do its part.
struct ReliefTests {
    private typealias Step = Relief.Step

    /// Beats once a second; answers at which second which step was taken.
    private func run(
        _ relief: inout Relief, _ seconds: ClosedRange<Int64>, _ word: Ability.Word = .unable, another: Bool = true
    ) -> [Int64: Relief.Step] {
        var steps: [Int64: Relief.Step] = [:]
        for second in seconds {
            steps[second] = relief.beaten(word, isAnotherAble: another, now: second * 1000)
        }
        return steps
    }

    @Test func `clients go after 30 s in which another could and this one could not, and only once`() {
        var relief = Relief(lease: 3000)
        #expect(run(&relief, 0...9, .able) == [:])
        #expect(run(&relief, 10...100) == [40: .sendAway])
        #expect(run(&relief, 101...110, .able) == [101: .admitAgain])
        #expect(run(&relief, 111...200) == [141: .sendAway])
    }

    @Test func `they stay where nobody else could serve them, and where it is over sooner`() {
        var relief = Relief(lease: 3000)
        #expect(run(&relief, 0...100, another: false) == [:])
        #expect(run(&relief, 101...130) == [:])
        #expect(run(&relief, 131...131, .able) == [:])
        #expect(run(&relief, 132...160) == [:])
        #expect(run(&relief, 161...161, another: false) == [:])
        #expect(run(&relief, 162...191) == [:])
        #expect(run(&relief, 192...192) == [192: .sendAway])
    }

    @Test func `a time in which no beat was answered counts for nothing`() {
        var relief = Relief(lease: 3000)
        #expect(run(&relief, 0...29) == [:])
        // Three seconds are a lease; four are more.
        #expect(run(&relief, 33...62) == [:])
        #expect(run(&relief, 63...63) == [63: .sendAway])
        var late = Relief(lease: 3000)
        #expect(run(&late, 0...28) == [:])
        #expect(run(&late, 31...31) == [31: .sendAway])
    }

    @Test func `whoever was sent away may come again once nobody else can serve them`() {
        var relief = Relief(lease: 3000)
        #expect(run(&relief, 0...30) == [30: .sendAway])
        #expect(run(&relief, 31...40, another: false) == [31: .admitAgain])
        #expect(run(&relief, 41...71) == [71: .sendAway])
    }
}
