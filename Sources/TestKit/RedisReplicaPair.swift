import Foundation
import Synchronization
import TestSupport

/// A Redis with a replica, and for each node a way to one of the two that can be turned over by hand, as a failover does.
package final class RedisReplicaPair: Sendable {
    package let primary: RedisServerProcess
    package let replica: RedisServerProcess
    private let nextReplica = Mutex<RedisServerProcess?>(nil)
    private let ways: [FaultProxy]

    /// How each node reaches the primary, or the replica once its way was turned.
    package var urls: [String] { ways.map { "redis://127.0.0.1:\($0.port)" } }

    /// - Parameter nodes: how many ways there are.
    package static func start(nodes: Int) async throws -> RedisReplicaPair {
        var options = RedisServerProcess.Options()
        options.listensOnTCP = true
        options.arguments = ["--repl-diskless-sync-delay", "0"]
        let primary = try RedisServerProcess(options)
        guard let port = primary.port else { throw RedisServerProcess.Failure(description: "no TCP port") }
        let replica = try RedisServerProcess(options)
        _ = try await replica.cli("REPLICAOF", "127.0.0.1", "\(port)")
        var ways: [FaultProxy] = []
        for _ in 0..<nodes { ways.append(try await FaultProxy.start(target: .unix(path: primary.socketPath))) }
        let pair = RedisReplicaPair(primary: primary, replica: replica, ways: ways)
        try await pair.caughtUp()
        return pair
    }

    private init(primary: RedisServerProcess, replica: RedisServerProcess, ways: [FaultProxy]) {
        self.primary = primary
        self.replica = replica
        self.ways = ways
    }

    /// Returns when the replica has all that the primary has taken so far.
    package func caughtUp() async throws {
        let offset = try await number("master_repl_offset", of: primary)
        try await eventually("the replica's sync") {
            guard try await self.replica.cli("INFO", "replication").contains("master_link_status:up") else {
                return false
            }
            return try await self.number("slave_repl_offset", of: self.replica) >= offset
        }
    }

    /// Makes the replica a primary of its own: it gets nothing more of what the old one takes from now on.
    package func promote() async throws { _ = try await replica.cli("REPLICAOF", "NO", "ONE") }

    /// Makes the replica one again.
    package func demoteReplica() async throws {
        guard let port = primary.port else { throw RedisServerProcess.Failure(description: "no TCP port") }
        _ = try await replica.cli("REPLICAOF", "127.0.0.1", "\(port)")
        try await caughtUp()
    }

    /// Makes the old primary follow the promoted replica, and returns when it has that one's data in place of its own; its
    /// process and its clients' connections stay.
    package func demotePrimary() async throws {
        guard let port = replica.port else { throw RedisServerProcess.Failure(description: "no TCP port") }
        _ = try await primary.cli("REPLICAOF", "127.0.0.1", "\(port)")
        try await eventually("the old primary's sync") {
            try await self.primary.cli("INFO", "replication").contains("master_link_status:up")
        }
    }

    /// Makes the old primary one again, with the data that it followed.
    package func promotePrimary() async throws { _ = try await primary.cli("REPLICAOF", "NO", "ONE") }

    /// Takes a node, by its number, over to the replica and cuts what it has with the primary.
    package func turn(_ node: Int) async throws {
        try await redirect(node)
        try await ways[node].cutAll()
    }

    /// Leads new connections of a node, by its number, to the replica; those it has stay.
    package func redirect(_ node: Int) async throws {
        try await ways[node].redirect(to: .unix(path: replica.socketPath))
    }

    /// Lets nothing more of a node, by its number, come to its Redis.
    package func silence(_ node: Int) async throws { try await ways[node].treat(.toServer, .drop) }

    /// Cuts what a node, by its number, has with its Redis; it may come back at once.
    package func cut(_ node: Int) async throws { try await ways[node].cutAll() }

    /// Gives the replica, which was promoted before, one of its own; returns when that has all.
    package func replicatePromoted() async throws {
        guard let port = replica.port else { throw RedisServerProcess.Failure(description: "no TCP port") }
        let next = try RedisServerProcess()
        _ = try await next.cli("REPLICAOF", "127.0.0.1", "\(port)")
        try await eventually("the new replica's sync") {
            try await next.cli("INFO", "replication").contains("master_link_status:up")
        }
        nextReplica.withLock { $0 = next }
    }

    package func stop() async throws {
        for way in ways { try await way.stop() }
        primary.stop()
        replica.stop()
        nextReplica.withLock { $0 }?.stop()
    }

    private func number(_ field: String, of server: RedisServerProcess) async throws -> Int {
        let lines = try await server.cli("INFO", "replication").split(whereSeparator: \.isNewline)
        return lines.first { $0.hasPrefix(field + ":") }.flatMap { Int($0.dropFirst(field.count + 1)) } ?? 0
    }
}
