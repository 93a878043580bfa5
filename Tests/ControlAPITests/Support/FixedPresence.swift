import GatewayCore
import Synchronization

/// A presence directory that answers what a test says and remembers what it was asked.
final class FixedPresence: PresenceDirectory, Sendable {
    struct State {
        var online: [String] = []
        var lastSeen: [UserID: Int64] = [:]
        var connections: [UserID: [ConnectionRecord]] = [:]
        var rooms: [RoomRecord] = []
        var members: [Member] = []
        var bannedUntil: [UserID: Int64] = [:]
        /// Who is not known just now.
        var unknown: Set<String> = []
        /// So many readings of the rooms find the first gone.
        var leaving = 0
        /// What is waited for before rooms of a span are told.
        var listing: (@Sendable () async -> Void)?
        /// What everything is answered with.
        var failure: DirectoryError?
        /// Each call in words.
        var asked: [String] = []
    }

    let state = Mutex(State())

    var asked: [String] { state.withLock { $0.asked } }

    func users(limit: Int, cursor: String?) async throws(DirectoryError) -> UserPage {
        let state = try ask("users \(limit) \(cursor ?? "-")")
        let (names, next) = try FixedPresence.page(state.online, limit: limit, cursor: cursor)
        return UserPage(users: names.map { UserID(unchecked: $0) }, total: state.online.count, next: next)
    }

    func user(_ user: UserID) async throws(DirectoryError) -> UserRecord? {
        let state = try ask("user \(user)")
        let isOnline = state.online.contains(user.string)
        guard isOnline || state.lastSeen[user] != nil || state.bannedUntil[user] != nil else { return nil }
        return UserRecord(
            status: UserStatus(userId: user, isOnline: isOnline, lastSeen: state.lastSeen[user]),
            connections: state.connections[user] ?? [], bannedUntil: state.bannedUntil[user])
    }

    func sharers(
        of user: UserID, in rooms: [RoomName], among users: [UserID]
    ) async throws(DirectoryError) -> Set<UserID> { throw .badCursor }

    func statuses(of users: [UserID]) async throws(DirectoryError) -> [UserStatus] {
        let state = try ask("statuses \(users.count)")
        return users.map {
            UserStatus(
                userId: $0, isOnline: state.online.contains($0.string), lastSeen: state.lastSeen[$0],
                refusal: state.unknown.contains($0.string) ? .unavailable : nil)
        }
    }

    func rooms(limit: Int, cursor: String?) async throws(DirectoryError) -> RoomPage {
        state.withLock { state in
            guard state.leaving > 0 else { return }
            state.leaving -= 1
            state.rooms.removeFirst()
        }
        let state = try ask("rooms \(limit) \(cursor ?? "-")")
        let (names, next) = try FixedPresence.page(state.rooms.map(\.room.string), limit: limit, cursor: cursor)
        return RoomPage(rooms: names.map { RoomName(unchecked: $0) }, total: state.rooms.count, next: next)
    }

    func rooms(in span: RoomSpan, upTo limit: Int, among most: Int) async throws(DirectoryError) -> SpannedRooms {
        let all = try ask("rooms in \(span.prefix)\(span.isWithoutForeign ? " alone" : "")").rooms.map(\.room)
        await state.withLock { $0.listing }?()
        let found = all.filter(span.contains)
        return all.count > most ? .amongTooMany : found.count > limit ? .tooMany : .all(found)
    }

    func room(_ room: RoomName) async throws(DirectoryError) -> RoomRecord? {
        try ask("room \(room)").rooms.first { $0.room == room }
    }

    func disconnect(_ user: UserID, _ expulsion: Expulsion) async throws(DirectoryError) -> Expelled {
        let ban = expulsion.ban.map { " ban \($0.components.seconds)" } ?? ""
        let before = expulsion.tokensBefore.map { " before \($0)" } ?? ""
        let state = try ask("disconnect \(user) \(expulsion.reason.code) \(expulsion.text)\(ban)\(before)")
        return Expelled(connections: state.connections[user]?.count ?? 0, bannedUntil: state.bannedUntil[user])
    }

    func pardon(_ user: UserID) async throws(DirectoryError) -> Bool {
        try ask("pardon \(user)").bannedUntil[user] != nil
    }

    func members(of room: RoomName, limit: Int, cursor: String?) async throws(DirectoryError) -> MemberPage {
        let state = try ask("members \(room) \(limit) \(cursor ?? "-")")
        let (names, next) = try FixedPresence.page(state.members.map(\.userId.string), limit: limit, cursor: cursor)
        let members = state.members.filter { names.contains($0.userId.string) }
        return MemberPage(members: members, count: state.members.count, rosterVersion: 9, next: next)
    }

    private func ask(_ question: String) throws(DirectoryError) -> State {
        let state = state.withLock { state in
            state.asked.append(question)
            return state
        }
        if let failure = state.failure { throw failure }
        return state
    }

    /// Cursors are the number of what was seen.
    private static func page(
        _ all: [String], limit: Int, cursor: String?
    ) throws(DirectoryError) -> (names: [String], next: String?) {
        guard let start = cursor.map({ Int($0) }) ?? 0 else { throw .badCursor }
        let page = Array(all.dropFirst(start).prefix(limit))
        return (page, start + page.count < all.count ? "\(start + page.count)" : nil)
    }
}
