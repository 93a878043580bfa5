import Dialects
import GatewayCore
import Hummingbird

/// `GET /v1/stats`: the totals over all nodes.
struct StatsQuery: Sendable {
    /// Lists are asked for a single entry, since each comes with its total.
    func answer(from nodes: any NodeDirectory, _ presence: any PresenceDirectory) async throws -> Response {
        async let live = nodes.nodes()
        async let users = presence.users(limit: 1, cursor: nil)
        async let rooms = presence.rooms(limit: 1, cursor: nil)
        let entries = try await live
        let load = entries.reduce(0) { $0 + $1.load.processor }
        var answer: [UInt8] = []
        JSONWriter.append(#"{"nodes":"#, to: &answer)
        JSONWriter.append(integer: entries.count, to: &answer)
        JSONWriter.append(#","connections":"#, to: &answer)
        JSONWriter.append(integer: entries.reduce(0) { $0 + $1.load.connections }, to: &answer)
        JSONWriter.append(#","users":"#, to: &answer)
        JSONWriter.append(integer: try await users.total, to: &answer)
        JSONWriter.append(#","rooms":"#, to: &answer)
        JSONWriter.append(integer: try await rooms.total, to: &answer)
        JSONWriter.append(#","load":"#, to: &answer)
        JSONWriter.append(thousandths: load, to: &answer)
        JSONWriter.append("}", to: &answer)
        return .json(answer)
    }
}
