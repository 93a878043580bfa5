/// What came out of a storm: how much was published and arrived, and all that is wrong with it.
///
/// Pure. It judges messages by numbers that whoever published gave them, each one's own.
package struct Reckoning: Sendable {
    /// A message that was acknowledged: under which number of its room, and which it is.
    package struct Stored: Hashable, Sendable {
        package var seq: Int
        package var message: Int

        package init(seq: Int, message: Int) {
            self.seq = seq
            self.message = message
        }
    }

    /// What one client saw of one room.
    package struct Sight: Sendable {
        /// Who saw it, and where.
        package var place: String
        package var faults: [StreamChecker.Fault]
        /// After which numbers it was told to go on.
        package var gaps: [Int]
        /// All that came, in order; nil stands for a message that nobody published.
        package var messages: [(seq: Int, message: Int?)]
        /// How many of them came before the last gap: under numbers that may have been others' since.
        package var beforeGap: Int

        package init(
            place: String, faults: [StreamChecker.Fault], gaps: [Int], messages: [(seq: Int, message: Int?)],
            beforeGap: Int = 0
        ) {
            self.place = place
            self.faults = faults
            self.gaps = gaps
            self.messages = messages
            self.beforeGap = beforeGap
        }
    }

    /// What may be lost without being a fault.
    package enum Mercy: Sendable {
        /// Nothing: each `gap` is one.
        case none
        /// What a `gap` explains.
        case gaps
        /// That, and what was acknowledged and is not in the log.
        case losses
    }

    package private(set) var faults: [String] = []
    package private(set) var delivered = 0
    package private(set) var gaps = 0
    package private(set) var lost = 0
    package private(set) var doubled = 0
    package private(set) var outOfOrder = 0
    package private(set) var differing = 0
    package private(set) var falsePresence = 0
    /// Under which number each message was seen first, of all rooms.
    private var seqs: [Int: Int] = [:]
    private var storedAgain: Set<Int> = []

    package init() {}

    /// - Parameters:
    ///   - log: which message the gateway holds of the room, by number.
    ///   - stored: what was acknowledged to the backend.
    package mutating func judge(_ sight: Sight, log: [Int: Int], stored: [Stored], mercy: Mercy = .none) {
        delivered += sight.messages.count
        gaps += sight.gaps.count
        for fault in sight.faults {
            faults.append("\(sight.place): \(fault)")
            switch fault {
            case .lost(let range): lost += range.count
            case .doubled: doubled += 1
            case .outOfOrder: outOfOrder += 1
            }
        }
        compare(sight, with: log)
        lookForRepeats(sight, log, mercy)
        if case .none = mercy { faults += sight.gaps.map { "\(sight.place): gap to \($0)" } }
        let seen = Set(sight.messages.compactMap(\.message))
        for one in stored where !seen.contains(one.message) && Reckoning.isOwed(one, sight, log, mercy) {
            faults.append("\(sight.place): acknowledged \(one.seq) is missing")
            lost += 1
        }
    }

    /// Whether a stored message should have come, and is not told to be lost already.
    private static func isOwed(_ one: Stored, _ sight: Sight, _ log: [Int: Int], _ mercy: Mercy) -> Bool {
        // Behind a gap nothing is sure of a message but what the log says.
        if let gap = sight.gaps.last {
            guard one.seq > gap, log[one.seq] == one.message else { return false }
        } else if case .losses = mercy, !isHeld(one, in: log) {
            return false
        }
        return !sight.faults.contains { if case .lost(let range) = $0 { range.contains(one.seq) } else { false } }
    }

    /// A message has one number, whoever sees it and whether or not it was acknowledged.
    private mutating func lookForRepeats(_ sight: Sight, _ log: [Int: Int], _ mercy: Mercy) {
        let oldest = log.keys.min()
        // Numbers from before a gap may be others' since.
        for case (let seq, let message?) in sight.messages.dropFirst(sight.beforeGap) {
            // What Redis has lost may be stored anew.
            if case .losses = mercy, !Reckoning.isHeld(Stored(seq: seq, message: message), in: log, from: oldest) {
                continue
            }
            let first = seqs[message]
            seqs[message] = first ?? seq
            guard let first, first != seq, storedAgain.insert(message).inserted else { continue }
            faults.append("\(sight.place): message \(message) was stored as \(first) and as \(seq)")
            doubled += 1
        }
    }

    /// Whether the log has an acknowledged message under its number, or no longer goes back that far.
    package static func isHeld(_ stored: Stored, in log: [Int: Int]) -> Bool {
        isHeld(stored, in: log, from: log.keys.min())
    }

    private static func isHeld(_ stored: Stored, in log: [Int: Int], from oldest: Int?) -> Bool {
        if let message = log[stored.seq] { return message == stored.message }
        return oldest.map { stored.seq < $0 } ?? false
    }

    /// What came since the last gap is what the log holds, where it holds it.
    private mutating func compare(_ sight: Sight, with log: [Int: Int]) {
        for one in sight.messages.dropFirst(sight.beforeGap) {
            guard let held = log[one.seq], held != one.message else { continue }
            faults.append("\(sight.place): \(one.seq) is another message in the log")
            differing += 1
        }
    }

    package mutating func falsePresence(_ fault: String) {
        faults.append(fault)
        falsePresence += 1
    }

    /// Something else that must not be.
    package mutating func fault(_ fault: String) { faults.append(fault) }
}
