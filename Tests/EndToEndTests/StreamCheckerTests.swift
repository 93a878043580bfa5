import TestKit
import Testing

@Suite("The checker that judges streams")
struct StreamCheckerTests {
    private func faults(_ stream: [Int], joinedAt start: Int = 0, upTo end: Int) -> [StreamChecker.Fault] {
        var checker = StreamChecker()
        checker.joined(at: start)
        for seq in stream { checker.received(seq) }
        return checker.faults(upTo: end)
    }

    @Test("it has nothing to say of a whole stream")
    func whole() {
        #expect(faults([4, 5, 6], joinedAt: 3, upTo: 6) == [])
    }

    @Test("it tells a loss, a repeat and a swap")
    func faulty() {
        #expect(faults([1, 2, 5], upTo: 5) == [.lost(3...4)])
        #expect(faults([1, 2, 2, 3], upTo: 3) == [.doubled(2)])
        #expect(faults([1, 3, 2], upTo: 3) == [.outOfOrder(2)])
        #expect(faults([2, 3], joinedAt: 0, upTo: 5) == [.lost(1...1), .lost(4...5)])
    }

    @Test("a gap that was told is no loss, and what comes behind it is judged again")
    func gaps() {
        var checker = StreamChecker()
        checker.joined(at: 0)
        checker.received(1)
        checker.gap(to: 7)
        checker.received(8)
        checker.received(10)
        #expect(checker.faults(upTo: 10) == [.lost(9...9)])
    }
}
