import GatewayCore

/// The frames that greet a client and bring it into its rooms.
extension NativeDialect {
    func encode(_ welcome: Welcome, into bytes: inout [UInt8]) {
        begin(#"{"type":"welcome""#, id: welcome.id, into: &bytes)
        JSONWriter.append(#","connectionId":"#, to: &bytes)
        JSONWriter.append(string: welcome.connectionId, to: &bytes)
        JSONWriter.append(#","nodeId":"#, to: &bytes)
        JSONWriter.append(string: welcome.nodeId, to: &bytes)
        if let user = welcome.userId {
            JSONWriter.append(#","userId":"#, to: &bytes)
            JSONWriter.append(string: user.string, to: &bytes)
        }
        if !welcome.session.isEmpty {
            JSONWriter.append(#","session":"#, to: &bytes)
            JSONWriter.append(string: welcome.session, to: &bytes)
        }
        JSONWriter.append(welcome.resumed ? #","resumed":true"# : #","resumed":false"#, to: &bytes)
        JSONWriter.append(#","heartbeat":"#, to: &bytes)
        JSONWriter.append(integer: welcome.heartbeat, to: &bytes)
        JSONWriter.append(#","timestamp":"#, to: &bytes)
        JSONWriter.append(integer: welcome.timestamp, to: &bytes)
        JSONWriter.append(#","positions":{"#, to: &bytes)
        for (index, entry) in welcome.positions.enumerated() {
            if index > 0 { JSONWriter.append(",", to: &bytes) }
            JSONWriter.append(string: entry.room.string, to: &bytes)
            JSONWriter.append(#":{"epoch":"#, to: &bytes)
            append(entry.position, into: &bytes)
            JSONWriter.append("}", to: &bytes)
        }
        JSONWriter.append("}", to: &bytes)
        if let limits = welcome.limits { append(limits, into: &bytes) }
        JSONWriter.append("}", to: &bytes)
    }

    private func append(_ limits: ClientLimits, into bytes: inout [UInt8]) {
        JSONWriter.append(#","limits":{"messageBytes":"#, to: &bytes)
        JSONWriter.append(integer: limits.messageBytes, to: &bytes)
        JSONWriter.append(#","messagesPerSecond":"#, to: &bytes)
        JSONWriter.append(integer: limits.messagesPerSecond, to: &bytes)
        JSONWriter.append(#","messageBurst":"#, to: &bytes)
        JSONWriter.append(integer: limits.messageBurst, to: &bytes)
        JSONWriter.append(#","rooms":"#, to: &bytes)
        JSONWriter.append(integer: limits.rooms, to: &bytes)
        JSONWriter.append(#","watched":"#, to: &bytes)
        JSONWriter.append(integer: limits.watched, to: &bytes)
        JSONWriter.append("}", to: &bytes)
    }

    /// A `joined` from `roomId` to the closing brace.
    func append(_ joined: Joined, into bytes: inout [UInt8]) {
        append(room: joined.room, into: &bytes)
        append(joined.position, recovered: joined.recovered, into: &bytes)
        if joined.isArchiveAway { JSONWriter.append(#","archive":"unavailable""#, to: &bytes) }
        if let roster = joined.roster {
            JSONWriter.append(#","members":"#, to: &bytes)
            JSONWriter.append(integer: roster.members, to: &bytes)
            JSONWriter.append(#","rosterVersion":"#, to: &bytes)
            JSONWriter.append(integer: roster.version, to: &bytes)
        }
        if let settings = joined.settings { append(settings, into: &bytes) }
        append(joined.role, into: &bytes)
        JSONWriter.append("}", to: &bytes)
    }

    /// A `resumed` from `rooms` to the closing brace.
    func append(_ rooms: [ResumedRoom], into bytes: inout [UInt8]) {
        JSONWriter.append(#","rooms":["#, to: &bytes)
        for (index, entry) in rooms.enumerated() {
            JSONWriter.append(index > 0 ? #",{"roomId":"# : #"{"roomId":"#, to: &bytes)
            JSONWriter.append(string: entry.room.string, to: &bytes)
            switch entry.outcome {
            case .joined(let position, let recovered):
                append(position, recovered: recovered, into: &bytes)
                if entry.isArchiveAway { JSONWriter.append(#","archive":"unavailable""#, to: &bytes) }
            case .refused(let code):
                JSONWriter.append(#","code":"#, to: &bytes)
                JSONWriter.append(string: code.rawValue, to: &bytes)
            }
            JSONWriter.append("}", to: &bytes)
        }
        JSONWriter.append("]}", to: &bytes)
    }

    private func append(_ position: Position, recovered: Bool, into bytes: inout [UInt8]) {
        JSONWriter.append(#","epoch":"#, to: &bytes)
        append(position, into: &bytes)
        JSONWriter.append(recovered ? #","recovered":true"# : #","recovered":false"#, to: &bytes)
    }
}
