/// The request that used a backend's idempotency key first, as Redis remembers it: `digest id`.
package struct IdempotentRequest: Hashable, Sendable {
    /// Of what was asked for.
    package let digest: String
    /// Under which it went.
    package let id: String

    package init(digest: String, id: String) {
        self.digest = digest
        self.id = id
    }

    /// Nil where the text is not what `text` spells.
    package init?(_ text: String) {
        let fields = text.split(separator: " ")
        guard fields.count == 2 else { return nil }
        self.init(digest: String(fields[0]), id: String(fields[1]))
    }

    package var text: String { "\(digest) \(id)" }
}
