/// The request that used a backend's idempotency key first, as Redis remembers it: `digest id`.
struct IdempotentRequest: Hashable, Sendable {
    /// Of what was asked for.
    let digest: String
    /// Under which it went.
    let id: String

    init(digest: String, id: String) {
        self.digest = digest
        self.id = id
    }

    /// Nil where the text is not what `text` spells.
    init?(_ text: String) {
        let fields = text.split(separator: " ")
        guard fields.count == 2 else { return nil }
        self.init(digest: String(fields[0]), id: String(fields[1]))
    }

    var text: String { "\(digest) \(id)" }
}
