/// Of what kind those are who spend.
package enum SpenderKind: String, Sendable, CaseIterable {
    case users, rooms, addresses
}

/// Somebody, or a room, or an address, and what was spent there in the last minute.
package struct Spender: Hashable, Sendable {
    package var name: String
    package var spending: Spending

    package init(name: String, spending: Spending) {
        self.name = name
        self.spending = spending
    }
}

/// A directory of those who spend most, on all nodes together.
package protocol SpenderDirectory: Sendable {
    /// As the nodes last told, at most some seconds ago: of each at least those who are first by any measure. In no order.
    func spenders(_ kind: SpenderKind) async throws(BackendError) -> [Spender]
}
