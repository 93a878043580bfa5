import GatewayCore
import NIOCore

/// One user whose comings and goings this node follows.
///
/// `@unchecked Sendable`: it belongs to the router, which touches it on its loop only.
final class Watched: @unchecked Sendable {
    let user: UserID
    /// Hubs that have been answered.
    var hubs = HubSet()
    /// Requests of hubs that are not answered yet.
    var pending = 0
    /// Those of them that wait for this user's state.
    var waiting: [WatchRequest] = []
    var isSubscribed = false
    /// What is known: since when the user is online, or was last seen (0: never).
    var state: (isOnline: Bool, timestamp: Int64)?
    /// Whether Redis has to be asked: nothing was read yet, or something may have been missed since.
    var mustRead = true
    var isQueued = false
    /// Whether the channel has brought something since Redis was asked.
    var hasHeard = false
    /// Since when Redis knows nothing of a user who was online.
    var forgottenSince: NIODeadline?
    var idleSince: NIODeadline?
    var isListedIdle = false

    init(user: UserID) {
        self.user = user
    }

    var isUnused: Bool { hubs.isEmpty && pending == 0 }

    var status: UserStatus {
        let state = state ?? (false, 0)
        let lastSeen = state.isOnline || state.timestamp == 0 ? nil : state.timestamp
        return UserStatus(userId: user, isOnline: state.isOnline, lastSeen: lastSeen)
    }
}

/// A hub's `watch` on its way; belongs to the router's loop like `Watched`.
final class WatchRequest: @unchecked Sendable {
    let ticket: FollowTicket
    let hub: HubNumber
    let users: [Watched]
    let deadline: NIODeadline
    /// How many of them have no state yet.
    var missing = 0
    /// Taken back by `unwatch` before the answer.
    var dropped: Set<UserID> = []

    init(ticket: FollowTicket, hub: HubNumber, users: [Watched], deadline: NIODeadline) {
        self.ticket = ticket
        self.hub = hub
        self.users = users
        self.deadline = deadline
    }
}

/// The users watched, by name.
struct WatchTable {
    private var byUser: [UserID: Watched] = [:]
    /// Not answered yet, the oldest first.
    var requests: [WatchRequest] = []
    /// To be read from Redis.
    var unread: [Watched] = []
    /// Nobody watches them any more, or did not for a while.
    var idle: [Watched] = []
    var isReadScheduled = false

    /// Whether something in it waits for time to pass.
    var isWaiting: Bool { !requests.isEmpty || !unread.isEmpty || !idle.isEmpty }

    var count: Int { byUser.count }
    var all: Dictionary<UserID, Watched>.Values { byUser.values }
    var users: Dictionary<UserID, Watched>.Keys { byUser.keys }

    subscript(user: UserID) -> Watched? { byUser[user] }

    subscript(name bytes: UnsafeRawBufferPointer) -> Watched? {
        byUser[UserID(unchecked: String(decoding: bytes, as: UTF8.self))]
    }

    mutating func insert(_ one: Watched) {
        byUser[one.user] = one
    }

    mutating func remove(_ one: Watched) {
        byUser[one.user] = nil
    }

    /// Whether the table, which is to hold `limit` at most, has room for so many more users of a connection that then
    /// watches `held`.
    ///
    /// The last quarter is shared: it grows scarce for those that take much of it before it does for those that take little.
    func hasRoom(for fresh: Int, held: Int, limit: Int) -> Bool {
        let left = limit - count
        return fresh <= left && (left >= limit / 4 || held <= left / 16)
    }

    /// Takes out those whom nobody watches any more.
    mutating func removeIdle() -> [Watched] {
        let unused = idle.filter(\.isUnused)
        for one in idle { one.isListedIdle = false }
        idle = []
        for one in unused where self[one.user] === one { remove(one) }
        return unused
    }
}
