/// One incarnation of a node: who holds a connection. `node:incarnation` in Redis.
package struct Holder: Hashable, Sendable, CustomStringConvertible {
    package let node: String
    package let incarnation: Int64

    package init(node: String, incarnation: Int64) {
        self.node = node
        self.incarnation = incarnation
    }

    /// Nil where the text is no holder; names of nodes have no colon.
    package init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty, let incarnation = Int64(parts[1]) else { return nil }
        self.init(node: String(parts[0]), incarnation: incarnation)
    }

    package var description: String { "\(node):\(incarnation)" }
}
