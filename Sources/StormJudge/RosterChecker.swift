import MartletClient

/// Judges what one client was told of one room's roster: each change once, in order, and true.
///
/// Pure. It is given what the client was told, and at the end what the gateway's registry says.
package struct RosterChecker: Sendable {
    package enum Fault: Hashable, Sendable, CustomStringConvertible {
        /// Told to join who was there.
        case joinedTwice(String)
        /// Told to leave who was not there.
        case leftTwice(String)
        /// Told to leave who is there all the time.
        case falseLeave(String)
        /// Steps between these versions were not told.
        case skipped(from: Int64, to: Int64)
        /// Steps up to this version were told again.
        case repeated(Int64)
        /// The number of members that was told is not the one that the steps make.
        case miscounted(told: Int, counted: Int)
        /// The registry has this member and the client was not told.
        case missing(String)
        /// The client was told of this member and the registry has none.
        case ghost(String)

        package var description: String {
            switch self {
            case .joinedTwice(let user): "\(user) joined twice"
            case .leftTwice(let user): "\(user) left twice"
            case .falseLeave(let user): "\(user) left and is there"
            case .skipped(let from, let to): "nothing told between version \(from) and \(to)"
            case .repeated(let version): "version \(version) told again"
            case .miscounted(let told, let counted): "\(told) members told, \(counted) counted"
            case .missing(let user): "\(user) is there and was not told"
            case .ghost(let user): "\(user) was told and is not there"
            }
        }
    }

    /// The version after the last step that was told; nil where steps may have gone unseen.
    private var told: Int64?
    /// Nil until a roster was read, and from when it may have changed unseen.
    private var members: Set<String>?
    /// Steps up to there are in the roster that was read.
    private var read: Int64 = 0
    private var steadfast: Set<String> = []
    /// In the order they were found in.
    package private(set) var faults: [Fault] = []
    /// Steps that were told.
    package private(set) var steps = 0

    package init() {}

    /// These users are in the room all the time: to be told that one left is a fault.
    package mutating func stay(_ users: Set<String>) { steadfast.formUnion(users) }

    /// These may come and go again.
    package mutating func go(_ users: Set<String>) { steadfast.subtract(users) }

    /// The client has joined, at this version.
    package mutating func joined(version: Int64) {
        if told == nil { told = version }
    }

    /// The client has read the whole roster, at this version.
    package mutating func read(_ members: Set<String>, version: Int64) {
        // A roster older than what was told already proves nothing about it.
        guard told.map({ version >= $0 }) ?? true else { return }
        self.members = members
        read = version
    }

    /// The client was away: what changed meanwhile it need not have been told.
    package mutating func lapsed() {
        told = nil
        members = nil
    }

    package mutating func received(_ presence: MartletClient.Presence) {
        steps += presence.steps.count
        guard !presence.steps.isEmpty || presence.from != nil else {
            lapsed()
            told = presence.rosterVersion
            return
        }
        let before = presence.from ?? presence.rosterVersion - Int64(presence.steps.count)
        if let told {
            if before > told { faults.append(.skipped(from: told, to: before)) }
            if before < told { faults.append(.repeated(presence.rosterVersion)) }
        }
        told = max(told ?? 0, presence.rosterVersion)
        if presence.from == nil {
            for (index, step) in presence.steps.enumerated() { apply(step, version: before + Int64(index) + 1) }
        } else {
            applyNetChange(presence, from: before)
        }
        if let members, presence.rosterVersion >= read, members.count != presence.members {
            faults.append(.miscounted(told: presence.members, counted: members.count))
        }
    }

    private mutating func apply(_ step: MartletClient.Presence.Step, version: Int64) {
        if case .leave(let user) = step, steadfast.contains(user) { faults.append(.falseLeave(user)) }
        guard members != nil, version > read else { return }
        switch step {
        case .join(let user, _):
            if members?.insert(user).inserted == false { faults.append(.joinedTwice(user)) }
        case .leave(let user):
            if members?.remove(user) == nil { faults.append(.leftTwice(user)) }
        case .update(let user, _):
            if members?.contains(user) == false { faults.append(.missing(user)) }
        }
    }

    private mutating func applyNetChange(_ presence: MartletClient.Presence, from: Int64) {
        // What was read in its midst has some of the steps, and others that it leaves out since they were undone.
        if from < read, read < presence.rosterVersion { members = nil }
        for step in presence.steps { apply(step, version: presence.rosterVersion) }
    }

    /// Everything wrong, where this is who is there; nothing is compared where no roster was read.
    package func faults(against registry: Set<String>) -> [Fault] {
        guard let members else { return faults }
        return faults + registry.subtracting(members).sorted().map { .missing($0) }
            + members.subtracting(registry).sorted().map { .ghost($0) }
    }
}
