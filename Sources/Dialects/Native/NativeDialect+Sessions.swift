import GatewayCore

/// The frames that bring a client into its rooms.
extension NativeDialect {
    /// A `joined` from `roomId` to the closing brace.
    func append(_ joined: Joined, into bytes: inout [UInt8]) {
        append(room: joined.room, into: &bytes)
        append(joined.position, recovered: joined.recovered, into: &bytes)
        if let roster = joined.roster {
            JSONWriter.append(#","members":"#, to: &bytes)
            JSONWriter.append(integer: roster.members, to: &bytes)
            JSONWriter.append(#","rosterVersion":"#, to: &bytes)
            JSONWriter.append(integer: roster.version, to: &bytes)
        }
        JSONWriter.append("}", to: &bytes)
    }

    /// A `resumed` from `rooms` to the closing brace.
    func append(_ rooms: [ResumedRoom], into bytes: inout [UInt8]) {
        JSONWriter.append(#","rooms":["#, to: &bytes)
        for (index, entry) in rooms.enumerated() {
            JSONWriter.append(index > 0 ? #",{"roomId":"# : #"{"roomId":"#, to: &bytes)
            JSONWriter.append(string: entry.room.string, to: &bytes)
            switch entry.outcome {
            case .joined(let position, let recovered): append(position, recovered: recovered, into: &bytes)
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
