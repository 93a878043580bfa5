import Dialects
import GatewayCore
import Hummingbird

/// `GET /v1/users?limit=&cursor=`: who is online.
struct UsersQuery: Sendable {
    let page: PageQuery
    /// The app whose users are meant; nil: everybody.
    let scope: AppScope?

    init(target: RequestTarget, of scope: AppScope?) throws(RequestError) {
        page = try PageQuery(target: target)
        self.scope = scope
    }

    func answer(from directory: any PresenceDirectory) async throws -> Response {
        let users: NamePage
        if let scope {
            users = try await page.names(sealedBy: scope.seal, where: scope.has) { limit, cursor in
                let part = try await directory.users(limit: limit, cursor: cursor)
                return NamePage(names: part.users.map(\.string), next: part.next)
            }
        } else {
            let page = try await directory.users(limit: page.limit, cursor: page.cursor)
            users = NamePage(names: page.users.map(\.string), next: page.next, total: page.total)
        }
        var answer: [UInt8] = []
        JSONWriter.append(#"{"users":["#, to: &answer)
        JSONWriter.append(users.names, to: &answer) { user, bytes in
            let status = UserStatus(userId: UserID(unchecked: user), isOnline: true, lastSeen: nil)
            JSONWriter.append(status: status, to: &bytes)
        }
        JSONWriter.append("]", to: &answer)
        JSONWriter.append(next: users.next, to: &answer)
        if let total = users.total {
            JSONWriter.append(#","total":"#, to: &answer)
            JSONWriter.append(integer: total, to: &answer)
        }
        JSONWriter.append("}", to: &answer)
        return .json(answer)
    }
}

/// `GET /v1/users/{userId}`: one user and the connections.
struct UserQuery: Sendable {
    let user: UserID

    init(user: String) throws(RequestError) {
        self.user = try UserID(path: user)
    }

    func answer(from directory: any PresenceDirectory) async throws -> [UInt8] {
        guard let record = try await directory.user(user) else { throw Refusal.notFound("this user was never seen") }
        var answer: [UInt8] = []
        JSONWriter.append("{", to: &answer)
        JSONWriter.appendFields(of: record.status, to: &answer)
        JSONWriter.append(bannedUntil: record.bannedUntil, to: &answer)
        JSONWriter.append(#","connections":["#, to: &answer)
        JSONWriter.append(record.connections, to: &answer) { JSONWriter.append(connection: $0, to: &$1) }
        JSONWriter.append("]}", to: &answer)
        return answer
    }
}

/// `POST /v1/users/query`: which of these users are online, in the order they were asked for.
struct UserStatusesQuery: Sendable {
    let users: [UserID]

    /// As many users as one request may name.
    static let maxUsers = 1000

    /// What tells of a user, about.
    private static let usualStatusBytes = 80

    /// - Parameter scope: the app that calls them so; nil for native names.
    /// - Throws: `bad_request` naming the field.
    init(_ body: [UInt8], of scope: AppScope? = nil) throws {
        let named = try body.withUnsafeBytes { bytes in
            let fields = try ObjectFields(of: ObjectFields.value(of: bytes), named: ["users"], path: "the body")
            guard let list = fields["users"] else { throw RequestError(.badRequest, "users: missing") }
            return try UserID.list(in: list, path: "users")
        }
        users = try scope?.users(named, "users") ?? named
    }

    func answer(from directory: any PresenceDirectory) async throws -> [UInt8] {
        let statuses = try await directory.statuses(of: users)
        var answer: [UInt8] = []
        answer.reserveCapacity(statuses.count * UserStatusesQuery.usualStatusBytes)
        JSONWriter.append(#"{"users":["#, to: &answer)
        JSONWriter.append(statuses, to: &answer) { JSONWriter.append(status: $0, to: &$1) }
        JSONWriter.append("]}", to: &answer)
        return answer
    }
}

extension UserID {
    /// A user as a path or a field `userId` names one, decoded.
    init(path text: String) throws(RequestError) {
        guard let user = UserID(person: text) else { throw RequestError(.badRequest, "userId: \(UserID.rule)") }
        self = user
    }

    /// The users that an array names: 1 to 1,000, in their order.
    static func list(in value: JSONValue, path: String) throws(RequestError) -> [UserID] {
        let limit = UserStatusesQuery.maxUsers
        let users = try ObjectFields.names(in: value, upTo: limit, read: UserID.init(person:)) { index in
            RequestError(.badRequest, "\(path)[\(index)]: not a user id")
        }
        guard let users else {
            throw RequestError(.badRequest, "\(path): must be an array of 1 to \(limit) user ids")
        }
        return users
    }
}

extension JSONWriter {
    static func append(status: UserStatus, to bytes: inout [UInt8]) {
        append("{", to: &bytes)
        if let refusal = status.refusal {
            append(#""userId":"#, to: &bytes)
            append(string: status.userId.string, to: &bytes)
            append(#","error":"#, to: &bytes)
            append(error: RequestError(refusal, "this user lies where the store is not reached just now"), to: &bytes)
        } else {
            appendFields(of: status, to: &bytes)
        }
        append("}", to: &bytes)
    }

    fileprivate static func appendFields(of status: UserStatus, to bytes: inout [UInt8]) {
        append(#""userId":"#, to: &bytes)
        append(string: status.userId.string, to: &bytes)
        append(#","online":"#, to: &bytes)
        append(status.isOnline ? "true" : "false", to: &bytes)
        if let state = status.state {
            append(#","state":"#, to: &bytes)
            append(string: state.rawValue, to: &bytes)
        }
        if let lastSeen = status.lastSeen {
            append(#","lastSeen":"#, to: &bytes)
            append(integer: lastSeen, to: &bytes)
        }
    }

    fileprivate static func append(connection: ConnectionRecord, to bytes: inout [UInt8]) {
        append(#"{"connectionId":"#, to: &bytes)
        append(string: connection.connectionId, to: &bytes)
        append(#","nodeId":"#, to: &bytes)
        append(string: connection.nodeId, to: &bytes)
        append(#","connectedAt":"#, to: &bytes)
        append(integer: connection.connectedAt, to: &bytes)
        if let dialect = connection.dialect {
            append(#","dialect":"#, to: &bytes)
            append(string: dialect.rawValue, to: &bytes)
        }
        append(#","rooms":["#, to: &bytes)
        append(connection.rooms, to: &bytes) { append(string: $0.string, to: &$1) }
        append("]", to: &bytes)
        if let address = connection.remoteAddress {
            append(#","remoteAddress":"#, to: &bytes)
            append(string: address, to: &bytes)
        }
        append("}", to: &bytes)
    }
}
