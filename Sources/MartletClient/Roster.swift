/// Who is in a room: a list read in pages, then kept by `presence` frames as long as their versions follow each other.
///
/// Pure.
package struct Roster: Sendable {
    package typealias Member = MartletClient.Member

    package enum Action: Hashable, Sendable {
        case nothing
        /// A page is to be asked for, and the answer given back with this round.
        case ask(cursor: String?, round: Int)
        /// The list has changed.
        case tell
    }

    private enum State {
        case unknown
        case reading(version: Int64?, waiting: [MartletClient.Presence])
        case known(version: Int64)
    }

    /// Frames kept while the list is read; with more of them it is read anew.
    private static let maxWaiting = 1000

    private var state = State.unknown
    private var users: [String: Member] = [:]
    private var round = 0

    package init() {}

    /// By their ids; nil where the list is not known.
    package var members: [Member]? {
        guard case .known = state else { return nil }
        return users.values.sorted { $0.userId < $1.userId }
    }

    /// Whether the list is known, or about to be.
    package var isBegun: Bool {
        if case .unknown = state { false } else { true }
    }

    /// Reads the list from its beginning.
    package mutating func begin() -> Action {
        round += 1
        users = [:]
        state = .reading(version: nil, waiting: [])
        return .ask(cursor: nil, round: round)
    }

    /// Nothing that was known holds any more, and no answer is waited for.
    package mutating func forget() {
        round += 1
        users = [:]
        state = .unknown
    }

    /// Whether this round's reading goes on; one that could not be read is to be begun again, or forgotten.
    package func isCurrent(_ round: Int) -> Bool { self.round == round }

    package mutating func received(_ page: MartletClient.MemberPage, round: Int) -> Action {
        guard isCurrent(round), case .reading(let first, let waiting) = state else { return .nothing }
        for member in page.members { users[member.userId] = member }
        // The first page's version: what has changed since then is in the frames that waited, and may be applied twice.
        let version = first ?? page.rosterVersion
        if let cursor = page.next {
            state = .reading(version: version, waiting: waiting)
            return .ask(cursor: cursor, round: round)
        }
        state = .known(version: version)
        for presence in waiting where !apply(presence) { return begin() }
        return .tell
    }

    package mutating func received(_ presence: MartletClient.Presence) -> Action {
        switch state {
        // What could not be had, such as for want of a right, may be had now.
        case .unknown: return begin()
        case .reading(_, let waiting) where waiting.count == Roster.maxWaiting: return begin()
        case .reading(let version, let waiting):
            state = .reading(version: version, waiting: waiting + [presence])
            return .nothing
        case .known(let version):
            guard apply(presence) else { return begin() }
            return presence.rosterVersion > version ? .tell : .nothing
        }
    }

    /// Answers false where a step is missing.
    private mutating func apply(_ presence: MartletClient.Presence) -> Bool {
        guard case .known(let version) = state, presence.rosterVersion > version else { return true }
        if presence.from == nil, presence.steps.isEmpty { return false }
        let from = presence.from ?? presence.rosterVersion - Int64(presence.steps.count)
        guard from <= version else { return false }
        for step in presence.steps {
            switch step {
            case .join(let user, let info), .update(let user, let info):
                users[user] = Member(userId: user, info: info, connections: users[user]?.connections ?? 1)
            case .leave(let user): users[user] = nil
            }
        }
        // A net change leaves out steps that were undone, which a list read in its midst has; and those of a later gateway.
        if presence.from != nil, presence.members != users.count { return false }
        state = .known(version: presence.rosterVersion)
        return true
    }
}
