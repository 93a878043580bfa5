/// Redis's clock beside the node's own monotonic one: how far it is ahead, and how often it has stepped, as when it was set,
/// or when another server took over whose clock differs.
///
/// What was stored by a clock that has stepped since means nothing beside what it shows now. Each server has a clock of its
/// own. Pure: times are milliseconds, `now` by the node's own clock.
package struct ClockWatch: Hashable, Sendable {
    /// What lies between when Redis looked at its clock and when the node did at its own is no step.
    package static let tolerance: Int64 = 500

    /// How far Redis's clock was ahead by the last answer that came soon: as though it had been read as the question went
    /// out, and as the answer came.
    private var ahead: ClosedRange<Int64>?
    /// How often it has stepped so far.
    package private(set) var steps = 0

    package init() {}

    /// A question that went out at `sent` was answered; `redis` is Redis's clock in the answer. Answers by how much it has
    /// stepped at least, forwards where positive; nil where it has not.
    package mutating func answered(sent: Int64, now: Int64, redis: Int64) -> Int64? {
        let found = (redis - now)...(redis - sent)
        guard let known = ahead else {
            ahead = found
            return nil
        }
        var step: Int64?
        if found.lowerBound > known.upperBound + ClockWatch.tolerance {
            step = found.lowerBound - known.upperBound
        } else if found.upperBound < known.lowerBound - ClockWatch.tolerance {
            step = found.upperBound - known.lowerBound
        }
        if step != nil { steps += 1 }
        if step != nil || now - sent <= ClockWatch.tolerance { ahead = found }
        return step
    }

    /// How far it is ahead, as though it had been read midway; nil where nothing is known of it.
    package var middle: Int64? { ahead.map { ($0.lowerBound + $0.upperBound) / 2 } }

    /// What it shows at most, if it has not stepped since the last answer; 0 where nothing is known of it.
    package func latest(now: Int64) -> Int64 {
        ahead.map { now + $0.upperBound + ClockWatch.tolerance } ?? 0
    }
}
