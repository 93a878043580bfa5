import GatewayCore

/// The fields of one object that the gateway sent, as they stand in its frame.
///
/// Of a field that comes twice the first counts: the gateway is trusted not to do so, nor to nest a payload too deep.
struct EventFields {
    private var fields: [(key: JSONString, value: JSONValue)] = []

    init(frame: UnsafeRawBufferPointer) throws(UnreadableEvent) {
        var scanner = JSONScanner(frame)
        fields.reserveCapacity(10)
        do throws(JSONError) {
            var key = try scanner.firstKey()
            while let name = key {
                fields.append((name, try scanner.value(upTo: JSONScanner.maxTextDepth)))
                key = try scanner.nextKey()
            }
            try scanner.end()
        } catch {
            throw .malformed("not JSON: \(error.message)")
        }
    }

    func event() throws(UnreadableEvent) -> ServerEvent {
        guard let type = try value("type").string else { throw .malformed("type: must be a string") }
        if type.equals("message") { return .message(try message(epoch: "")) }
        if type.equals("seen") { return .seen(room: try room(), seq: try integer("seq")) }
        if type.equals("ack") {
            guard field("roomId") != nil else { return .acknowledged(id: requestID) }
            if field("seq") == nil, field("version") != nil {
                return .ordered(id: requestID, room: try room(), version: Int64(try integer("version")))
            }
            let position = Position(epoch: "", seq: field("seq") == nil ? 0 : try integer("seq"))
            let published = Published(position: position, timestamp: Int64(try integer("timestamp")))
            return .ack(id: requestID, room: try room(), published: published)
        }
        if type.equals("pong") { return .pong(id: requestID) }
        if type.equals("error") { return .error(id: requestID, error: try requestError()) }
        if type.equals("presence") { return .presence(try rosterChange()) }
        if type.equals("room") { return try roomEvent() }
        if type.equals("status") { return .status(try statusChange()) }
        if type.equals("signal") { return .signal(try signal()) }
        if type.equals("joined") { return .joined(id: requestID, try joined()) }
        if type.equals("resumed") { return .resumed(id: requestID, rooms: try resumedRooms()) }
        if type.equals("left") { return .left(id: requestID, room: try room()) }
        if type.equals("history") { return .history(id: requestID, page: try page()) }
        if type.equals("members") { return .members(id: requestID, room: try room(), page: try memberPage()) }
        if type.equals("watching") { return .watching(id: requestID, users: try watched()) }
        if type.equals("turn") { return .turn(id: requestID, try turnCredentials()) }
        if type.equals("gap") { return .gap(room: try room(), position: try position()) }
        if type.equals("epoch") { return .epoch(room: try room(), position: try position()) }
        if type.equals("reconnect") { return .reconnect(afterMilliseconds: try integer("afterMs")) }
        if type.equals("welcome") { return .welcome(try welcome()) }
        if type.equals("authenticated") {
            let expires = field("expires") == nil ? nil : Int64(try integer("expires"))
            return .authenticated(id: requestID, expires: expires)
        }
        throw .unknownType
    }

    // MARK: Kinds of frames

    private func message(epoch: String) throws(UnreadableEvent) -> RoomMessage {
        RoomMessage(
            room: try room(), userId: field("userId") == nil ? .nobody : try userID(),
            msgType: try integer("msgType"), event: try eventName(),
            payload: try bytes("payload"), isRedacted: field("redacted") == nil ? false : try boolean("redacted"),
            timestamp: Int64(try integer("timestamp")),
            position: Position(epoch: epoch, seq: field("seq") == nil ? 0 : try integer("seq")))
    }

    private func page() throws(UnreadableEvent) -> HistoryPage {
        let epoch = try text("epoch")
        let more = try boolean("more")
        var messages: [RoomMessage] = []
        for fields in try objects("messages") {
            messages.append(try fields.message(epoch: fields.field("epoch") == nil ? epoch : fields.text("epoch")))
        }
        let head = Position(epoch: epoch, seq: messages.last?.seq ?? 0)
        var page = HistoryPage(room: try room(), head: head, messages: messages, more: more)
        page.isArchiveAway = field("archive") != nil
        return page
    }

