import GatewayCore

/// What a node says of itself in its entry of the index, as `name=value`, so that releases can say more and less.
enum NodeDescription {
    static func encode(startedAt: Int64, load: NodeLoad, version: String) -> String {
        let processor = (load.processor * 1000).rounded() / 1000
        return "started=\(startedAt) connections=\(load.connections) rooms=\(load.rooms) processor=\(processor)"
            + " version=\(version)"
    }

    /// An entry of the index, `instance incarnation lease-end`, then what the node says; nil where it is not one, or its lease has
    /// ended before `now` (milliseconds by Redis's clock).
    static func liveNode(_ nodeId: String, entry: String, now: Int64) -> NodeEntry? {
        let fields = entry.split(separator: " ")
        guard fields.count > 3, let incarnation = Int64(fields[1]), let end = Int64(fields[2]), end > now else {
            return nil
        }
        var said: [Substring: Substring] = [:]
        for field in fields.dropFirst(3) {
            guard let sign = field.firstIndex(of: "=") else { continue }
            said[field[..<sign]] = field[field.index(after: sign)...]
        }
        guard let startedAt = said["started"].flatMap({ Int64($0) }),
            let connections = said["connections"].flatMap({ Int($0) }), let rooms = said["rooms"].flatMap({ Int($0) }),
            let processor = said["processor"].flatMap({ Double($0) }), let version = said["version"]
        else { return nil }
        return NodeEntry(
            nodeId: nodeId, incarnation: incarnation, startedAt: startedAt,
            load: NodeLoad(connections: connections, rooms: rooms, processor: processor), version: String(version))
    }
}
