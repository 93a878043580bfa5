import RedisClient
import Testing

/// Servers that do not say the same of one slot.
extension ClusterMachineTests {
    @Test mutating func `a slot that two primaries give to each other is nobody's until one says that it has it`() {
        settle()
        let fewer = primary("B", b, 2, 5461...5999, 6001...10_922)
        let more = primary("C", c, 3, 6000...6000, 10_923...16_383)
        let words = [
            (a, ClusterWord(primaries: three, speaker: "A")),
            (b, ClusterWord(primaries: [three[0], fewer, more], speaker: "B")),
            (c, ClusterWord(primaries: three, speaker: "C")),
        ]
        var told: [Action] = []
        for time in [Int64(0), 200, 400] {
            _ = machine.doubted(now: at(time))
            for (place, word) in words { told += others(machine.answered(place, word, now: at(time + 10))) }
        }
        #expect(
            told == [
                .use(table(a, c, c, primaries: [a, b, c])), .use(table(a, nil, c, primaries: [a, b, c])),
            ])
        // Nobody will say that one has it: all are asked with each tick.
        for place in [a, b, c] { _ = fine(place, at: 590) }
        #expect(Set(asksSlots(machine.ticked(now: at(600)))) == [a, b, c])
        let healed = ClusterWord(primaries: [three[0], fewer, more], speaker: "C")
        #expect(others(machine.answered(c, healed, now: at(610))) == [.use(table(a, c, c, primaries: [a, b, c]))])
    }
}