    private func welcome() throws(UnreadableEvent) -> Welcome {
        var positions: [(room: RoomName, position: Position)] = []
        for entry in try EventFields(frame: try value("positions").bytes).fields {
            // Whatever else a later gateway puts there is not for this client.
            guard let room = entry.key.text.flatMap({ RoomName($0) }) else { continue }
            positions.append((room, try EventFields(frame: entry.value.bytes).position()))
        }
        var welcome = Welcome(
            connectionId: try text("connectionId"), nodeId: try text("nodeId"),
            userId: field("userId") == nil ? nil : try userID(),
            session: field("session") == nil ? "" : try text("session"),
            resumed: try boolean("resumed"), heartbeat: try integer("heartbeat"),
            timestamp: Int64(try integer("timestamp")), positions: positions, limits: try limits())
        welcome.id = requestID
        return welcome
    }

    /// Nil where the gateway does not name all that this client looks at.
    private func limits() throws(UnreadableEvent) -> ClientLimits? {
        guard let value = field("limits"), case .object = value.kind else { return nil }
        let fields = try EventFields(frame: value.bytes)
        guard let messageBytes = fields.field("messageBytes")?.integer,
            let perSecond = fields.field("messagesPerSecond")?.integer,
            let burst = fields.field("messageBurst")?.integer, let rooms = fields.field("rooms")?.integer,
            let watched = fields.field("watched")?.integer
        else { return nil }
        return ClientLimits(
            messageBytes: messageBytes, messagesPerSecond: perSecond, messageBurst: burst, rooms: rooms,
            watched: watched)
    }

    /// A code that came with a later version counts as `bad_request`: the same request had better not be sent again.
    private func requestError() throws(UnreadableEvent) -> RequestError {
        RequestError(
            ErrorCode(rawValue: try text("code")) ?? .badRequest, try text("message"),
            retryAfterMilliseconds: field("retryAfterMs")?.integer)
    }

    // MARK: Fields

    private var requestID: RequestID? { field("id").map { RequestID(json: Array($0.bytes)) } }

    func room() throws(UnreadableEvent) -> RoomName {
        guard let room = RoomName(try text("roomId")) else { throw .malformed("roomId: not the name of a room") }
        return room
    }

    func userID(_ name: StaticString = "userId") throws(UnreadableEvent) -> UserID {
        guard let user = UserID(try text(name)) else { throw .malformed("\(name): not the name of a user") }
        return user
    }

    /// Nil where the message has none.
    private func eventName() throws(UnreadableEvent) -> EventName? {
        guard field("event") != nil else { return nil }
        guard let name = EventName(try text("event")) else { throw .malformed("event: not the name of one") }
        return name
    }

    func position() throws(UnreadableEvent) -> Position {
        Position(epoch: try text("epoch"), seq: try integer("seq"))
    }

    func text(_ name: StaticString) throws(UnreadableEvent) -> String {
        guard let text = try value(name).string?.text else { throw .malformed("\(name): must be a string") }
        return text
    }

    func integer(_ name: StaticString) throws(UnreadableEvent) -> Int {
        guard let integer = try value(name).integer else { throw .malformed("\(name): must be an integer") }
        return integer
    }

    func boolean(_ name: StaticString) throws(UnreadableEvent) -> Bool {
        guard let boolean = try value(name).boolean else { throw .malformed("\(name): must be true or false") }
        return boolean
    }

    /// A value as it stands, such as a payload.
    func bytes(_ name: StaticString) throws(UnreadableEvent) -> [UInt8] { Array(try value(name).bytes) }

    /// The elements of an array, which must be objects.
    func objects(_ name: StaticString) throws(UnreadableEvent) -> [EventFields] {
        guard let elements = try value(name).elements() else { throw .malformed("\(name): must be an array") }
        var objects: [EventFields] = []
        objects.reserveCapacity(elements.count)
        for element in elements { objects.append(try EventFields(frame: element.bytes)) }
        return objects
    }

    func value(_ name: StaticString) throws(UnreadableEvent) -> JSONValue {
        guard let value = field(name) else { throw .malformed("\(name): missing") }
        return value
    }

    func field(_ name: StaticString) -> JSONValue? { fields.first { $0.key.equals(name) }?.value }
}
