import GatewayCore

/// What is told of governed rooms, and of messages whose payloads were taken away.
extension NativeDialect {
    func encodeRedacted(_ room: RoomName, _ position: Position, into bytes: inout [UInt8]) {
        JSONWriter.append(#"{"type":"room""#, to: &bytes)
        append(room: room, into: &bytes)
        JSONWriter.append(#","event":"redacted","seq":"#, to: &bytes)
        JSONWriter.append(integer: position.seq, to: &bytes)
        JSONWriter.append(#","epoch":"#, to: &bytes)
        JSONWriter.append(string: position.epoch, to: &bytes)
        JSONWriter.append("}", to: &bytes)
    }

    func encode(_ change: RoomChange, into bytes: inout [UInt8]) {
        JSONWriter.append(#"{"type":"room""#, to: &bytes)
        append(room: change.room, into: &bytes)
        JSONWriter.append(#","event":"#, to: &bytes)
        JSONWriter.append(string: change.event.rawValue, to: &bytes)
        switch change.event {
        case .updated, .restored:
            append(change.state, into: &bytes)
            append(change.role, into: &bytes)
        case .closed, .role, .host, .muted, .unmuted, .removed:
            if let user = change.userId {
                JSONWriter.append(#","userId":"#, to: &bytes)
                JSONWriter.append(string: user.string, to: &bytes)
            }
            append(change.role, into: &bytes)
            if let until = change.until {
                JSONWriter.append(#","until":"#, to: &bytes)
                JSONWriter.append(integer: until, to: &bytes)
            }
            if let reason = change.reason {
                JSONWriter.append(#","reason":"#, to: &bytes)
                JSONWriter.append(string: reason, to: &bytes)
            }
            if change.state.version > 0 {
                JSONWriter.append(#","version":"#, to: &bytes)
                JSONWriter.append(integer: change.state.version, to: &bytes)
            }
        }
        JSONWriter.append("}", to: &bytes)
    }

    /// The field `role`, behind others.
    func append(_ role: RoleName?, into bytes: inout [UInt8]) {
        guard let role else { return }
        JSONWriter.append(#","role":"#, to: &bytes)
        JSONWriter.append(string: role.string, to: &bytes)
    }

    /// The fields `version` and `settings`, behind others.
    package func append(_ state: RoomState, into bytes: inout [UInt8]) {
        JSONWriter.append(#","version":"#, to: &bytes)
        JSONWriter.append(integer: state.version, to: &bytes)
        JSONWriter.append(#","settings":"#, to: &bytes)
        bytes.append(contentsOf: state.settings)
    }
}

extension EventFields {
    /// Whatever is told of a room.
    func roomEvent() throws(UnreadableEvent) -> ServerEvent {
        guard try text("event") == "redacted" else { return .room(try roomChange()) }
        let epoch = field("epoch") == nil ? "" : try text("epoch")
        return .redacted(room: try room(), position: Position(epoch: epoch, seq: try integer("seq")))
    }

    private func roomChange() throws(UnreadableEvent) -> RoomChange {
        // Whatever else a later gateway tells of rooms is not for this client.
        guard let event = RoomChange.Event(rawValue: try text("event")) else { throw .unknownType }
        let version = field("version") == nil ? 0 : Int64(try integer("version"))
        let state =
            switch event {
            case .updated, .restored: RoomState(version: version, settings: try bytes("settings"))
            case .closed: RoomState.closed(at: version)
            case .role, .host, .muted, .unmuted, .removed: RoomState.absent.next(version)
            }
        var change = RoomChange(room: try room(), event: event, state: state)
        if field("userId") != nil { change.userId = try userID() }
        if field("role") != nil { change.role = RoleName(unchecked: try text("role")) }
        if field("until") != nil { change.until = Int64(try integer("until")) }
        if field("reason") != nil { change.reason = try text("reason") }
        return change
    }

    /// Of a `joined`; nil where the room has none.
    func roomState() throws(UnreadableEvent) -> RoomState? {
        guard field("settings") != nil else { return nil }
        return RoomState(version: Int64(try integer("version")), settings: try bytes("settings"))
    }
}

extension NativeDialect {
    /// An order as a client asks it, but for its closing brace.
    func append(_ order: RoomOrder, id: RequestID?, into bytes: inout [UInt8]) {
        switch order.act {
        case .role: begin(#"{"type":"role""#, id: id, into: &bytes)
        case .mute: begin(#"{"type":"mute""#, id: id, into: &bytes)
        case .unmute: begin(#"{"type":"unmute""#, id: id, into: &bytes)
        case .ban: begin(#"{"type":"ban""#, id: id, into: &bytes)
        case .unban: begin(#"{"type":"unban""#, id: id, into: &bytes)
        case .remove: begin(#"{"type":"remove""#, id: id, into: &bytes)
        case .admit: preconditionFailure("no client asks for it")
        }
        append(room: order.room, into: &bytes)
        JSONWriter.append(#","userId":"#, to: &bytes)
        JSONWriter.append(string: order.user.string, to: &bytes)
        switch order.act {
        case .role(let role):
            JSONWriter.append(#","role":"#, to: &bytes)
            JSONWriter.append(string: role.string, to: &bytes)
        case .mute(let until?), .ban(let until?):
            JSONWriter.append(#","until":"#, to: &bytes)
            JSONWriter.append(integer: until, to: &bytes)
        case .mute, .unmute, .ban, .unban, .remove, .admit: break
        }
        if !order.reason.isEmpty {
            JSONWriter.append(#","reason":"#, to: &bytes)
            JSONWriter.append(string: order.reason, to: &bytes)
        }
    }
}

extension RequestFields {
    /// An order about a user in a room; nil where this `type` names none.
    func order(named type: JSONString) throws(RequestError) -> RoomOrder? {
        let act: RoomOrder.Act
        if type.equals("role") {
            act = .role(try roleName())
        } else if type.equals("mute") {
            act = .mute(until: try end())
        } else if type.equals("unmute") {
            act = .unmute
        } else if type.equals("ban") {
            act = .ban(until: try end())
        } else if type.equals("unban") {
            act = .unban
        } else if type.equals("remove") {
            act = .remove
        } else {
            return nil
        }
        guard let user = UserID(try RequestFields.text(of: userId, "userId")) else {
            throw RequestError(.badRequest, "userId: not the name of a user")
        }
        return RoomOrder(act, user, in: try room(), reason: try reasonText())
    }

    /// Of a message.
    func seqNumber() throws(RequestError) -> Int {
        guard let seq else { throw RequestError(.badRequest, "seq: missing") }
        return try RequestFields.integer(seq, within: 1...Int.max, "seq")
    }

    /// Nil where none is named.
    func epochName() throws(RequestError) -> String? {
        guard epoch != nil else { return nil }
        let name = try RequestFields.text(of: epoch, "epoch")
        guard (1...64).contains(name.utf8.count), name.utf8.allSatisfy({ (33...126).contains($0) }) else {
            throw RequestError(.badRequest, "epoch: must be 1 to 64 characters, as answers name it")
        }
        return name
    }

    private func roleName() throws(RequestError) -> RoleName {
        guard let name = RoleName(try RequestFields.text(of: role, "role")) else {
            throw RequestError(.badRequest, "role: a role is named by 1 to 64 of A-Z a-z 0-9 _ -")
        }
        return name
    }

    /// In milliseconds since 1970; nil: without end.
    private func end() throws(RequestError) -> Int64? {
        guard let until else { return nil }
        return Int64(try RequestFields.integer(until, within: RoomOrder.ends, "until"))
    }

    private func reasonText() throws(RequestError) -> String {
        guard reason != nil else { return "" }
        let text = try RequestFields.text(of: reason, "reason")
        guard text.count <= RoomOrder.maxReasonCharacters, text.utf8.count <= 4 * RoomOrder.maxReasonCharacters else {
            throw RequestError(.badRequest, "reason: must have at most \(RoomOrder.maxReasonCharacters) characters")
        }
        return text
    }
}
