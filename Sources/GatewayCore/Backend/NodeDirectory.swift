/// One live node, as its last beat described it.
package struct NodeEntry: Hashable, Sendable {
    package var nodeId: String
    package var incarnation: Int64
    /// Milliseconds since 1970 by Redis's clock.
    package var startedAt: Int64
    package var load: NodeLoad
    package var version: String
    /// Why it takes no new clients just now, as its `/readyz` says; nil where it is ready.
    package var reason: String?

    package init(
        nodeId: String, incarnation: Int64, startedAt: Int64, load: NodeLoad, version: String, reason: String? = nil
    ) {
        self.nodeId = nodeId
        self.incarnation = incarnation
        self.startedAt = startedAt
        self.load = load
        self.version = version
        self.reason = reason
    }
}

/// The load of a node.
package struct NodeLoad: Hashable, Sendable {
    package var connections: Int
    /// Rooms with at least one local member.
    package var rooms: Int
    /// Processor seconds used a second, in all threads: 1.0 is one core.
    package var processor: Double
    /// It sends its clients away, since it ends.
    package var isDraining: Bool

    package init(connections: Int, rooms: Int, processor: Double, isDraining: Bool = false) {
        self.connections = connections
        self.rooms = rooms
        self.processor = processor
        self.isDraining = isDraining
    }
}

/// A directory of the live nodes, and of what they share.
package protocol NodeDirectory: Sendable {
    /// Nil where nothing of it has been reached yet.
    var store: StoreDescription? { get }
    /// The live nodes, by name.
    func nodes() async throws(BackendError) -> [NodeEntry]
}
