import GatewayCore
import RedisClient

/// One connection of a user as its record says: `holder since address session mark`.
struct ConnectionField {
    let id: String
    let holder: Holder
    let since: Int64
    let address: String?
    let session: SessionID?

    /// Nil where it is none, or in its grace.
    init?(id: String?, record: String?) {
        let fields = record?.split(separator: " ") ?? []
        guard let id, fields.count == 5, let holder = Holder(String(fields[0])), let since = Int64(fields[1]) else {
            return nil
        }
        self.id = id
        self.holder = holder
        self.since = since
        address = fields[2] == "-" ? nil : String(fields[2])
        session = SessionID(String(fields[3]))
    }

    /// The rooms that a session remembers for this connection; none where it names another.
    static func rooms(of id: String, in session: RedisReply) -> [RoomName] {
        var rooms: [RoomName] = []
        var connection: String?
        for index in stride(from: 0, to: session.count - 1, by: 2) {
            guard let field = session[index].string else { continue }
            if field == "connection" { connection = session[index + 1].string }
            if field.hasPrefix("room:") { rooms.append(RoomName(unchecked: String(field.dropFirst(5)))) }
        }
        return connection == id ? rooms.sorted { $0.string < $1.string } : []
    }
}
