import Dialects
import GatewayCore
import Hummingbird

/// One app's names in a call of `/v1` with `?app=`: the caller writes and reads them as the app does, and everything behind this
/// goes by those under which rooms and users are kept.
///
/// So a key that is bound to rooms is held to these, and nothing of the call can leave the app. There is none for the first app,
/// whose names are the native ones.
struct AppScope: Sendable {
    private let app: PusherApp

    /// Nil where the call names no app, or the first.
    ///
    /// - Throws: `not_found` where there is no such app; `bad_request` where the call is about nothing that an app has.
    init?(_ target: RequestTarget, _ route: Route, among apps: PusherApps) throws(RequestError) {
        guard let id = try target.value("app") else { return nil }
        guard let app = apps.app(withID: id) else { throw RequestError(.notFound, "app: there is no app of this id") }
        guard route.isOfApp else {
            throw RequestError(.badRequest, "app: this call is about nothing that an app has of its own")
        }
        guard !app.isFirst else { return nil }
        self.app = app
    }

    /// What the names of rooms and users begin with where they are kept.
    var prefix: String { app.prefix }

    // MARK: The way in

    /// The same route with the names that are kept.
    ///
    /// - Throws: `bad_request` for the room that everyone is in.
    func enter(_ route: Route) throws(RequestError) -> Route {
        switch route {
        case .user(let user): .user(prefix + user)
        case .userDisconnect(let user): .userDisconnect(prefix + user)
        case .userBan(let user): .userBan(prefix + user)
        case .room(let room): .room(try self.room(room))
        case .members(let room): .members(room: try self.room(room))
        case .member(let user, let room): .member(prefix + user, room: try self.room(room))
        case .roomBan(let user, let room): .roomBan(prefix + user, room: try self.room(room))
        case .roomMute(let user, let room): .roomMute(prefix + user, room: try self.room(room))
        case .messages(let room): .messages(room: try self.room(room))
        case .message(let room, let seq): .message(room: try self.room(room), seq: seq)
        case _: route
        }
    }

    private func room(_ name: String) throws(RequestError) -> String {
        switch name.first {
        case "*" where name == RoomName.everyone.string: throw AppScope.everyone
        case "@": "@" + prefix + name.dropFirst()
        case _: prefix + name
        }
    }

    /// A body with the names that are kept; what is not as its call takes it is left for that to refuse.
    ///
    /// - Throws: `bad_request` for a message to everyone.
    func enter(_ body: [UInt8], of route: Route) throws(RequestError) -> [UInt8] {
        guard let shape = AppScope.shape(of: route), !body.isEmpty else { return body }
        let read: Result<[UInt8], RequestError> = body.withUnsafeBytes { bytes in
            Result { () throws(RequestError) in
                var entered: [UInt8] = []
                entered.reserveCapacity(body.count + 64)
                try enter(try ObjectFields.value(of: bytes), as: shape, into: &entered)
                return entered
            }
        }
        return try read.get()
    }

    /// Where names stand in a body.
    private indirect enum Shape: Sendable {
        case object([(name: StaticString, shape: Shape)])
        case list(Shape)
        case room, user
        /// Unless it is the backend itself.
        case sender
        /// What a repeated request is known by: each app has its own.
        case key
        case everyone
    }

    private static let broadcast = Shape.object([
        ("to", .object([("rooms", .list(.room)), ("users", .list(.user)), ("everyone", .everyone)])),
        ("userId", .sender), ("idempotencyKey", .key),
    ])

    private static func shape(of route: Route) -> Shape? {
        switch route {
        case .broadcast: broadcast
        case .broadcastBatch: .object([("broadcasts", .list(broadcast))])
        case .usersQuery, .members: .object([("users", .list(.user))])
        case _: nil
        }
    }

