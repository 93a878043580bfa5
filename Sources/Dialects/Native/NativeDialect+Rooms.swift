import GatewayCore

/// What is told of a room's settings, and of its messages.
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
        case .updated, .restored: append(change.state, into: &bytes)
        case .closed:
            JSONWriter.append(#","version":"#, to: &bytes)
            JSONWriter.append(integer: change.state.version, to: &bytes)
        }
        JSONWriter.append("}", to: &bytes)
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
        let version = Int64(try integer("version"))
        let state =
            switch event {
            case .updated, .restored: RoomState(version: version, settings: try bytes("settings"))
            case .closed: RoomState.closed(at: version)
            }
        return RoomChange(room: try room(), event: event, state: state)
    }

    /// Of a `joined`; nil where the room has none.
    func roomState() throws(UnreadableEvent) -> RoomState? {
        guard field("settings") != nil else { return nil }
        return RoomState(version: Int64(try integer("version")), settings: try bytes("settings"))
    }
}
