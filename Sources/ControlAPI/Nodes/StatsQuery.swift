import Dialects
import GatewayCore
import Hummingbird

/// `GET /v1/stats`: the totals over all nodes, and what they share.
struct StatsQuery: Sendable {
    /// Lists are asked for a single entry, since each comes with its total. Of a Cluster, a part of which is away, the totals
    /// are left out that cannot be had: what is away is what one asks for then.
    func answer(from nodes: any NodeDirectory, _ presence: any PresenceDirectory) async throws -> Response {
        async let live = nodes.nodes()
        async let users = presence.users(limit: 1, cursor: nil).total
        async let rooms = presence.rooms(limit: 1, cursor: nil).total
        guard let store = nodes.store else { throw BackendError.unavailable(reason: "Redis has not been met") }
        let isInPart = store.topology == "cluster" && store.shards.contains(where: \.answers)
        let (entries, userCount, roomCount): ([NodeEntry]?, Int?, Int?)
        if isInPart {
            // Why it is not known, the shards say.
            (entries, userCount, roomCount) = (try? await live, try? await users, try? await rooms)
        } else {
            (entries, userCount, roomCount) = (try await live, try await users, try await rooms)
        }
        var answer: [UInt8] = []
        JSONWriter.append("{", to: &answer)
        if let entries {
            JSONWriter.append(#""nodes":"#, to: &answer)
            JSONWriter.append(integer: entries.count, to: &answer)
            JSONWriter.append(#","connections":"#, to: &answer)
            JSONWriter.append(integer: entries.reduce(0) { $0 + $1.load.connections }, to: &answer)
            JSONWriter.append(",", to: &answer)
        }
        if let userCount {
            JSONWriter.append(#""users":"#, to: &answer)
            JSONWriter.append(integer: userCount, to: &answer)
            JSONWriter.append(",", to: &answer)
        }
        if let roomCount {
            JSONWriter.append(#""rooms":"#, to: &answer)
            JSONWriter.append(integer: roomCount, to: &answer)
            JSONWriter.append(",", to: &answer)
        }
        if let entries {
            JSONWriter.append(#""load":"#, to: &answer)
            JSONWriter.append(thousandths: entries.reduce(0) { $0 + $1.load.processor }, to: &answer)
            JSONWriter.append(",", to: &answer)
        }
        JSONWriter.append(#""redis":"#, to: &answer)
        StatsQuery.append(store, to: &answer)
        JSONWriter.append("}", to: &answer)
        return .json(answer)
    }

    private static func append(_ store: StoreDescription, to answer: inout [UInt8]) {
        JSONWriter.append(#"{"kind":"#, to: &answer)
        JSONWriter.append(string: store.kind.rawValue, to: &answer)
        JSONWriter.append(#","version":"#, to: &answer)
        JSONWriter.append(string: store.version, to: &answer)
        JSONWriter.append(#","topology":"#, to: &answer)
        JSONWriter.append(string: store.topology, to: &answer)
        JSONWriter.append(#","shards":["#, to: &answer)
        for (number, shard) in store.shards.enumerated() {
            if number > 0 { JSONWriter.append(",", to: &answer) }
            JSONWriter.append(#"{"address":"#, to: &answer)
            JSONWriter.append(string: shard.address, to: &answer)
            JSONWriter.append(#","partitions":"#, to: &answer)
            JSONWriter.append(integer: shard.partitions, to: &answer)
            JSONWriter.append(#","answers":"#, to: &answer)
            JSONWriter.append(shard.answers ? "true" : "false", to: &answer)
            JSONWriter.append("}", to: &answer)
        }
        JSONWriter.append("]}", to: &answer)
    }
}
