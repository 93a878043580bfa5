/// The roster of a room as it was told to members whose protocol knows no versions of it, so that after steps that were lost
/// they can be told what is other than they know.
package struct ToldRoster: Sendable {
    /// Up to where everybody has been told who knows no more by itself.
    package private(set) var version: Int64
    /// Nil until somebody has been told all of it.
    private var users: Set<UserID>?
    /// What has come since a step was lost; nil where all is known.
    private var since: RosterSteps?
    /// Whether the roster is being read.
    private var isAsked = false
    /// How often in a row a reading has brought nothing.
    private var failures = 0

    private static let mostFailures = 7
    private static let firstPause = Duration.milliseconds(250)

    package init(at version: Int64) {
        self.version = version
    }

    /// Somebody is told all of it; answers whether that is the first one.
    package mutating func begin(with members: [Member]) -> Bool {
        guard users == nil else { return false }
        users = Set(members.map(\.userId))
        return true
    }

    /// The events lead on from what is known.
    package mutating func apply(_ events: [RosterEvent]) {
        guard users != nil else { return }
        for event in events {
            switch event.kind {
            case .join: users?.insert(event.userId)
            case .leave: users?.remove(event.userId)
            case .update: break
            }
        }
    }

    /// Whether steps were lost, and what has changed has not been told yet.
    package var isBehind: Bool { since != nil }

    // MARK: Steps

    package enum Receipt {
        /// It is for those who know less: they knew the roster up to this version.
        case tell(from: Int64)
        case nothing
        /// Steps behind this version are lost to whoever is about to be told all, but has read it before.
        case lost(from: Int64)
        /// Steps are missing before it. What Redis has may not be whole either: whoever has followed it says when it is, and
        /// then that the roster has changed unseen.
        case behind
        /// The roster is to be read.
        case read
    }

    package mutating func receive(_ portion: RosterPortion) -> Receipt {
        if let steps = since {
            keep(portion, behind: steps)
            return .nothing
        }
        guard portion.last > version else { return .nothing }
        guard portion.first <= version else {
            guard users != nil else { return lose(at: portion.last) }
            since = RosterSteps(after: portion.last)
            return .behind
        }
        defer { version = portion.last }
        apply(portion.events(after: version) ?? [])
        return .tell(from: version)
    }

    /// Steps were lost, and the roster has this version by now.
    package mutating func lose(at version: Int64) -> Receipt {
        guard users != nil else {
            defer { self.version = max(self.version, version) }
            return .lost(from: self.version)
        }
        since = RosterSteps(after: version)
        defer { isAsked = true }
        return isAsked ? .nothing : .read
    }

    /// Nobody has said so for long: whether the roster is to be read all the same.
    package mutating func isOverdue() -> Bool {
        guard since != nil, !isAsked else { return false }
        isAsked = true
        return true
    }

    private mutating func keep(_ portion: RosterPortion, behind steps: RosterSteps) {
        guard portion.last > steps.last else { return }
        guard portion.first <= steps.last, portion.isWhole, !steps.isFull,
            let events = portion.events(after: steps.last), Int64(events.count) == portion.last - steps.last
        else {
            since = RosterSteps(after: portion.last)
            return
        }
        for event in events { since?.append(event) }
    }

    // MARK: Reading

    package enum Reading {
        /// What is other than was told, and what has come behind it.
        case tell([RosterPortion])
        /// It is older than what was lost.
        case again
        case nothing
    }

    /// How long to wait for the next reading where one has brought nothing: up to half a minute, the longer the more of them
    /// there were.
    ///
    /// - Parameter fraction: drawn at random, from 0 to 1, so that the rooms of many nodes are not all read at once.
    package mutating func pause(fraction: Double) -> Duration {
        defer { failures = min(failures + 1, ToldRoster.mostFailures) }
        return ToldRoster.firstPause * Double(1 << failures) * min(max(fraction, 0), 1)
    }

    package mutating func read(_ members: [Member], of change: RosterChange) -> Reading {
        guard let steps = since, let told = users else { return .nothing }
        guard change.version >= steps.first else { return .again }
        var change = change
        let there = Set(members.map(\.userId))
        change.events = told.subtracting(there).map {
            RosterEvent(kind: .leave, userId: $0, info: nil, connection: nil)
        }
        change.events += members.filter { !told.contains($0.userId) }.map {
            RosterEvent(kind: .join, userId: $0.userId, info: $0.info, connection: nil)
        }
        var portions = [RosterPortion(change, between: version)]
        (users, since, version, isAsked, failures) = (there, nil, change.version, false, 0)
        if change.version < steps.last {
            var rest = change
            rest.events = steps.net(after: change.version)
            rest.version = steps.last
            apply(rest.events)
            version = steps.last
            portions.append(RosterPortion(rest, of: steps))
        }
        return .tell(portions)
    }
}
