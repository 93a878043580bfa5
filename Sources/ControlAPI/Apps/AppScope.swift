import Dialects
import GatewayCore
import Hummingbird

/// One app's names in a call of `/v1` with `?app=`: the caller writes and reads them as the app does, and everything behind this
/// goes by those under which rooms and users are kept.
///
/// So a key that is bound to rooms is held to these, and nothing of the call can leave the app. The first app's names are the
/// native ones, but for those that are further apps'.
struct AppScope: Sendable {
    private let app: PusherApp
    private let apps: PusherApps

    /// Nil where the call names no app, or one beside which there is none.
    ///
    /// - Throws: `not_found` where there is no such app; `bad_request` where the call is about nothing that an app has.
    init?(_ target: RequestTarget, _ route: Route, among apps: PusherApps) throws(RequestError) {
        guard let id = try target.value("app") else { return nil }
        guard let app = apps.app(withID: id) else { throw RequestError(.notFound, "app: there is no app of this id") }
        guard route.isOfApp else {
            throw RequestError(.badRequest, "app: this call is about nothing that an app has of its own")
        }
        guard apps.hasFurther else { return nil }
        (self.app, self.apps) = (app, apps)
    }

    /// Whose names a list shows that names no app: the first one's, which are the native ones; nil where there are no others.
    init?(listing apps: PusherApps) {
        guard let first = apps.first, apps.hasFurther else { return nil }
        (app, self.apps) = (first, apps)
    }

    /// Whom a call is about, with the app that it names, be there one or not.
    static func whom(_ route: Route, _ target: RequestTarget) -> String? {
        guard let id = target.query.first(where: { $0.name == "app" })?.value else { return route.whom }
        return route.whom.map { "app \(id): \($0)" } ?? "app \(id)"
    }

    // MARK: The way in

    /// The same route with the names that are kept.
    ///
    /// - Throws: `bad_request` for what the app can call none of its own.
    func enter(_ route: Route) throws(RequestError) -> Route {
        func user(_ name: String) throws(RequestError) -> String { try self.user(name, "userId").string }
        func room(_ name: String) throws(RequestError) -> String { try self.room(name, "roomId").string }
        return switch route {
        case .user(let name): .user(try user(name))
        case .userDisconnect(let name): .userDisconnect(try user(name))
        case .userBan(let name): .userBan(try user(name))
        case .room(let name): .room(try room(name))
        case .members(let name): .members(room: try room(name))
        case .member(let name, let place): .member(try user(name), room: try room(place))
        case .roomBan(let name, let place): .roomBan(try user(name), room: try room(place))
        case .roomMute(let name, let place): .roomMute(try user(name), room: try room(place))
        case .messages(let name): .messages(room: try room(name))
        case .message(let name, let seq): .message(room: try room(name), seq: seq)
        case _: route
        }
    }

    /// - Parameter field: where the name stands.
    /// - Throws: `bad_request` for what is nobody's name, too long a one, and another app's.
    func user(_ name: String, _ field: String) throws(RequestError) -> UserID {
        guard let user = app.user(named: name) else {
            throw RequestError(.badRequest, "\(field): not what this app can call a user; it \(UserID.rule)")
        }
        return user
    }

    func users(_ users: [UserID], _ field: String) throws(RequestError) -> [UserID] {
        try users.map { user throws(RequestError) in try self.user(user.string, field) }
    }

    /// - Throws: `bad_request` for what is no room's name, too long a one, another app's, and in further apps everyone.
    func room(_ name: String, _ field: String) throws(RequestError) -> RoomName {
        guard let room = app.room(named: name) else {
            throw name == RoomName.everyone.string
                ? RequestError(.badRequest, "app: clients of a further app are in no room that everyone is in")
                : RequestError(.badRequest, "\(field): not what this app can call a room")
        }
        return room
    }

    /// What a repeated request is known by: each further app has its own, and the first one has the native ones.
    func key(_ key: String) -> String {
        app.isFirst ? key : BroadcastRequest.Idempotency.key(of: app, "broadcast", key)
    }

    // MARK: Lists

    /// What the app calls a room or a user; nil for one of another app's.
    func own(_ name: String) -> String? { app.own(name) }

    func has(_ name: String) -> Bool { app.own(name) != nil }

    /// Of the places at which lists of all apps' names are left.
    var seal: CursorSeal { CursorSeal(apps) }

    // MARK: The way out

    /// The answer with the names that the app knows.
    func leave(_ response: Response) async throws -> Response {
        guard !app.isFirst else { return response }
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
                    JSONWriter.append(string: shown(name), to: &bytes)
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
            JSONWriter.append(string: shown(name), to: &bytes)
        case .string, .number, .boolean, .null: bytes.append(contentsOf: value.bytes)
        }
    }

    /// As the app calls a room or a user; who is nobody's, such as `system`, is so called by all.
    private func shown(_ name: String) -> String { app.name(of: RoomName(unchecked: name)) ?? name }

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
