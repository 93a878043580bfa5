/// By what spenders are put in order.
package enum SpendingMeasure: String, Sendable, CaseIterable {
    case bytesIn, bytesOut, redis, cpu

    package func amount(of spending: Spending) -> Int {
        switch self {
        case .bytesIn: spending.bytesIn
        case .bytesOut: spending.bytesOut
        case .redis: spending.redisNanoseconds
        case .cpu: spending.processorNanoseconds
        }
    }
}

/// The heaviest spenders out of any number, within a bounded memory.
///
/// Where it holds twice as many as its capacity, only those go on who are among the first quarter of the capacity by one
/// measure at least: whoever spends more of something than that share of it is never forgotten. What was spent by somebody
/// who was forgotten and comes again is not known any more.
package struct HeavyHitters<Key: Hashable & Sendable>: Sendable {
    private let capacity: Int
    private var spendings: [Key: Spending] = [:]

    package init(capacity: Int) {
        self.capacity = capacity
    }

    package var count: Int { spendings.count }

    package mutating func add(_ spending: Spending, by key: Key) {
        spendings[key, default: Spending()] += spending
        if spendings.count >= 2 * capacity { spendings = best(capacity / 4) }
    }

    package mutating func add(_ others: HeavyHitters<Key>) {
        for (key, spending) in others.spendings { add(spending, by: key) }
    }

    /// Those who are among the first so many by any measure, each once, in no order.
    package func best(_ count: Int) -> [Key: Spending] {
        var best: [Key: Spending] = [:]
        for measure in SpendingMeasure.allCases {
            for (key, spending) in top(count, by: measure) { best[key] = spending }
        }
        return best
    }

    /// The first so many by a measure, the greatest first; who has spent nothing of it is none of them.
    package func top(_ count: Int, by measure: SpendingMeasure) -> [(key: Key, spending: Spending)] {
        spendings.lazy
            .map { (key: $0.key, spending: $0.value) }
            .filter { measure.amount(of: $0.spending) > 0 }
            .sorted { measure.amount(of: $0.spending) > measure.amount(of: $1.spending) }
            .prefix(count).map(\.self)
    }
}
