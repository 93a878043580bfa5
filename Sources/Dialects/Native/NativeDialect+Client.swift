import GatewayCore

/// The reason why a frame from the gateway could not be read.
package enum UnreadableEvent: Error, Hashable, Sendable {
    /// A kind of frame that came with a later version: to be passed over.
    case unknownType
    /// Not what the protocol promises; the text names the field.
    case malformed(String)
}

extension NativeDialect {
    /// Appends one request's text, as a client sends it.
    package func encode(_ request: ClientRequest, into bytes: inout [UInt8]) {
        switch request.command {
        case .message(let message):
            bytes.reserveCapacity(bytes.count + message.payload.count + 512)
            begin(#"{"type":"message""#, id: request.id, into: &bytes)
            append(message, into: &bytes)
        case .auth(let token):
            begin(#"{"type":"auth""#, id: request.id, into: &bytes)
            JSONWriter.append(#","token":"#, to: &bytes)
            JSONWriter.append(string: token, to: &bytes)
        case .join(let room, let since):
            begin(#"{"type":"join""#, id: request.id, into: &bytes)
            append(room: room, into: &bytes)
            if let last = since?.last {
                JSONWriter.append(#","last":"#, to: &bytes)
                JSONWriter.append(integer: last, to: &bytes)
            } else if let since {
                JSONWriter.append(#","since":"#, to: &bytes)
                append(since, into: &bytes)
            }
        case .resume(let positions):
            begin(#"{"type":"resume""#, id: request.id, into: &bytes)
            append(positions, into: &bytes)
        case .leave(let room):
            begin(#"{"type":"leave""#, id: request.id, into: &bytes)
            append(room: room, into: &bytes)
        case .history(let room, let range):
            begin(#"{"type":"history""#, id: request.id, into: &bytes)
            append(room: room, into: &bytes)
            append(range, into: &bytes)
        case .members(let room, let limit, let cursor):
            begin(#"{"type":"members""#, id: request.id, into: &bytes)
            append(room: room, into: &bytes)
            JSONWriter.append(#","limit":"#, to: &bytes)
            JSONWriter.append(integer: limit, to: &bytes)
            if let cursor {
                JSONWriter.append(#","cursor":"#, to: &bytes)
                JSONWriter.append(string: cursor, to: &bytes)
            }
        case .watch(let users):
            begin(#"{"type":"watch""#, id: request.id, into: &bytes)
            append(users, into: &bytes)
        case .unwatch(let users):
            begin(#"{"type":"unwatch""#, id: request.id, into: &bytes)
            append(users, into: &bytes)
        case .signal(let user, let room, let payload):
            bytes.reserveCapacity(bytes.count + payload.count + 512)
            begin(#"{"type":"signal""#, id: request.id, into: &bytes)
            JSONWriter.append(#","to":"#, to: &bytes)
            JSONWriter.append(string: user.string, to: &bytes)
            append(room: room, into: &bytes)
            JSONWriter.append(#","payload":"#, to: &bytes)
            bytes.append(contentsOf: payload)
        case .presence(let room, let info):
            begin(#"{"type":"presence""#, id: request.id, into: &bytes)
            if let room { append(room: room, into: &bytes) }
            JSONWriter.append(#","info":"#, to: &bytes)
            bytes.append(contentsOf: info)
        case .state(let state):
            begin(#"{"type":"state""#, id: request.id, into: &bytes)
            JSONWriter.append(#","state":"#, to: &bytes)
            JSONWriter.append(string: state.rawValue, to: &bytes)
        case .turn: begin(#"{"type":"turn""#, id: request.id, into: &bytes)
        case .order(let order): append(order, id: request.id, into: &bytes)
        case .redact(let room, let seq, let epoch):
            begin(#"{"type":"redact""#, id: request.id, into: &bytes)
            append(room: room, into: &bytes)
            JSONWriter.append(#","seq":"#, to: &bytes)
            JSONWriter.append(integer: seq, to: &bytes)
            if let epoch {
                JSONWriter.append(#","epoch":"#, to: &bytes)
                JSONWriter.append(string: epoch, to: &bytes)
            }
        case .subscribe, .signIn: preconditionFailure("a visitor's command has no word in the native dialect")
        case .ping: begin(#"{"type":"ping""#, id: request.id, into: &bytes)
        }
        JSONWriter.append("}", to: &bytes)
    }

    private func append(_ message: MessageCommand, into bytes: inout [UInt8]) {
        append(room: message.room, into: &bytes)
        JSONWriter.append(#","msgType":"#, to: &bytes)
        JSONWriter.append(integer: message.msgType, to: &bytes)
        if let event = message.event {
            JSONWriter.append(#","event":"#, to: &bytes)
            JSONWriter.append(string: event.string, to: &bytes)
        }
        JSONWriter.append(#","payload":"#, to: &bytes)
        bytes.append(contentsOf: message.payload)
        if let dedupe = message.dedupe {
            JSONWriter.append(#","dedupe":"#, to: &bytes)
            JSONWriter.append(string: dedupe, to: &bytes)
        }
        if !message.echo { JSONWriter.append(#","echo":false"#, to: &bytes) }
        if message.isVolatile { JSONWriter.append(#","volatile":true"#, to: &bytes) }
    }

    private func append(_ range: HistoryRange, into bytes: inout [UInt8]) {
        switch range.edge {
        case .newest: break
        case .before(let seq):
            JSONWriter.append(#","before":"#, to: &bytes)
            append(seq, of: range.epoch, into: &bytes)
        case .after(let seq):
            JSONWriter.append(#","after":"#, to: &bytes)
            append(seq, of: range.epoch, into: &bytes)
        }
        JSONWriter.append(#","limit":"#, to: &bytes)
        JSONWriter.append(integer: range.limit, to: &bytes)
    }

    /// A bare number means the present epoch.
    private func append(_ seq: Int, of epoch: String?, into bytes: inout [UInt8]) {
        guard let epoch else { return JSONWriter.append(integer: seq, to: &bytes) }
        JSONWriter.append(#"{"epoch":"#, to: &bytes)
        JSONWriter.append(string: epoch, to: &bytes)
        JSONWriter.append(#","seq":"#, to: &bytes)
        JSONWriter.append(integer: seq, to: &bytes)
        JSONWriter.append("}", to: &bytes)
    }

    private func append(_ positions: [RoomName: ClientPosition], into bytes: inout [UInt8]) {
        JSONWriter.append(#","since":{"#, to: &bytes)
        var isFirst = true
        for (room, position) in positions {
            if !isFirst { JSONWriter.append(",", to: &bytes) }
            isFirst = false
            JSONWriter.append(string: room.string, to: &bytes)
            JSONWriter.append(":", to: &bytes)
            append(position, into: &bytes)
        }
        JSONWriter.append("}", to: &bytes)
    }

    private func append(_ position: ClientPosition, into bytes: inout [UInt8]) {
        if let epoch = position.epoch {
            JSONWriter.append(#"{"epoch":"#, to: &bytes)
            append(Position(epoch: epoch, seq: position.seq), into: &bytes)
        } else {
            JSONWriter.append(#"{"seq":"#, to: &bytes)
            JSONWriter.append(integer: position.seq, to: &bytes)
        }
        JSONWriter.append("}", to: &bytes)
    }

    private func append(_ users: [UserID], into bytes: inout [UInt8]) {
        JSONWriter.append(#","users":["#, to: &bytes)
        for (index, user) in users.enumerated() {
            if index > 0 { JSONWriter.append(",", to: &bytes) }
            JSONWriter.append(string: user.string, to: &bytes)
        }
        JSONWriter.append("]", to: &bytes)
    }

    /// Reads one text frame from the gateway, whole and known to be UTF-8.
    ///
    /// Frames say less than the vocabulary: a message bears no epoch (its position's is empty, the room's present
    /// one is meant), and where it was not stored no `seq` (0), a page of history no head (its `seq` is the newest message's, 0 without one), a `joined` no
    /// time of its roster (0), a roster's event no connection, and a signal not whom it is for (an empty name).
    package func decodeEvent(_ frame: UnsafeRawBufferPointer) -> Result<ServerEvent, UnreadableEvent> {
        do throws(UnreadableEvent) {
            return .success(try EventFields(frame: frame).event())
        } catch {
            return .failure(error)
        }
    }
}
