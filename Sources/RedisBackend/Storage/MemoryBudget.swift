/// `redis.budget`: how much of Redis may be taken before messages are refused, so that logins, joins and leaves go on.
package enum MemoryBudget: Hashable, Sendable {
    /// Messages are taken until Redis itself refuses them, and everything else with them.
    case off
    /// So many percent of Redis's own `maxmemory`.
    case share(percent: Int)
    case bytes(Int)

    /// Bytes from which on messages are refused; nil where nothing says how many those are.
    package func limit(maxMemory: Int) -> Int? {
        switch self {
        case .off: nil
        // Divided first: it may be any 64-bit number.
        case .share(let percent): maxMemory > 0 ? maxMemory / 100 * percent : nil
        case .bytes(let bytes): bytes
        }
    }

    /// Bytes until messages are refused; as many as there can be where nothing says how many those are.
    func rest(_ usage: MemoryUsage) -> Int { (limit(maxMemory: usage.max) ?? .max) - usage.used }
}

/// The memory of a Redis, as INFO tells it.
package struct MemoryUsage: Hashable, Sendable {
    /// Bytes as `maxmemory` counts them: without what replicas and the append-only file wait for.
    package var used: Int
    /// 0 where Redis has no limit of its own.
    package var max: Int

    package init(used: Int, max: Int) {
        self.used = used
        self.max = max
    }

    /// Nil where the answer says nothing of it.
    package init?(info: String) {
        guard let used = info.infoField("used_memory").flatMap({ Int($0) }) else { return nil }
        let uncounted = info.infoField("mem_not_counted_for_evict").flatMap { Int($0) } ?? 0
        self.init(used: Swift.max(0, used - uncounted), max: info.infoField("maxmemory").flatMap { Int($0) } ?? 0)
    }
}

/// A gauge of Redis's room for messages, by the last that was heard of it. No I/O and no clock.
package struct MemoryGauge: Sendable {
    /// The change that an answer has made.
    package enum Change: Hashable, Sendable {
        case none
        /// Messages are refused from now on.
        case filled
        /// They are taken again.
        case emptied
        /// The budget is a share of a limit that Redis does not have: it holds nothing back. Said once.
        case limitless
    }

    /// So many bytes at least are written before Redis is asked out of turn.
    package static let leastRoom = 256 << 10

    package let budget: MemoryBudget
    package private(set) var isFull = false
    package private(set) var limit: Int?
    private var isKnownLimitless = false

    package init(budget: MemoryBudget) {
        self.budget = budget
    }

    package mutating func answered(_ usage: MemoryUsage) -> Change {
        limit = budget.limit(maxMemory: usage.max)
        guard let limit else {
            if isFull {
                isFull = false
                return .emptied
            }
            guard case .share = budget, !isKnownLimitless else { return .none }
            isKnownLimitless = true
            return .limitless
        }
        // A little below the limit, so that it does not go to and fro with each message.
        let isOver = usage.used >= (isFull ? limit - limit / 50 : limit)
        defer { isFull = isOver }
        if isOver == isFull { return .none }
        return isOver ? .filled : .emptied
    }

    /// How many bytes this node may write until it should ask again, since others write as well.
    package func room(_ usage: MemoryUsage) -> Int {
        guard let limit else { return .max }
        return max(MemoryGauge.leastRoom, (limit - usage.used) / 4)
    }
}

/// A gauge of each server that has a part of the partitions; of one by itself, all of them. No I/O and no clock.
package struct MemoryGauges: Sendable {
    /// One server's answer.
    package struct Reading: Sendable {
        /// The server's name among the others.
        package var server: String
        package var partitions: PartitionSet
        /// Nil where it has not answered: what was heard before holds.
        package var usage: MemoryUsage?

        package init(server: String, partitions: PartitionSet, usage: MemoryUsage?) {
            self.server = server
            self.partitions = partitions
            self.usage = usage
        }
    }

    private let budget: MemoryBudget
    private var gauges: [String: MemoryGauge] = [:]
    /// What has no room for messages.
    package private(set) var full = PartitionSet.none
    /// How many bytes this node may write until it should ask again, wherever they go.
    package private(set) var room = Int.max
    /// Of the server that is nearest to its limit, or farthest above it; nil before any has answered.
    package private(set) var fullest: (usage: MemoryUsage, limit: Int?)?

    package init(budget: MemoryBudget) {
        self.budget = budget
    }

    /// - Parameter readings: one of each server that there is; who is not among them has nothing any more.
    /// - Returns: what has changed, by server.
    package mutating func answered(_ readings: [Reading]) -> [(reading: Reading, change: MemoryGauge.Change)] {
        var (kept, changes) = ([String: MemoryGauge](), [(Reading, MemoryGauge.Change)]())
        (full, room) = (.none, .max)
        for reading in readings {
            var gauge = gauges[reading.server] ?? MemoryGauge(budget: budget)
            if let usage = reading.usage {
                let change = gauge.answered(usage)
                if change != .none { changes.append((reading, change)) }
                room = min(room, gauge.room(usage))
            }
            if gauge.isFull { full.formUnion(reading.partitions) }
            kept[reading.server] = gauge
        }
        gauges = kept
        let usages = readings.compactMap(\.usage)
        if let usage = usages.min(by: { budget.rest($0) < budget.rest($1) }) {
            fullest = (usage, budget.limit(maxMemory: usage.max))
        }
        return changes
    }
}

extension String {
    /// A field of INFO's answer.
    func infoField(_ name: String) -> String? {
        let key = Array("\(name):".utf8)
        let line = utf8.split(whereSeparator: { $0 == 0x0D || $0 == 0x0A }).first { $0.starts(with: key) }
        return line.flatMap { String($0.dropFirst(key.count)) }
    }
}
