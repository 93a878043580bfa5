import Dialects
import GatewayCore
import Hummingbird

/// What a backend orders about one user of a room: `PUT` and `DELETE` of `members/{userId}`, `bans/{userId}` and
/// `mutes/{userId}` under `/v1/rooms/{roomId}`.
struct MemberOrder: Sendable {
    private let order: RoomOrder

    private init(_ act: RoomOrder.Act, _ user: String, in room: String, reason: String? = nil) throws(RequestError) {
        let user = try UserID(path: user)
        order = RoomOrder(act, user, in: try RoomName(governed: room), reason: reason ?? "")
    }

    /// - Parameter body: `{"role":"moderator"}`.
    static func role(of user: String, in room: String, _ body: [UInt8]) throws -> MemberOrder {
        let role = try body.withUnsafeBytes { bytes in
            try ObjectFields(of: ObjectFields.value(of: bytes), named: ["role"], path: "the body").string("role")
        }
        guard let role = role.flatMap({ RoleName($0) }) else {
            throw RequestError(.badRequest, "role: a role is named by 1 to 64 of A-Z a-z 0-9 _ -")
        }
        return try MemberOrder(.role(role), user, in: room)
    }

    static func removal(of user: String, from room: String, _ target: RequestTarget) throws -> MemberOrder {
        try MemberOrder(.remove, user, in: room, reason: try checked(try target.value("reason")))
    }

    /// - Parameter body: `{"until":1764453600000,"reason":"…"}`; both may be left out, and so may the body.
    static func ban(of user: String, from room: String, _ body: [UInt8]) throws -> MemberOrder {
        let (until, reason) = try fields(body)
        return try MemberOrder(.ban(until: until), user, in: room, reason: reason)
    }

    static func mute(of user: String, in room: String, _ body: [UInt8]) throws -> MemberOrder {
        try MemberOrder(.mute(until: try fields(body).until), user, in: room)
    }

    static func pardon(of user: String, in room: String) throws -> MemberOrder {
        try MemberOrder(.unban, user, in: room)
    }

    static func voice(of user: String, in room: String) throws -> MemberOrder {
        try MemberOrder(.unmute, user, in: room)
    }

    private static func fields(_ body: [UInt8]) throws -> (until: Int64?, reason: String?) {
        guard !body.isEmpty else { return (nil, nil) }
        return try body.withUnsafeBytes { bytes in
            let fields = try ObjectFields(
                of: ObjectFields.value(of: bytes), named: ["until", "reason"], path: "the body")
            var until: Int64?
            if let value = fields["until"] {
                guard let number = value.integer, RoomOrder.ends.contains(number) else {
                    throw RequestError(.badRequest, "until: must be in milliseconds since 1970, not in seconds")
                }
                until = Int64(number)
            }
            return (until, try checked(try fields.string("reason")))
        }
    }

    private static func checked(_ reason: String?) throws(RequestError) -> String? {
        guard let reason else { return nil }
        guard reason.count <= RoomOrder.maxReasonCharacters, reason.utf8.count <= 4 * RoomOrder.maxReasonCharacters,
            reason.unicodeScalars.allSatisfy({ $0.properties.generalCategory != .control })
        else {
            throw RequestError(
                .badRequest,
                "reason: must be at most \(RoomOrder.maxReasonCharacters) characters without control characters")
        }
        return reason
    }

    func answer(from governor: any RoomGovernor) async throws -> Response {
        do throws(GovernError) {
            let version = try await governor.carryOut(order)
            var answer: [UInt8] = []
            JSONWriter.append(#"{"roomId":"#, to: &answer)
            JSONWriter.append(string: order.room.string, to: &answer)
            JSONWriter.append(#","version":"#, to: &answer)
            JSONWriter.append(integer: version, to: &answer)
            JSONWriter.append("}", to: &answer)
            return .json(answer)
        } catch {
            if case .absent = error, order.act == .remove { throw Refusal.notFound(error.request.message) }
            throw error.request
        }
    }
}

/// `POST /v1/rooms/{roomId}/members`: puts users who are online into a room.
struct Invitation: Sendable {
    private static let maxUsers = 1000

    private let room: RoomName
    private let users: [UserID]

    /// - Parameters:
    ///   - body: `{"users":["u"]}`.
    ///   - scope: the app that calls them so; nil for native names.
    init(room: String, body: [UInt8], of scope: AppScope?) throws {
        self.room = try RoomName(governed: room)
        let named = try body.withUnsafeBytes { bytes in
            let fields = try ObjectFields(of: ObjectFields.value(of: bytes), named: ["users"], path: "the body")
            let elements = fields["users"]?.elements(upTo: Invitation.maxUsers)
            guard let elements, (1...Invitation.maxUsers).contains(elements.count) else {
                throw RequestError(.badRequest, "users: must be a list of 1 to \(Invitation.maxUsers) user ids")
            }
            return try elements.map { element throws(RequestError) in
                guard let user = element.string?.text.flatMap({ UserID(person: $0) }) else {
                    throw RequestError(.badRequest, "users: a user id \(UserID.rule)")
                }
                return user
            }
        }
        users = try scope?.users(named, "users") ?? named
    }

    func answer(from governor: any RoomGovernor) async throws -> Response {
        var answer: [UInt8] = []
        JSONWriter.append(#"{"roomId":"#, to: &answer)
        JSONWriter.append(string: room.string, to: &answer)
        JSONWriter.append(#","users":["#, to: &answer)
        for (index, user) in users.enumerated() {
            let connections: Int
            do throws(GovernError) {
                connections = try await governor.invite(user, to: room)
            } catch {
                throw error.request
            }
            JSONWriter.append(index > 0 ? #",{"userId":"# : #"{"userId":"#, to: &answer)
            JSONWriter.append(string: user.string, to: &answer)
            JSONWriter.append(#","connections":"#, to: &answer)
            JSONWriter.append(integer: connections, to: &answer)
            JSONWriter.append("}", to: &answer)
        }
        JSONWriter.append("]}", to: &answer)
        return .json(answer)
    }
}

extension RoomName {
    /// One that can have settings, as a path names it.
    init(governed text: String) throws(RequestError) {
        self = try RoomName(path: text)
        guard !isInbox, !isEveryone else {
            throw RequestError(.badRequest, "roomId: an inbox or * has no settings and no roles")
        }
    }
}

extension JSONWriter {
    /// The fields that tell who is what in a room, behind others; those that say nothing are left out.
    static func append(_ roles: RoomRoles, to bytes: inout [UInt8]) {
        if let host = roles.host {
            append(#","host":"#, to: &bytes)
            append(string: host.string, to: &bytes)
        }
        append(roles.roles, named: #","roles":{"#, to: &bytes) { append(string: $0.string, to: &$1) }
        append(roles.muted, named: #","muted":{"#, to: &bytes) { append(integer: $0, to: &$1) }
        append(roles.banned, named: #","banned":{"#, to: &bytes) { append(integer: $0, to: &$1) }
    }

    private static func append<Value>(
        _ users: [UserID: Value], named name: StaticString, to bytes: inout [UInt8],
        _ write: (Value, inout [UInt8]) -> Void
    ) {
        guard !users.isEmpty else { return }
        append(name, to: &bytes)
        append(users.sorted { $0.key.string < $1.key.string }, to: &bytes) { entry, bytes in
            append(string: entry.key.string, to: &bytes)
            append(":", to: &bytes)
            write(entry.value, &bytes)
        }
        append("}", to: &bytes)
    }
}
