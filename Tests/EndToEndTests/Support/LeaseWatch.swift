import Synchronization
import TestKit

/// Looks at the nodes' entries in the index again and again: each has to stay what it is, and never to lapse.
final class LeaseWatch: Sendable {
    private struct Record {
        /// Instance and incarnation, by node.
        var owners: [String: String] = [:]
        var faults: [String] = []
        var least = Int64.max

        /// Each is told of once, though it may last.
        mutating func note(_ fault: String) {
            if !faults.contains(fault) { faults.append(fault) }
        }
    }

    private let fleet: Fleet
    private let record = Mutex(Record())
    private let looking = Mutex<Task<Void, any Error>?>(nil)

    init(_ fleet: Fleet) {
        self.fleet = fleet
        let task = Task { [weak self] in
            while !Task.isCancelled, let self {
                try await self.look()
                try? await ContinuousClock().sleep(for: .milliseconds(100))  // Cancelled at the end.
            }
        }
        looking.withLock { $0 = task }
    }

    deinit { looking.withLock { $0?.cancel() } }

    /// The shortest time, in milliseconds, that a lease still had to run when it was looked at.
    var least: Int64 { record.withLock { $0.least } }

    /// Stops looking; answers what was wrong.
    func end() async throws -> [String] {
        let task = looking.withLock { $0 }
        task?.cancel()
        try await task?.value
        return record.withLock { record in
            let missing = record.owners.count == fleet.nodes.count ? [] : ["\(record.owners.count) nodes were seen"]
            return record.faults + missing
        }
    }

    private func look() async throws {
        // An entry is `instance incarnation beat time description`, and a lease 3 s.
        let script = """
            local time, all = redis.call('TIME'), redis.call('HGETALL', 'm:{nodes}:index')
            local out = {}
            for i = 1, #all, 2 do
              local owner, at = string.match(all[i + 1], '^(%S+ %d+) %d+ (%d+) ')
              local left = 3000 + at - (time[1] * 1000 + math.floor(time[2] / 1000))
              out[#out + 1] = string.format('%s %.0f %s', all[i], left, owner)
            end
            return table.concat(out, '\\n')
            """
        let lines = try await fleet.redis.cli("EVAL", script, "0").split(separator: "\n")
        record.withLock { record in
            if lines.count != fleet.nodes.count { record.note("the index holds \(lines.count) nodes") }
            for line in lines {
                let parts = line.split(separator: " ", maxSplits: 2).map(String.init)
                guard parts.count == 3, let left = Int64(parts[1]) else {
                    record.note("an entry is \(line)")
                    continue
                }
                record.least = min(record.least, left)
                if left < 0 { record.note("the lease of \(parts[0]) has lapsed") }
                if let owner = record.owners.updateValue(parts[2], forKey: parts[0]), owner != parts[2] {
                    record.note("\(parts[0]) was \(owner) and is \(parts[2])")
                }
            }
        }
    }
}
