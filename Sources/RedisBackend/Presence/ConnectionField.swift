import GatewayCore
import RedisClient

/// One connection of a user as its record says: `holder since secret`, and ` !` once it is to be closed; since in
/// base 36, the secret its session's.
struct ConnectionField {
    let id: String
    let holder: Holder
    let since: Int64
    let session: SessionID?

    /// Nil where it is none, or in its grace.
    init?(id: String?, record: String?, of user: UserID) {
        let fields = record?.split(separator: " ") ?? []
        guard let id, fields.count >= 3, let holder = Holder(String(fields[0])), let since = Int64(fields[1], radix: 36)
        else { return nil }
        self.id = id
        self.holder = holder
        self.since = since
        session = SessionID(secret: fields[2], of: user)
    }
}

/// What a session remembers of its connection.
struct SessionFields {
    private(set) var connection: String?
    private(set) var address: String?
    private(set) var rooms: [RoomName] = []

    /// The answer of HGETALL.
    init(_ reply: RedisReply) {
        for index in stride(from: 0, to: reply.count - 1, by: 2) {
            guard let field = reply[index].string else { continue }
            switch field {
            case "c": connection = reply[index + 1].string
            case "a": address = reply[index + 1].string
            case _ where field.hasPrefix("r:"): rooms.append(RoomName(unchecked: String(field.dropFirst(2))))
            default: break
            }
        }
        rooms.sort { $0.string < $1.string }
    }
}
