import StormJudge
import Testing

@Suite("The checker that judges streams")
struct StreamCheckerTests {
    private func faults(_ stream: [Int], joinedAt start: Int = 0, upTo end: Int) -> [StreamChecker.Fault] {
        var checker = StreamChecker()
        checker.joined(at: start)
        for seq in stream { checker.received(seq) }
        return checker.faults(upTo: end)
    }

    @Test func `it has nothing to say of a whole stream`() {
        #expect(faults([4, 5, 6], joinedAt: 3, upTo: 6) == [])
    }

    @Test func `it tells a loss, a repeat and a swap`() {
        #expect(faults([1, 2, 5], upTo: 5) == [.lost(3...4)])
        #expect(faults([1, 2, 2, 3], upTo: 3) == [.doubled(2)])
        #expect(faults([1, 3, 2], upTo: 3) == [.outOfOrder(2)])
        #expect(faults([2, 3], joinedAt: 0, upTo: 5) == [.lost(1...1), .lost(4...5)])
    }

    @Test func `a gap that was told is no loss, and what comes behind it is judged again`() {
        var checker = StreamChecker()
        checker.joined(at: 0)
        checker.received(1)
        checker.gap(to: 7)
        checker.received(8)
        checker.received(10)
        #expect(checker.faults(upTo: 10) == [.lost(9...9)])
    }

    @Test func `it tells them from a stream of thousands, wherever they are`() {
        for place in [2, 500, 999] {
            var lost = Array(1...1000)
            lost.remove(at: place - 1)
            #expect(faults(lost, upTo: 1000) == [.lost(place...place)])
            var doubled = Array(1...1000)
            doubled.insert(place, at: place)
            #expect(faults(doubled, upTo: 1000) == [.doubled(place)])
            var late = Array(1...1000)
            late.append(late.remove(at: place - 1))
            #expect(faults(late, upTo: 1000) == [.outOfOrder(place)])
            var swapped = Array(1...1000)
            swapped.swapAt(place - 1, place)
            #expect(faults(swapped, upTo: 1000) == [.outOfOrder(place)])
        }
    }

    @Test func `a loss right behind the join is told, though the first message came before the answer`() {
        var checker = StreamChecker()
        checker.received(7)
        checker.joined(at: 4)
        checker.received(8)
        checker.joined(at: 8)
        #expect(checker.faults(upTo: 8) == [.lost(5...6)])
    }

    @Test func `it keeps where gaps were told`() {
        var checker = StreamChecker()
        checker.joined(at: 0)
        checker.gap(to: 7)
        checker.gap(to: 2)
        checker.received(3)
        #expect(checker.gaps == [7, 2])
        #expect(checker.faults(upTo: 3) == [])
    }

    @Test func `a gap forgives nothing that the stream had gone over before it`() {
        var checker = StreamChecker()
        checker.joined(at: 0)
        for seq in [1, 4, 6] { checker.received(seq) }
        checker.gap(to: 9)
        checker.received(10)
        #expect(checker.faults(upTo: 10) == [.lost(2...3), .lost(5...5)])
        // Under numbers that begin anew, what comes is not what was missed before.
        checker.gap(to: 1)
        checker.received(2)
        checker.received(4)
        #expect(checker.faults(upTo: 4) == [.lost(2...3), .lost(5...5), .lost(3...3)])
    }
}
