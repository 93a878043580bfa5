/// Since when each node of an index has not beaten, as this node has seen it.
///
/// An entry that shows another beat than before tells that its node lives; how long it has shown the same is measured by
/// this node's own monotonic clock. Redis's, which may step, only says more exactly when between two looks a beat came,
/// and is believed where it went on as this node's did. Pure: times are milliseconds, `now` by the node's own clock.
package struct Sightings: Sendable {
    private struct Seen {
        let last: LastBeat
        /// When it came, or later.
        let at: Int64
    }

    private struct Look {
        let sent: Int64
        let answered: Int64
        /// By Redis's clock.
        let redis: Int64
    }

    private let lease: Int64
    /// By how much the two clocks may differ between two looks: a tenth of the lease.
    private let tolerance: Int64
    private var seen: [String: Seen] = [:]
    private var previous: Look?

    package init(lease: Int64) {
        self.lease = lease
        tolerance = lease / 10
    }

    /// A beat that went out at `sent` showed the index, when Redis's clock showed `redis`.
    package mutating func saw(_ nodes: [Beat.Index.Node], redis: Int64, sent: Int64, now: Int64) {
        var next: [String: Seen] = [:]
        for node in nodes {
            if let known = seen[node.name], known.last == node.last {
                next[node.name] = known
            } else {
                next[node.name] = Seen(last: node.last, at: moment(of: node, redis: redis, now: now))
            }
        }
        seen = next
        previous = Look(sent: sent, answered: now, redis: redis)
    }

    /// The nodes that have not beaten for a lease, with the last beat of each.
    package func silent(now: Int64) -> [String: LastBeat] {
        seen.filter { now - $0.value.at >= lease }.mapValues(\.last)
    }

    /// When the next of the others will not have beaten for a lease; nil where none is awaited.
    package func nextEnd(besides own: String, now: Int64) -> Int64? {
        seen.filter { $0.key != own && now - $0.value.at < lease }.map { $0.value.at + lease }.min()
    }

    private func moment(of node: Beat.Index.Node, redis: Int64, now: Int64) -> Int64 {
        guard let previous, abs((redis - previous.redis) - (now - previous.answered)) <= tolerance else { return now }
        return max(previous.sent, now - max(0, redis - node.at))
    }
}
