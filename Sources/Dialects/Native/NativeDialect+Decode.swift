import GatewayCore

extension NativeDialect {
    /// Reads one text frame from a client, whole and known to be UTF-8.
    ///
    /// Everything in the answer is a copy; the frame's memory may go away.
    package func decode(_ frame: UnsafeRawBufferPointer) -> Result<ClientRequest, MalformedRequest> {
        var fields = RequestFields()
        do throws(RequestError) {
            try fields.read(frame)
            let id = try fields.requestID()
            return .success(ClientRequest(id: id, command: try fields.command()))
        } catch {
            // The second reading is for errors alone, and an id that cannot be given back is left out.
            return .failure(MalformedRequest(id: try? fields.requestID(), error: error))
        }
    }
}

extension RequestFields {
    private static let maxMsgType = 2_147_483_647
    private static let maxDedupeBytes = 128
    private static let maxInfoBytes = 2048
    private static let pageLimits = 1...1000
    private static let defaultHistoryLimit = 50
    private static let defaultMemberLimit = 100

    /// What is asked for, by `type`.
    fileprivate func command() throws(RequestError) -> ClientCommand {
        guard let type else { throw RequestError(.badRequest, "type: missing") }
        guard let name = type.string else { throw RequestError(.badRequest, "type: must be a string") }
        if name.equals("message") {
            return .message(try message())
        }
        if name.equals("ping") { return .ping }
        if name.equals("join") { return .join(room: try room(), since: try position()) }
        if name.equals("leave") { return .leave(room: try room()) }
        if name.equals("history") { return .history(room: try room(), range: try historyRange()) }
        if name.equals("auth") { return .auth(token: try tokenText()) }
        if name.equals("resume") { return .resume(since: try positions()) }
        if name.equals("signal") {
            return .signal(to: try addressee(), room: try room(), payload: try payloadBytes())
        }
        if name.equals("members") {
            return .members(room: try room(), limit: try memberLimit(), cursor: try cursorText())
        }
        if name.equals("watch") { return .watch(users: try userList()) }
        if name.equals("unwatch") { return .unwatch(users: try userList()) }
        if name.equals("presence") {
            return .presence(room: roomId == nil ? nil : try room(), info: try infoBytes())
        }
        if name.equals("state") { return .state(try userState()) }
        if name.equals("turn") { return .turn }
        if name.equals("redact") { return .redact(room: try room(), seq: try seqNumber(), epoch: try epochName()) }
        if let order = try order(named: name) { return .order(order) }
        throw RequestError(.badRequest, "type: unknown")
    }

    func room() throws(RequestError) -> RoomName {
        guard let name = RoomName(try RequestFields.text(of: roomId, "roomId")) else {
            throw RequestError(.badRequest, "roomId: not the name of a room")
        }
        return name
    }

    private func message() throws(RequestError) -> MessageCommand {
        var message = MessageCommand(
            room: try room(), msgType: try messageType(), payload: try payloadBytes(), dedupe: try dedupeKey())
        if event != nil {
            guard let name = EventName(try RequestFields.text(of: event, "event")) else {
                throw RequestError(.badRequest, "event: \(EventName.rule)")
            }
            message.event = name
        }
        if let echo { message.echo = try RequestFields.boolean(echo, "echo") }
        if let volatile { message.isVolatile = try RequestFields.boolean(volatile, "volatile") }
        guard !message.isVolatile || message.dedupe == nil else {
            throw RequestError(.badRequest, "dedupe: cannot be given together with volatile, of which nothing is kept")
        }
        return message
    }

    private func messageType() throws(RequestError) -> Int {
        guard let msgType else { return 1 }
        return try RequestFields.integer(msgType, within: 0...RequestFields.maxMsgType, "msgType")
    }

    private func payloadBytes() throws(RequestError) -> [UInt8] {
        guard let payload else { throw RequestError(.badRequest, "payload: missing") }
        return Array(payload.bytes)
    }

