/// The heaviest spenders of the last minute, in steps of five seconds.
package struct SpendingWindow<Key: Hashable & Sendable>: Sendable {
    package static var step: Duration { .seconds(5) }
    private static var steps: Int64 { 12 }

    private let capacity: Int
    /// What was spent in each step, by its number since the clock's beginning; the present one last.
    private var past: [(number: Int64, spenders: HeavyHitters<Key>)] = []

    package init(capacity: Int) {
        self.capacity = capacity
    }

    package mutating func add(_ spending: Spending, by key: Key, now: MonotonicTime) {
        let number = number(now)
        if past.last?.number != number {
            forget(now: now)
            past.append((number, HeavyHitters(capacity: capacity)))
        }
        past[past.count - 1].spenders.add(spending, by: key)
    }

    /// The sum over the last minute.
    package mutating func lastMinute(now: MonotonicTime) -> HeavyHitters<Key> {
        forget(now: now)
        var sum = HeavyHitters<Key>(capacity: capacity)
        for (_, spenders) in past { sum.add(spenders) }
        return sum
    }

    private mutating func forget(now: MonotonicTime) {
        let first = number(now) - Self.steps + 1
        past.removeAll { $0.number < first }
    }

    private func number(_ now: MonotonicTime) -> Int64 { now.nanoseconds / Self.step.nanoseconds }
}
