import Synchronization

/// Budgets by name, in parts that are locked each by itself.
final class BudgetTable<Name: Hashable & Sendable>: Sendable {
    /// In each part; beyond it no further name is kept, which only so many debtors at once could bring about.
    static var maxNames: Int { 4096 }
    private static var parts: Int { 16 }

    private struct Part {
        var budgets: [Name: Budget] = [:]
        /// Names at which those without a debt are looked for.
        var swept = 64
    }

    /// On the heap, since a mutex stays where it was made.
    private final class Locked: Sendable {
        let part = Mutex(Part())
    }

    private let allowance: Allowance
    private let parts: [Locked]

    init(allowance: Allowance) {
        self.allowance = allowance
        parts = (0..<BudgetTable.parts).map { _ in Locked() }
    }

    var count: Int { parts.reduce(0) { $0 + $1.part.withLock { $0.budgets.count } } }

    /// - Returns: how long there is nothing to spend; nil where there is something.
    func spend(_ price: Int, by name: Name, now: MonotonicTime) -> Duration? {
        guard allowance != .unlimited else { return nil }
        // The low bits choose a place within a dictionary.
        let part = parts[Int(UInt(bitPattern: name.hashValue) >> 48) % parts.count]
        return part.part.withLock { part in
            guard var budget = part.budgets[name] else {
                guard price > 0 else { return nil }
                if part.budgets.count >= part.swept { BudgetTable.sweep(&part, now: now) }
                guard part.budgets.count < BudgetTable.maxNames else { return nil }
                var budget = Budget(now: now)
                budget.spend(price, now: now, allowance)
                part.budgets[name] = budget
                return budget.wait(now: now)
            }
            budget.spend(price, now: now, allowance)
            part.budgets[name] = budget.isFull(now: now) ? nil : budget
            return budget.wait(now: now)
        }
    }

    /// As often as the names have doubled, so that looking at all of them costs each little.
    private static func sweep(_ part: inout Part, now: MonotonicTime) {
        part.budgets = part.budgets.filter { !$0.value.isFull(now: now) }
        part.swept = min(maxNames, max(64, 2 * part.budgets.count))
    }
}
