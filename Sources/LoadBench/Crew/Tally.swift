/// The counts of what receivers got, and of what was wrong with it.
package struct Tally: Codable, Sendable {
    /// Messages of this run that came, each once.
    package var deliveries = 0
    /// Bytes of their frames' payloads.
    package var bytes = 0
    package var repeated = 0
    package var late = 0
    package var damaged = 0
    /// A message of a room that the receiver is not in, or of a publisher that does not serve it.
    package var misplaced = 0
    /// Messages whose `seq` was not the one after the room's last.
    package var misnumbered = 0
    /// Holes told by the gateway.
    package var gaps = 0
    /// Connections that ended after they were ready, by why.
    package var lost: [String: Int] = [:]
    /// Connections that never got ready, by why.
    package var refused: [String: Int] = [:]
    /// Requests that were refused, by code.
    package var errors: [String: Int] = [:]
    /// From when a message was due to when it was read, in nanoseconds.
    package var latency = Histogram()

    package init() {}

    package mutating func add(_ other: Tally) {
        deliveries += other.deliveries
        bytes += other.bytes
        repeated += other.repeated
        late += other.late
        damaged += other.damaged
        misplaced += other.misplaced
        misnumbered += other.misnumbered
        gaps += other.gaps
        lost.merge(other.lost, uniquingKeysWith: +)
        refused.merge(other.refused, uniquingKeysWith: +)
        errors.merge(other.errors, uniquingKeysWith: +)
        latency.add(other.latency)
    }

    /// The same without what came as it should.
    var faultsOnly: Tally {
        var rest = self
        rest.deliveries = 0
        rest.bytes = 0
        rest.latency = Histogram()
        return rest
    }

    /// All that was not as it should be, one line each.
    package var faults: [String] { integrityFaults + connectionFaults }

    /// What must not happen under any load.
    package var integrityFaults: [String] {
        var lines: [String] = []
        for (count, what) in [
            (repeated, "repeated"), (late, "out of order"), (damaged, "damaged"), (misplaced, "in the wrong room"),
            (misnumbered, "with another seq than the next"), (gaps, "told as a gap"),
        ] where count > 0 {
            lines.append("\(count) messages \(what)")
        }
        return lines
    }

    /// What was lost or refused.
    package var connectionFaults: [String] {
        var lines: [String] = []
        lines += lost.sorted { $0.key < $1.key }.map { "\($1) connections lost: \($0)" }
        lines += refused.sorted { $0.key < $1.key }.map { "\($1) connections not made: \($0)" }
        for (code, count) in errors.sorted(by: { $0.key < $1.key }) {
            let hint =
                code == "rate_limited"
                ? " (raise the node's client.messagesPerSecond, or take more --publishers)" : ""
            lines.append("\(count) requests refused: \(code)\(hint)")
        }
        return lines
    }
}
