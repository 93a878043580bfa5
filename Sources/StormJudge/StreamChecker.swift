/// Judges what one client saw of one room: every message once, in order, without a hole.
///
/// Pure. A client that has joined at a position must see exactly the numbers after it; where it was told of a gap,
/// it goes on behind it.
package struct StreamChecker: Sendable {
    package enum Fault: Hashable, Sendable, CustomStringConvertible {
        /// These numbers never came.
        case lost(ClosedRange<Int>)
        /// This one came again.
        case doubled(Int)
        /// This one came after a later one, for the first time.
        case outOfOrder(Int)

        package var description: String {
            switch self {
            case .lost(let range): "lost \(range)"
            case .doubled(let seq): "doubled \(seq)"
            case .outOfOrder(let seq): "out of order \(seq)"
            }
        }
    }

    private var latest: Int?
    /// The first one that came, where the answer to the join was not known by then.
    private var first: Int?
    private var hasJoined = false
    private var missing: Set<Int> = []
    /// Of what came before the last gap.
    private var lost: [Fault] = []
    private var disorder: [Fault] = []
    package private(set) var count = 0
    /// After which numbers the stream went on where something was lost, in order.
    package private(set) var gaps: [Int] = []

    package init() {}

    /// The client is a member from this number on.
    package mutating func joined(at seq: Int) {
        // Joining again changes nothing about what is owed.
        guard !hasJoined else { return }
        hasJoined = true
        // Messages may be handed over before the answer to the join is.
        if let first, first > seq + 1 { missing.formUnion((seq + 1)..<first) }
        latest = latest ?? seq
    }

    /// The client was told that what lies between the latest and this number may be lost; what it had gone over before stays
    /// lost. The numbers may begin anew.
    package mutating func gap(to seq: Int) {
        latest = seq
        lost += StreamChecker.losses(missing)
        missing = []
        gaps.append(seq)
    }

    package mutating func received(_ seq: Int) {
        count += 1
        guard let last = latest else {
            latest = seq
            first = seq
            return
        }
        if seq > last {
            if seq > last + 1 { missing.formUnion((last + 1)..<seq) }
            latest = seq
        } else if missing.remove(seq) != nil {
            disorder.append(.outOfOrder(seq))
        } else {
            disorder.append(.doubled(seq))
        }
    }

    /// Everything wrong with a stream that should have come up to this number.
    package func faults(upTo end: Int) -> [Fault] {
        var owed = missing
        if let latest, latest < end { owed.formUnion((latest + 1)...end) }
        return lost + StreamChecker.losses(owed) + disorder
    }

    private static func losses(_ seqs: Set<Int>) -> [Fault] {
        var ranges: [ClosedRange<Int>] = []
        for seq in seqs.sorted() {
            if let last = ranges.last, last.upperBound + 1 == seq {
                ranges[ranges.count - 1] = last.lowerBound...seq
            } else {
                ranges.append(seq...seq)
            }
        }
        return ranges.map { .lost($0) }
    }
}
