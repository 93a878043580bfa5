/// The bound on messages with a `dedupe` key that the connections of one user may send within the time that such keys
/// are remembered: what each costs the store is never forgotten early, so it is not taken in the first place.
///
/// A token bucket for each user, kept as the moment at which it will be full again; one that is full needs no entry.
package struct MarkBudget: Sendable {
    /// Keys remembered at once, about; 0: any number.
    package let limit: Int
    private let nanosecondsPerMark: Int64
    private var fullAt: [UserID: MonotonicTime] = [:]
    /// How many entries there may be before those that are over are looked for.
    private var sweepAt = MarkBudget.leastEntries

    private static let leastEntries = 1024

    /// - Parameter life: how long a key is remembered.
    package init(limit: Int, life: Duration) {
        self.limit = limit
        nanosecondsPerMark = limit == 0 ? 0 : life.milliseconds * 1_000_000 / Int64(limit)
    }

    /// Users with fewer marks to spend than all.
    package var count: Int { fullAt.count }

    /// Spends one mark of the user's; answers how long it takes until there is one again, nil where there was.
    package mutating func spend(_ user: UserID, now: MonotonicTime) -> Duration? {
        guard limit > 0 else { return nil }
        let full = max(fullAt[user] ?? now, now)
        let spent = full.nanoseconds - now.nanoseconds
        let most = nanosecondsPerMark * Int64(limit - 1)
        guard spent <= most else { return .nanoseconds(spent - most) }
        fullAt[user] = MonotonicTime(nanoseconds: full.nanoseconds + nanosecondsPerMark)
        if fullAt.count > sweepAt { sweep(now: now) }
        return nil
    }

    /// Each entry is looked at once for every one that was added, about.
    private mutating func sweep(now: MonotonicTime) {
        fullAt = fullAt.filter { $0.value > now }
        sweepAt = max(MarkBudget.leastEntries, 2 * fullAt.count)
    }
}
