/// The state of a user: online, and since when; or when last seen.
package struct KnownState: Hashable, Sendable {
    package let isOnline: Bool
    /// With a user who is online.
    package let isAway: Bool
    /// Milliseconds since 1970 by Redis's clock; 0: never seen.
    package let timestamp: Int64

    package init(isOnline: Bool, isAway: Bool = false, timestamp: Int64) {
        self.isOnline = isOnline
        self.isAway = isAway
        self.timestamp = timestamp
    }

    /// As Redis holds it; nil where it knows nothing of the kind.
    package init(onlineSince: Int64?, isAway: Bool, lastSeen: Int64?) {
        self.init(
            isOnline: onlineSince != nil, isAway: onlineSince != nil && isAway, timestamp: onlineSince ?? lastSeen ?? 0)
    }

    /// As clients are told it; nil for one who is offline.
    package var state: UserState? { isOnline ? (isAway ? .away : .active) : nil }

    /// Whether clients are told the same of both.
    func isTold(as other: KnownState?) -> Bool { isOnline == other?.isOnline && isAway == other?.isAway }
}

/// One user whose comings and goings a node follows.
///
/// `@unchecked Sendable`: it belongs to the machine that made it, which alone reads and writes more of it than the name;
/// outside, it is a mark that is handed back with an answer.
package final class WatchedUser: @unchecked Sendable {
    /// The progress of reading the state from Redis.
    enum Reading {
        /// Nothing was missed since Redis was asked, or it is being asked.
        case upToDate
        /// Nothing was read yet, or something may have been missed; it waits for the channel.
        case due
        /// It is asked about with the next questions.
        case queued
    }

    package let user: UserID
    /// Hubs that have been answered.
    var hubs = HubSet()
    /// Requests of hubs that are not answered yet.
    var pending = 0
    /// Those of them that wait for this user's state.
    var waiting: [WatchRequest] = []
    var isSubscribed = false
    var state: KnownState?
    var reading = Reading.due
    /// Whether the channel has brought something since Redis was asked.
    var hasHeard = false
    /// What the channel brought last, if by its time it is older than the state: it holds where Redis says the same.
    var heardLate: KnownState?
    /// Since when Redis shows an earlier state than the one that was told.
    var doubtedSince: MonotonicTime?
    var idleSince: MonotonicTime?
    var isListedIdle = false

    init(_ user: UserID) {
        self.user = user
    }

    var isUnused: Bool { hubs.isEmpty && pending == 0 }

    /// Whether the state is known and nothing may have been missed since.
    var isCertain: Bool {
        switch reading {
        case .upToDate: state != nil
        case .due, .queued: false
        }
    }

    var isQueued: Bool {
        switch reading {
        case .queued: true
        case .upToDate, .due: false
        }
    }

    var status: UserStatus {
        let state = state ?? KnownState(isOnline: false, timestamp: 0)
        let lastSeen = state.isOnline || state.timestamp == 0 ? nil : state.timestamp
        return UserStatus(userId: user, isOnline: state.isOnline, state: state.state, lastSeen: lastSeen)
    }
}

/// A hub's `watch` on its way.
final class WatchRequest {
    let ticket: FollowTicket
    let hub: HubNumber
    let users: [WatchedUser]
    let deadline: MonotonicTime
    /// How many of them have no certain state yet.
    var missing = 0
    /// Taken back before the answer.
    var dropped: Set<UserID> = []

    init(ticket: FollowTicket, hub: HubNumber, users: [WatchedUser], deadline: MonotonicTime) {
        self.ticket = ticket
        self.hub = hub
        self.users = users
        self.deadline = deadline
    }
}
