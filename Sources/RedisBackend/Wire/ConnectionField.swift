import GatewayCore

/// One connection of a user as its record says: `holder since secret`, and ` !` once it is to be closed; since in
/// base 36, the secret its session's.
package struct ConnectionField: Sendable {
    package let id: String
    package let holder: Holder
    package let since: Int64
    package let session: SessionID?

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