    private func infoBytes() throws(RequestError) -> [UInt8] {
        guard let info else { throw RequestError(.badRequest, "info: missing") }
        guard case .object = info.kind else { throw RequestError(.badRequest, "info: must be an object") }
        guard info.bytes.count <= RequestFields.maxInfoBytes else {
            throw RequestError(.badRequest, "info: longer than \(RequestFields.maxInfoBytes) bytes")
        }
        return Array(info.bytes)
    }

    private func userState() throws(RequestError) -> UserState {
        guard let state = UserState(rawValue: try RequestFields.text(of: state, "state")) else {
            throw RequestError(.badRequest, "state: must be active, away or invisible")
        }
        return state
    }

    private func dedupeKey() throws(RequestError) -> String? {
        guard dedupe != nil else { return nil }
        let key = try RequestFields.text(of: dedupe, "dedupe")
        guard (1...RequestFields.maxDedupeBytes).contains(key.utf8.count) else {
            throw RequestError(.badRequest, "dedupe: must have 1 to \(RequestFields.maxDedupeBytes) bytes")
        }
        return key
    }

    private func tokenText() throws(RequestError) -> String { try RequestFields.text(of: token, "token") }

    private func historyRange() throws(RequestError) -> HistoryRange {
        let edge: HistoryRange.Edge
        var epoch: String?
        switch (before, after) {
        case (nil, nil): edge = .newest
        case (let before?, nil):
            let place = try RequestFields.place(before, within: 1...Int.max, "before")
            (edge, epoch) = (.before(place.seq), place.epoch)
        case (nil, let after?):
            let place = try RequestFields.place(after, within: 0...Int.max, "after")
            (edge, epoch) = (.after(place.seq), place.epoch)
        case (_?, _?): throw RequestError(.badRequest, "before: cannot be given together with after")
        }
        guard let limit else {
            return HistoryRange(edge: edge, epoch: epoch, limit: RequestFields.defaultHistoryLimit)
        }
        return HistoryRange(
            edge: edge, epoch: epoch, limit: try RequestFields.integer(limit, within: RequestFields.pageLimits, "limit")
        )
    }

    /// A message's number, by itself or in a position.
    private static func place(
        _ value: JSONValue, within range: ClosedRange<Int>, _ name: StaticString
    ) throws(RequestError) -> (epoch: String?, seq: Int) {
        guard let fields = value.fields(upTo: 8) else { return (nil, try integer(value, within: range, name)) }
        guard let seq = fields.last(where: { $0.key.equals("seq") })?.value,
            let epoch = fields.last(where: { $0.key.equals("epoch") })?.value.string?.text
        else { throw RequestError(.badRequest, "\(name): must be an integer, or an object with epoch and seq") }
        return (epoch, try integer(seq, within: range, name))
    }

    private func memberLimit() throws(RequestError) -> Int {
        guard let limit else { return RequestFields.defaultMemberLimit }
        return try RequestFields.integer(limit, within: RequestFields.pageLimits, "limit")
    }

    private func cursorText() throws(RequestError) -> String? {
        guard cursor != nil else { return nil }
        return try RequestFields.text(of: cursor, "cursor")
    }

    static func text(of field: JSONValue?, _ name: StaticString) throws(RequestError) -> String {
        guard let field else { throw RequestError(.badRequest, "\(name): missing") }
        guard let string = field.string else { throw RequestError(.badRequest, "\(name): must be a string") }
        guard let text = string.text else { throw RequestError(.badRequest, "\(name): half a surrogate pair") }
        return text
    }

    static func boolean(_ field: JSONValue, _ name: StaticString) throws(RequestError) -> Bool {
        guard let value = field.boolean else { throw RequestError(.badRequest, "\(name): must be true or false") }
        return value
    }

    static func integer(
        _ field: JSONValue, within range: ClosedRange<Int>, _ name: StaticString
    ) throws(RequestError) -> Int {
        guard let value = field.integer, range.contains(value) else {
            throw RequestError(
                .badRequest, "\(name): must be an integer from \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }
}
