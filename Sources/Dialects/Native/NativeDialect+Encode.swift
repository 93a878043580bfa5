import GatewayCore

extension NativeDialect {
    /// Appends one frame's text; the same bytes serve every connection that is sent the event.
    package func encode(_ event: ServerEvent, into bytes: inout [UInt8]) {
        switch event {
        case .message(let message): encode(message, into: &bytes)
        case .seen(let room, let seq):
            JSONWriter.append(#"{"type":"seen""#, to: &bytes)
            append(room: room, into: &bytes)
            JSONWriter.append(#","seq":"#, to: &bytes)
            JSONWriter.append(integer: seq, to: &bytes)
            JSONWriter.append("}", to: &bytes)
        case .welcome(let welcome): encode(welcome, into: &bytes)
        case .authenticated(let id, let expires):
            begin(#"{"type":"authenticated""#, id: id, into: &bytes)
            if let expires {
                JSONWriter.append(#","expires":"#, to: &bytes)
                JSONWriter.append(integer: expires, to: &bytes)
            }
            JSONWriter.append("}", to: &bytes)
        case .joined(let id, let joined):
            begin(#"{"type":"joined""#, id: id, into: &bytes)
            append(joined, into: &bytes)
        case .resumed(let id, let rooms):
            begin(#"{"type":"resumed""#, id: id, into: &bytes)
            append(rooms, into: &bytes)
        case .left(let id, let room):
            begin(#"{"type":"left""#, id: id, into: &bytes)
            append(room: room, into: &bytes)
            JSONWriter.append("}", to: &bytes)
        case .ack(let id, let room, let published):
            begin(#"{"type":"ack""#, id: id, into: &bytes)
            append(room: room, into: &bytes)
            if published.position != .unstored {
                JSONWriter.append(#","seq":"#, to: &bytes)
                JSONWriter.append(integer: published.position.seq, to: &bytes)
            }
            JSONWriter.append(#","timestamp":"#, to: &bytes)
            JSONWriter.append(integer: published.timestamp, to: &bytes)
            JSONWriter.append("}", to: &bytes)
        case .history(let id, let page):
            begin(#"{"type":"history""#, id: id, into: &bytes)
            append(page, into: &bytes)
        case .members(let id, let room, let page):
            begin(#"{"type":"members""#, id: id, into: &bytes)
            append(room: room, into: &bytes)
            append(page, into: &bytes)
        case .watching(let id, let users):
            begin(#"{"type":"watching""#, id: id, into: &bytes)
            append(users, into: &bytes)
        case .acknowledged(let id):
            begin(#"{"type":"ack""#, id: id, into: &bytes)
            JSONWriter.append("}", to: &bytes)
        case .turn(let id, let credentials):
            begin(#"{"type":"turn""#, id: id, into: &bytes)
            JSONWriter.append(",", to: &bytes)
            appendFields(of: credentials, into: &bytes)
        case .ordered(let id, let room, let version):
            begin(#"{"type":"ack""#, id: id, into: &bytes)
            append(room: room, into: &bytes)
            JSONWriter.append(#","version":"#, to: &bytes)
            JSONWriter.append(integer: version, to: &bytes)
            JSONWriter.append("}", to: &bytes)
        case .pong(let id):
            begin(#"{"type":"pong""#, id: id, into: &bytes)
            JSONWriter.append("}", to: &bytes)
        case .presence(let change): encode(change, into: &bytes)
        case .counted: preconditionFailure("natively nobody is told how many connections are in a room")
        case .room(let change): encode(change, into: &bytes)
        case .redacted(let room, let position): encodeRedacted(room, position, into: &bytes)
        case .status(let change): encode(change, into: &bytes)
        case .signal(let signal): encode(signal, into: &bytes)
        case .gap(let room, let position):
            JSONWriter.append(#"{"type":"gap""#, to: &bytes)
            append(room: room, position: position, into: &bytes)
        case .epoch(let room, let position):
            JSONWriter.append(#"{"type":"epoch""#, to: &bytes)
            append(room: room, position: position, into: &bytes)
        case .reconnect(let milliseconds):
            JSONWriter.append(#"{"type":"reconnect","afterMs":"#, to: &bytes)
            JSONWriter.append(integer: milliseconds, to: &bytes)
            JSONWriter.append("}", to: &bytes)
        case .error(let id, let error):
            begin(#"{"type":"error""#, id: id, into: &bytes)
            JSONWriter.append(#","code":"#, to: &bytes)
            JSONWriter.append(string: error.code.rawValue, to: &bytes)
            JSONWriter.append(#","message":"#, to: &bytes)
            JSONWriter.append(string: error.message, to: &bytes)
            if let wait = error.retryAfterMilliseconds {
                JSONWriter.append(#","retryAfterMs":"#, to: &bytes)
                JSONWriter.append(integer: wait, to: &bytes)
            }
            JSONWriter.append("}", to: &bytes)
        }
    }

    /// The frame of a message: the one that is worth its speed, since every delivery begins with it.
    package func encode(_ message: RoomMessage, into bytes: inout [UInt8]) {
        bytes.reserveCapacity(bytes.count + message.payload.count + NativeDialect.maxBytesAroundPayload(of: message))
        JSONWriter.append(#"{"type":"message","#, to: &bytes)
        appendFields(of: message, into: &bytes)
    }

    /// Punctuation, field names and three numbers are below 160 bytes; a user's name may double by its escapes.
    private static func maxBytesAroundPayload(of message: RoomMessage) -> Int {
        160 + 2 * (message.room.string.utf8.count + message.userId.string.utf8.count)
            + (message.event.map { 12 + 2 * $0.string.utf8.count } ?? 0)
    }

    /// From `roomId` to the closing brace, as frames and pages of history, REST's too, have it.
    ///
    /// - Parameter present: the epoch that is named beside it; nil where none is, or where it is the message's own.
    package func appendFields(of message: RoomMessage, under present: String? = nil, into bytes: inout [UInt8]) {
        JSONWriter.append(#""roomId":"#, to: &bytes)
        JSONWriter.append(string: message.room.string, to: &bytes)
        if !message.userId.isNobody {
            JSONWriter.append(#","userId":"#, to: &bytes)
            JSONWriter.append(string: message.userId.string, to: &bytes)
        }
        JSONWriter.append(#","msgType":"#, to: &bytes)
        JSONWriter.append(integer: message.msgType, to: &bytes)
        if let event = message.event {
            JSONWriter.append(#","event":"#, to: &bytes)
            JSONWriter.append(string: event.string, to: &bytes)
        }
        JSONWriter.append(#","payload":"#, to: &bytes)
        bytes.append(contentsOf: message.payload)
        if message.isRedacted { JSONWriter.append(#","redacted":true"#, to: &bytes) }
        JSONWriter.append(#","timestamp":"#, to: &bytes)
        JSONWriter.append(integer: message.timestamp, to: &bytes)
        guard !message.isVolatile else { return JSONWriter.append(#","volatile":true}"#, to: &bytes) }
        JSONWriter.append(#","seq":"#, to: &bytes)
        JSONWriter.append(integer: message.seq, to: &bytes)
        if let present, message.position.epoch != present {
            JSONWriter.append(#","epoch":"#, to: &bytes)
            JSONWriter.append(string: message.position.epoch, to: &bytes)
        }
        JSONWriter.append("}", to: &bytes)
    }

    private func append(_ page: HistoryPage, into bytes: inout [UInt8]) {
        let messages = page.messages.reduce(0) {
            $0 + $1.payload.count + NativeDialect.maxBytesAroundPayload(of: $1)
        }
        bytes.reserveCapacity(bytes.count + messages + 320)
        append(room: page.room, into: &bytes)
        JSONWriter.append(#","epoch":"#, to: &bytes)
        JSONWriter.append(string: page.head.epoch, to: &bytes)
        JSONWriter.append(#","messages":["#, to: &bytes)
        for (index, message) in page.messages.enumerated() {
            JSONWriter.append(index > 0 ? ",{" : "{", to: &bytes)
            appendFields(of: message, under: page.head.epoch, into: &bytes)
        }
        JSONWriter.append(page.isArchiveAway ? #"],"archive":"unavailable""# : "]", to: &bytes)
        JSONWriter.append(page.more ? #","more":true}"# : #","more":false}"#, to: &bytes)
    }

    /// The beginning of a reply, with the request's id where it had one.
    func begin(_ opening: StaticString, id: RequestID?, into bytes: inout [UInt8]) {
        JSONWriter.append(opening, to: &bytes)
        guard let id else { return }
        JSONWriter.append(#","id":"#, to: &bytes)
        bytes.append(contentsOf: id.json)
    }

    func append(room: RoomName, into bytes: inout [UInt8]) {
        JSONWriter.append(#","roomId":"#, to: &bytes)
        JSONWriter.append(string: room.string, to: &bytes)
    }

    /// The end of a frame that tells a room's position.
    private func append(room: RoomName, position: Position, into bytes: inout [UInt8]) {
        append(room: room, into: &bytes)
        JSONWriter.append(#","epoch":"#, to: &bytes)
        append(position, into: &bytes)
        JSONWriter.append("}", to: &bytes)
    }

    /// The epoch's text and the number, behind `"epoch":`.
    func append(_ position: Position, into bytes: inout [UInt8]) {
        JSONWriter.append(string: position.epoch, to: &bytes)
        JSONWriter.append(#","seq":"#, to: &bytes)
        JSONWriter.append(integer: position.seq, to: &bytes)
    }
}
