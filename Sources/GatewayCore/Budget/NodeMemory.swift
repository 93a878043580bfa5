/// The rule by which one event loop relieves its node while that holds more for all connections than it may.
///
/// First those for whom most is held are fed from the log at their own pace, which holds a part of what they miss and
/// no more; where that has not helped after a while, or the node is far above, the worst of those are closed.
package struct NodeMemory: Sendable {
    /// The memory that is held for one connection.
    package struct Claim: Sendable {
        package let bytes: Int
        /// Whether it is sent something as it comes that the log could hold for it.
        package let isLive: Bool

        package init(bytes: Int, isLive: Bool) {
            self.bytes = bytes
            self.isLive = isLive
        }
    }

    /// Places in the list of claims, the worst first.
    package struct Relief: Hashable, Sendable {
        package var feed: [Int]
        package var close: [Int]

        package init(feed: [Int] = [], close: [Int] = []) {
            self.feed = feed
            self.close = close
        }
    }

    /// How long those that are fed from the log have to read what waits for them.
    package static let patience = Duration.seconds(2)
    /// A connection for which less is held is nobody's trouble, unless the node is far above its budget.
    package static let harmlessBytes = 64 << 10

    private var overdrawnSince: MonotonicTime?

    package init() {}

    /// - Parameters:
    ///   - held: by the whole node.
    ///   - closing: of it, for connections of this loop that are on their way out: it comes back by itself.
    ///   - claims: of this loop's other connections; it answers for their share of what is too much.
    package mutating func relieve(
        held: Int, budget: Int, closing: Int, claims: [Claim], now: MonotonicTime
    ) -> Relief {
        guard held > budget else {
            overdrawnSince = nil
            return Relief()
        }
        let since = overdrawnSince ?? now
        overdrawnSince = since
        // A little below the budget, so that it is not above it again in the next turn.
        let own = claims.reduce(closing) { $0 + $1.bytes }
        let share = Double(own) / Double(held)
        let excess = Int(Double(held - (budget - budget / 8)) * min(share, 1)) - closing
        let isFarAbove = held > budget + budget / 4
        let worstFirst = claims.indices.filter { isFarAbove || claims[$0].bytes >= NodeMemory.harmlessBytes }
            .sorted { claims[$0].bytes > claims[$1].bytes }
        var relief = Relief()
        // What those hold that are fed already becomes less by itself, if they read at all.
        let fed = claims.reduce(0) { $1.isLive ? $0 : $0 + $1.bytes }
        relief.feed = NodeMemory.first(of: worstFirst.filter { claims[$0].isLive }, claims, covering: excess - fed)
        if now - since >= NodeMemory.patience || isFarAbove {
            relief.close = NodeMemory.first(of: worstFirst.filter { !claims[$0].isLive }, claims, covering: excess)
        }
        return relief
    }

    private static func first(of places: [Int], _ claims: [Claim], covering excess: Int) -> [Int] {
        var left = excess
        return Array(
            places.prefix { place in
                defer { left -= claims[place].bytes }
                return left > 0
            })
    }
}