    private func enter(_ value: JSONValue, as shape: Shape, into bytes: inout [UInt8]) throws(RequestError) {
        switch shape {
        case .object(let shapes):
            guard let fields = value.fields() else { break }
            bytes.append(UInt8(ascii: "{"))
            for (index, field) in fields.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                AppScope.append(field.key, to: &bytes)
                if let known = shapes.first(where: { field.key.equals($0.name) }) {
                    try enter(field.value, as: known.shape, into: &bytes)
                } else {
                    bytes.append(contentsOf: field.value.bytes)
                }
            }
            bytes.append(UInt8(ascii: "}"))
            return
        case .list(let shape):
            guard let elements = value.elements() else { break }
            bytes.append(UInt8(ascii: "["))
            for (index, element) in elements.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                try enter(element, as: shape, into: &bytes)
            }
            bytes.append(UInt8(ascii: "]"))
            return
        case .room, .user, .sender, .key:
            guard let name = value.string?.text, isOwn(name, as: shape) else { break }
            return JSONWriter.append(string: prefix + name, to: &bytes)
        case .everyone: throw AppScope.everyone
        }
        bytes.append(contentsOf: value.bytes)
    }

    /// Whether a name becomes one of the app's; any other is what it is, or is refused as ever.
    private func isOwn(_ name: String, as shape: Shape) -> Bool {
        switch shape {
        case .room: RoomName(room: name) != nil
        case .sender: UserID(name) != .system
        case .user, .key: !name.isEmpty
        case .object, .list, .everyone: false
        }
    }

    private static let everyone = RequestError(
        .badRequest, "app: clients of a further app are in no room that everyone is in")

    // MARK: The way out

    /// The answer with the names that the app knows.
    func leave(_ response: Response) async throws -> Response {
        let whole = WholeBody()
        try await response.body.write(whole)
        let answer: Result<[UInt8], RequestError> = whole.bytes.withUnsafeBytes { bytes in
            Result { () throws(RequestError) in
                var left: [UInt8] = []
                left.reserveCapacity(bytes.count)
                leave(try ObjectFields.value(of: bytes), named: nil, into: &left)
                return left
            }
        }
        var response = response
        response.body = ResponseBody(byteBuffer: ByteBuffer(bytes: try answer.get()))
        return response
    }

    /// Fields that hold what others have written: nothing in them is a name of ours.
    private static let foreign: [StaticString] = ["payload", "info", "settings", "error"]
    private static let names: [StaticString] = ["roomId", "userId", "host", "rooms", "users"]
    /// Objects with a user for each key.
    private static let byUser: [StaticString] = ["roles", "muted", "banned"]

    private func leave(_ value: JSONValue, named key: JSONString?, into bytes: inout [UInt8]) {
        func isOne(of names: [StaticString]) -> Bool {
            key.map { key in names.contains { key.equals($0) } } ?? false
        }
        switch value.kind {
        case _ where isOne(of: AppScope.foreign): bytes.append(contentsOf: value.bytes)
        case .object:
            let isByUser = isOne(of: AppScope.byUser)
            bytes.append(UInt8(ascii: "{"))
            for (index, field) in (value.fields() ?? []).enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                if isByUser, let name = field.key.text {
                    JSONWriter.append(string: own(name), to: &bytes)
                    bytes.append(UInt8(ascii: ":"))
                } else {
                    AppScope.append(field.key, to: &bytes)
                }
                leave(field.value, named: field.key, into: &bytes)
            }
            bytes.append(UInt8(ascii: "}"))
        case .array:
            bytes.append(UInt8(ascii: "["))
            for (index, element) in (value.elements() ?? []).enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                leave(element, named: key, into: &bytes)
            }
            bytes.append(UInt8(ascii: "]"))
        case .string where isOne(of: AppScope.names):
            guard let name = value.string?.text else { return bytes.append(contentsOf: value.bytes) }
            JSONWriter.append(string: own(name), to: &bytes)
        case .string, .number, .boolean, .null: bytes.append(contentsOf: value.bytes)
        }
    }

    private func own(_ name: String) -> String {
        if name.hasPrefix("@" + prefix) { return "@" + name.dropFirst(prefix.count + 1) }
        return name.hasPrefix(prefix) ? String(name.dropFirst(prefix.count)) : name
    }

    private static func append(_ key: JSONString, to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "\""))
        bytes.append(contentsOf: key.contents)
        bytes.append(contentsOf: #"":"#.utf8)
    }
}

extension Route {
    /// Whether it is about rooms or users, of which an app may have its own.
    fileprivate var isOfApp: Bool {
        switch self {
        case .broadcast, .broadcastBatch, .users, .user, .usersQuery, .userDisconnect, .userBan, .rooms, .room,
            .members, .member, .roomBan, .roomMute, .messages, .message:
            true
        case .userRefresh, .connectionDisconnect, .turn, .nodes, .stats, .webhooks, .webhooksReplay, .top, .calls,
            .addressBans, .health, .readiness, .metrics, .openAPI, .page, .consoleConfiguration, .pusher:
            false
        }
    }
}

/// Takes in an answer that is there as a whole.
private final class WholeBody: ResponseBodyWriter {
    private(set) var bytes: [UInt8] = []

    func write(_ buffer: ByteBuffer) { bytes.append(contentsOf: buffer.readableBytesView) }

    func finish(_ trailingHeaders: HTTPFields?) {}
}
