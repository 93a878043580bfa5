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
        guard sight.gaps.isEmpty else {
            if case .none = mercy { faults += sight.gaps.map { "\(sight.place): gap to \($0)" } }
            return
        }
        let times = Dictionary(sight.messages.map { ($0.message, 1) }, uniquingKeysWith: +)
        for one in stored {
            if case .losses = mercy, !Reckoning.isHeld(one, in: log) { continue }
            switch times[one.message] {
            case 1: continue
            case nil:
                faults.append("\(sight.place): acknowledged \(one.seq) is missing")
                lost += 1
            case .some:
                faults.append("\(sight.place): acknowledged \(one.seq) was stored more than once")
                doubled += 1
            }
        }
    }

    /// Whether the log has an acknowledged message under its number, or no longer goes back that far.
    package static func isHeld(_ stored: Stored, in log: [Int: Int]) -> Bool {
        if let message = log[stored.seq] { return message == stored.message }
        return log.keys.min().map { stored.seq < $0 } ?? false
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
