import Crypto
import Dialects
import GatewayCore

/// A backend's message to many: one body of `POST /v1/broadcast`, or one element of a batch.
struct BroadcastRequest: Sendable {
    private(set) var target: Target
    private(set) var userId: UserID
    let msgType: Int
    let event: EventName?
    /// One JSON value, byte for byte.
    let payload: [UInt8]
    private(set) var idempotency: Idempotency?
    /// Whether it is sent to whoever is there and not stored.
    let isVolatile: Bool
    /// The connection that is not sent it, by its id.
    let except: String?

    /// To whom a broadcast goes.
    enum Target: Sendable {
        case everyone
        /// Each once, in the order they were named first.
        case rooms([RoomName])
        /// The same of users: each is reached by the inbox.
        case users([UserID])

        var count: Int {
            switch self {
            case .everyone: 1
            case .rooms(let rooms): rooms.count
            case .users(let users): users.count
            }
        }

        /// The first place where the message is stored.
        var first: RoomName? {
            switch self {
            case .everyone: .everyone
            case .rooms(let rooms): rooms.first
            case .users(let users): users.first.map(RoomName.init(inboxOf:))
            }
        }

        /// Where the message is stored, in the order of the answer.
        func forEachRoom(_ body: (RoomName) -> Void) {
            switch self {
            case .everyone: body(.everyone)
            case .rooms(let rooms): for room in rooms { body(room) }
            case .users(let users): for user in users { body(RoomName(inboxOf: user)) }
            }
        }
    }

    /// What one of its places is to store.
    ///
    /// - Parameter cause: the call that it came with.
    func publication(to room: RoomName, mark: DedupeMark?, cause: TraceContext?) -> Publication {
        var publication = Publication(
            room: room, userId: userId, msgType: msgType, event: event, payload: payload, dedupe: mark)
        (publication.isVolatile, publication.except) = (isVolatile, except)
        publication.cause = cause
        return publication
    }

    /// As many bytes as it has stored, about.
    var storedBytes: Int { payload.count * target.count }

    /// The key of a request that may come twice, and what tells whether it is the same one.
    struct Idempotency: Sendable {
        let key: String
        /// SHA-256 of the request's JSON object as it stands, in hexadecimal.
        let digest: String

        /// A key of an app's: it is no native one, since it is longer than these may be, and no other app's.
        ///
        /// - Parameter call: what else tells the key from others of the app, such as which of its APIs it came by.
        static func key(of app: PusherApp, _ call: String, _ key: String) -> String {
            "app:" + HexDigits.text(SHA512.hash(data: Array("\(app.id)\u{0}\(call)\u{0}\(key)".utf8)))
        }
    }

    /// A text for rooms, from a backend that names nobody.
    init(to rooms: [RoomName], event: EventName, payload: [UInt8], idempotency: Idempotency?, except: String?) {
        target = .rooms(rooms)
        (userId, msgType, self.event) = (.system, 1, event)
        (self.payload, self.idempotency) = (payload, idempotency)
        (isVolatile, self.except) = (false, except)
    }

