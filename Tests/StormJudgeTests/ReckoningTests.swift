import StormJudge
import Testing

@Suite("The reckoning after a storm")
struct ReckoningTests {
    private typealias Stored = Reckoning.Stored

    private let log = [1: 10, 2: 11, 3: 12]
    private let stored = [Stored(seq: 1, message: 10), Stored(seq: 2, message: 11), Stored(seq: 3, message: 12)]

    private func judge(
        _ messages: [(Int, Int?)], faults: [StreamChecker.Fault] = [], gaps: [Int] = [], beforeGap: Int = 0,
        log: [Int: Int]? = nil, mercy: Reckoning.Mercy = .none
    ) -> Reckoning {
        var reckoning = Reckoning()
        let sight = Reckoning.Sight(
            place: "a r", faults: faults, gaps: gaps, messages: messages.map { (seq: $0, message: $1) },
            beforeGap: beforeGap)
        reckoning.judge(sight, log: log ?? self.log, stored: stored, mercy: mercy)
        return reckoning
    }

    @Test func `it has nothing to say where everything came once`() {
        let reckoning = judge([(1, 10), (2, 11), (3, 12)])
        #expect(reckoning.faults == [] && reckoning.delivered == 3)
    }

    @Test func `what the stream lacks, repeats or turns round is counted by kind`() {
        let reckoning = judge(
            [(1, 10), (2, 11), (3, 12)], faults: [.lost(5...7), .doubled(2), .outOfOrder(3), .outOfOrder(4)])
        #expect(reckoning.lost == 3 && reckoning.doubled == 1 && reckoning.outOfOrder == 2)
        #expect(reckoning.faults.count == 4 && reckoning.faults[0] == "a r: lost 5...7")
    }

    @Test func `an acknowledged message that did not come is lost, one that was stored again is doubled`() {
        let lost = judge([(1, 10), (2, 11)])
        #expect(lost.lost == 1 && lost.faults == ["a r: acknowledged 3 is missing"])
        let again = judge([(1, 10), (2, 11), (3, 12), (4, 11)], log: [1: 10, 2: 11, 3: 12, 4: 11])
        #expect(again.doubled == 1 && again.faults == ["a r: message 11 was stored as 2 and as 4"])
    }

    @Test func `another message than the log holds is told, also one that nobody published`() {
        let reckoning = judge([(1, 10), (2, 11), (3, 12), (4, nil)], log: [1: 10, 2: 77, 3: 12, 4: 13])
        #expect(reckoning.differing == 2 && reckoning.faults.count == 2)
    }

    @Test func `a gap is a fault unless losses are allowed, and what came before it is not held to the log`() {
        let messages: [(Int, Int?)] = [(1, 20), (2, 21), (3, 12)]
        let strict = judge(messages, gaps: [2], beforeGap: 2)
        #expect(strict.gaps == 1 && strict.faults == ["a r: gap to 2"])
        for mercy in [Reckoning.Mercy.gaps, .losses] {
            let mild = judge(messages, gaps: [2], beforeGap: 2, mercy: mercy)
            #expect(mild.gaps == 1 && mild.faults == [])
        }
    }

    @Test func `where losses are allowed only what the log no longer has may be missing`() {
        let messages: [(Int, Int?)] = [(1, 10), (2, 14)]
        let lost = judge(messages, log: [1: 10, 2: 14], mercy: .losses)
        #expect(lost.faults == [])
        #expect(judge(messages, log: [1: 10, 2: 14], mercy: .gaps).lost == 2)
        #expect(judge([(1, 10), (2, 11)], mercy: .losses).lost == 1)
    }

    @Test func `a log that was trimmed still stands for what was acknowledged before`() {
        #expect(Reckoning.isHeld(Stored(seq: 1, message: 10), in: [5: 14]))
        #expect(!Reckoning.isHeld(Stored(seq: 6, message: 15), in: [5: 14]))
        #expect(!Reckoning.isHeld(Stored(seq: 1, message: 10), in: [:]))
    }

    @Test func `what is wrong is counted once`() {
        let lost = judge([(1, 10), (3, 12)], faults: [.lost(2...2)])
        #expect(lost.lost == 1 && lost.faults == ["a r: lost 2...2"])
        // One that came twice was not stored twice.
        let twice = judge([(1, 10), (2, 11), (2, 11), (3, 12)], faults: [.doubled(2)])
        #expect(twice.doubled == 1 && twice.faults == ["a r: doubled 2"])
    }

    @Test func `a message that nobody had an answer for is stored once as well, whoever sees it`() {
        let again = judge([(1, 10), (2, 11), (3, 12), (4, 17), (5, 17)], log: [:])
        #expect(again.doubled == 1 && again.faults == ["a r: message 17 was stored as 4 and as 5"])
        var reckoning = Reckoning()
        for (place, seq) in [("a r", 4), ("b r", 5), ("c r", 5)] {
            let sight = Reckoning.Sight(place: place, faults: [], gaps: [], messages: [(seq: seq, message: 17)])
            reckoning.judge(sight, log: [:], stored: [])
        }
        #expect(reckoning.doubled == 1 && reckoning.faults == ["b r: message 17 was stored as 4 and as 5"])
        // What Redis has lost may be stored anew.
        let anew = judge(
            [(1, 10), (2, 11), (3, 12), (4, 17), (5, 17)], log: [1: 10, 2: 11, 3: 12, 4: 99, 5: 17], mercy: .losses)
        #expect(anew.doubled == 0)
    }

    @Test func `behind a gap all is owed that the log holds`() {
        let log = [1: 10, 2: 11, 3: 12]
        let missing = judge([(1, 20)], gaps: [2], beforeGap: 1, log: log, mercy: .losses)
        #expect(missing.lost == 1 && missing.faults == ["a r: acknowledged 3 is missing"])
        let first = judge([(1, 10)], gaps: [2], beforeGap: 1, log: [1: 10, 2: 11], mercy: .losses)
        #expect(first.faults == [], "what lies before the gap, and what the log has lost")
    }
}
