import GatewayCore
import RedisClient

/// An entry of a partition's ledger: `t` type, `u` user, `r` room, `c` cause, by the presence scripts; with a message, by
/// `publish`, `e` epoch, `q` seq, `m` timestamp and `b` body as well.
package struct LedgerEntry: Sendable {
    package let id: String
    package private(set) var type: String?
    private(set) var user: String?
    private(set) var room: String?
    private(set) var cause: String?
    private(set) var epoch: String?
    private(set) var seq: Int?
    private(set) var timestamp: Int64?
    /// What a change in a governed room says besides, a JSON object.
    private(set) var details: [UInt8]?
    /// As the call said that caused it.
    private(set) var traceparent: String?
    /// The message's, not yet read.
    private(set) var body: RedisReply?

    /// Fields that are not known are passed over; empty ones are as good as none.
    init(id: String, fields: [(name: RedisReply, value: RedisReply)]) {
        self.id = id
        for (name, value) in fields {
            switch name.string {
            case "t": type = value.string.nonEmpty
            case "u": user = value.string.nonEmpty
            case "r": room = value.string.nonEmpty
            case "c": cause = value.string.nonEmpty
            case "e": epoch = value.string.nonEmpty
            case "q": seq = value.integer.map(Int.init)
            case "m": timestamp = value.integer
            case "b": body = value
            case "d": details = value.bytes
            case "w": traceparent = value.string.nonEmpty
            default: break
            }
        }
    }
}

extension String? {
    /// Nil in place of an empty text.
    var nonEmpty: String? { self == "" ? nil : self }
}
