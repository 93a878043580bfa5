import GatewayCore

/// What a node says of itself in its entry of the index: `startedAt connections rooms processor version`.
enum NodeDescription {
    static func encode(startedAt: Int64, load: NodeLoad, version: String) -> String {
        let processor = (load.processor * 1000).rounded() / 1000
        return "\(startedAt) \(load.connections) \(load.rooms) \(processor) \(version)"
    }

    /// An entry of the index, `instance incarnation lease-end description`; nil where it is not one, or its lease has
    /// ended before `now` (milliseconds by Redis's clock).
    static func liveNode(_ nodeId: String, entry: String, now: Int64) -> NodeEntry? {
        let fields = entry.split(separator: " ")
        guard fields.count == 8, let incarnation = Int64(fields[1]), let end = Int64(fields[2]), end > now,
            let startedAt = Int64(fields[3]), let connections = Int(fields[4]), let rooms = Int(fields[5]),
            let processor = Double(fields[6])
        else { return nil }
        return NodeEntry(
            nodeId: nodeId, incarnation: incarnation, startedAt: startedAt,
            load: NodeLoad(connections: connections, rooms: rooms, processor: processor), version: String(fields[7]))
    }
}