    /// - Throws: `bad_request` naming the field.
    init(_ object: JSONValue) throws(RequestError) {
        let fields = try ObjectFields(
            of: object,
            named: ["to", "msgType", "event", "payload", "userId", "idempotencyKey", "volatile", "except"],
            path: "broadcast")
        guard let to = fields["to"] else { throw RequestError(.badRequest, "to: missing") }
        target = try BroadcastRequest.target(in: to)
        guard let payload = fields["payload"] else { throw RequestError(.badRequest, "payload: missing") }
        self.payload = Array(payload.bytes)
        msgType = try BroadcastRequest.msgType(fields["msgType"])
        event = try fields.string("event").map { text throws(RequestError) in
            guard let name = EventName(text) else { throw RequestError(.badRequest, "event: \(EventName.rule)") }
            return name
        }
        isVolatile = try fields.boolean("volatile") ?? false
        except = try fields.string("except")
        guard except.map(BroadcastRequest.isConnectionID) ?? true else {
            throw RequestError(.badRequest, "except: not the id of a connection")
        }
        if let text = try fields.string("userId") {
            userId = UserID(text) == .system ? .system : try UserID(path: text)
        } else {
            userId = .system
        }
        if let key = try fields.string("idempotencyKey") {
            guard (1...128).contains(key.utf8.count) else {
                throw RequestError(.badRequest, "idempotencyKey: must be 1 to 128 bytes")
            }
            guard !isVolatile else {
                throw RequestError(
                    .badRequest, "idempotencyKey: cannot be given together with volatile, of which nothing is kept")
            }
            idempotency = Idempotency(key: key, digest: BroadcastRequest.digest(of: object.bytes))
        } else {
            idempotency = nil
        }
    }

    /// The same request by the names under which the app's rooms and users are kept, and with an idempotency key of the app's own.
    ///
    /// - Throws: `bad_request` where it goes to what is not the app's.
    func entered(_ scope: AppScope) throws(RequestError) -> BroadcastRequest {
        var entered = self
        switch target {
        case .everyone: _ = try scope.room(RoomName.everyone.string, "to.everyone")
        case .rooms(let rooms):
            entered.target = .rooms(
                try rooms.map { room throws(RequestError) in try scope.room(room.string, "to.rooms") })
        case .users(let users):
            entered.target = .users(try scope.users(users, "to.users"))
        }
        if userId != .system { entered.userId = try scope.user(userId.string, "userId") }
        entered.idempotency = idempotency.map { idempotency in
            Idempotency(key: scope.key(idempotency.key), digest: idempotency.digest)
        }
        return entered
    }

    /// As many rooms as one broadcast may name.
    static let maxRooms = 1000

    private static func target(in to: JSONValue) throws(RequestError) -> Target {
        let fields = try ObjectFields(of: to, named: ["everyone", "rooms", "users"], path: "to")
        switch (fields["everyone"], fields["rooms"], fields["users"]) {
        case (let everyone?, nil, nil):
            guard everyone.boolean == true else { throw RequestError(.badRequest, "to.everyone: must be true") }
            return .everyone
        case (nil, let rooms?, nil):
            return .rooms(try roomNames(in: rooms))
        case (nil, nil, let users?):
            var seen: Set<UserID> = []
            return .users(try UserID.list(in: users, path: "to.users").filter { seen.insert($0).inserted })
        case _:
            throw RequestError(.badRequest, "to: must hold one of everyone, rooms and users")
        }
    }

    private static func roomNames(in list: JSONValue) throws(RequestError) -> [RoomName] {
        let rooms = try ObjectFields.names(in: list, upTo: maxRooms, read: RoomName.init(room:)) { index in
            RequestError(.badRequest, "to.rooms[\(index)]: not a room name")
        }
        guard let rooms else {
            throw RequestError(.badRequest, "to.rooms: must be an array of 1 to \(maxRooms) room names")
        }
        guard rooms.count > 1 else { return rooms }
        var seen: Set<RoomName> = []
        return rooms.filter { seen.insert($0).inserted }
    }

    private static func isConnectionID(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count) && text.utf8.allSatisfy { (0x21...0x7E).contains($0) }
    }

    private static func msgType(_ value: JSONValue?) throws(RequestError) -> Int {
        guard let value else { return 1 }
        guard let number = value.integer, msgTypes.contains(number) else {
            throw RequestError(
                .badRequest, "msgType: must be an integer from \(msgTypes.lowerBound) to \(msgTypes.upperBound)")
        }
        return number
    }

    /// The same as clients may send.
    private static let msgTypes = 0...2_147_483_647

    private static func digest(of bytes: UnsafeRawBufferPointer) -> String {
        HexDigits.text(SHA256.hash(data: bytes))
    }
}
