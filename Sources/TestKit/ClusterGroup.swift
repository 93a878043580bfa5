import Foundation
import Synchronization
import TestSupport

/// A Redis Cluster or Valkey Cluster of real servers on 127.0.0.1, with the slots in even ranges as `redis-cli --cluster
/// create` gives them.
///
/// What is said to return "when all agree" waits until every server that is awake says that the Cluster is well, tells the
/// same of all slots, and each replica follows its shard's primary.
package final class ClusterGroup: Sendable {
    package struct Options: Sendable {
        package var engine = RedisServerProcess.Engine.redis
        package var shards = 3
        /// Of each primary.
        package var replicas = 1
        /// After which one that does not answer is suspected, in whole milliseconds.
        package var nodeTimeout = Duration.milliseconds(1000)
        package var requiresFullCoverage = false
        package var allowsPubSubWhenDown = false
        package var minReplicasToWrite = 0
        package var appendOnly = false
        package var password: String?
        /// With a proxy before each server's two ports, so that `sever` can part them and the nodes.
        package var isSeverable = false
        /// Whether the servers name their host to clients. Those that do not are dialled by the host at which a client asked, each
        /// at its own port: so whoever is given a loopback address of its own, with a proxy for each port there, reaches them
        /// by these alone.
        package var namesHosts = true
        /// Further arguments of each server.
        package var arguments: [String] = []

        package init() {}

        var settings: [String] {
            [
                "--cluster-node-timeout", "\(Int(nodeTimeout / .milliseconds(1)))",
                "--cluster-require-full-coverage", requiresFullCoverage ? "yes" : "no",
                "--cluster-allow-pubsubshard-when-down", allowsPubSubWhenDown ? "yes" : "no",
                "--min-replicas-to-write", "\(minReplicasToWrite)", "--min-replicas-max-lag", "3",
                // A shard keeps its servers.
                "--cluster-allow-replica-migration", "no",
                "--repl-diskless-sync-delay", "0",
                // A replica is listed once it has heard of a position, and nothing may be written for long.
                "--repl-ping-replica-period", "1",
            ] + (namesHosts ? [] : ["--cluster-preferred-endpoint-type", "unknown-endpoint"]) + arguments
        }
    }

    package let options: Options
    private let members = Mutex<[[ClusterServer]]>([])

    /// The servers of each shard; the first was its first primary. Of a shard that was removed there are none.
    package var shards: [[ClusterServer]] { members.withLock { $0 } }

    package var servers: [ClusterServer] { shards.flatMap { $0 } }

    /// Those that are up and not held.
    package var awake: [ClusterServer] { servers.filter(\.process.isAwake) }

    /// How nodes reach the Cluster, by any of its servers.
    package var url: String { url(seeds: servers) }

    /// The same by these servers.
    package func url(seeds: [ClusterServer]) -> String { url(seedsAt: seeds.map(\.port)) }

    /// The same by whatever listens on these ports of 127.0.0.1.
    package func url(seedsAt ports: [Int]) -> String {
        let credentials = options.password.map { ":\($0)@" } ?? ""
        return "redis+cluster://\(credentials)" + ports.map { "127.0.0.1:\($0)" }.joined(separator: ",")
    }

    package static func start(_ options: Options = Options()) async throws -> ClusterGroup {
        let group = ClusterGroup(options)
        for _ in 0..<options.shards { try await group.startShard() }
        let width = Double(16_384) / Double(options.shards)
        for (number, servers) in group.shards.enumerated() {
            let first = Int((Double(number) * width).rounded())
            let last = Int((Double(number + 1) * width).rounded()) - 1
            try await servers[0].process.ask("CLUSTER", "ADDSLOTSRANGE", "\(first)", "\(last)")
        }
        for (number, server) in group.servers.enumerated() {
            // Only of one that knows nobody.
            try await server.process.ask("CLUSTER", "SET-CONFIG-EPOCH", "\(number + 1)")
        }
        for (number, server) in group.servers.enumerated() {
            try await group.introduce(server, to: group.servers[(number + 1)...])
        }
        for servers in group.shards { try await group.replicate(servers) }
        try await group.agreed()
        return group
    }

    private init(_ options: Options) {
        self.options = options
    }

    /// Ends all servers and removes their folders.
    package func stop() async throws {
        for server in servers { try await server.stop() }
    }

    // MARK: Who is where

    /// The slot of all keys with this hash tag, such as `nodes`.
    package func slot(of tag: String) async throws -> Int {
        try await slots(of: [tag])[0]
    }

    package func slots(of tags: [String]) async throws -> [Int] {
        guard let server = awake.first else { throw RedisServerProcess.Failure(description: "no server is up") }
        return try await server.process.ask(tags.map { ["CLUSTER", "KEYSLOT", "{\($0)}"] }).compactMap(\.number)
    }

    /// The server that most of those awake name for this slot.
    package func primary(of slot: Int) async throws -> ClusterServer {
        var votes: [String: Int] = [:]
        for server in awake {
            let view = ClusterView(try await server.process.ask("CLUSTER", "SLOTS"))
            if let id = view.primary(of: slot) { votes[id, default: 0] += 1 }
        }
        let chosen = votes.max { $0.value < $1.value }?.key
        guard let server = servers.first(where: { $0.id == chosen }) else {
            throw RedisServerProcess.Failure(description: "slot \(slot) is nobody's")
        }
        return server
    }

    /// The server of a shard that takes itself for its primary.
    package func primary(ofShard shard: Int) async throws -> ClusterServer {
        for server in shards[shard] where server.process.isAwake {
            if try await server.process.ask("ROLE").items.first?.text == "master" { return server }
        }
        throw RedisServerProcess.Failure(description: "shard \(shard) has no primary")
    }

    // MARK: Agreement

    /// Returns when all agree.
    package func agreed(within limit: Duration = .seconds(60)) async throws {
        let reason = Mutex("")
        do {
            try await eventually("the servers' agreement", within: limit) {
                let found = try await self.disagreement()
                reason.withLock { $0 = found ?? "" }
                return found == nil
            }
        } catch let error as NeverHappened {
            throw NeverHappened(description: "\(error.description): \(reason.withLock { $0 })")
        }
    }

    /// What keeps the servers that are awake from agreeing.
    private func disagreement() async throws -> String? {
        let (awake, all) = (awake, servers)
        var roles: [String: [RedisAnswer]] = [:]
        var view: ClusterView?
        for server in awake {
            let answers = try await server.process.ask([
                ["CLUSTER", "INFO"], ["CLUSTER", "SLOTS"], ["ROLE"],
            ])
            let info = answers[0].text ?? ""
            guard info.contains("cluster_state:ok\r\n") else { return "\(server.port) says that the Cluster is down" }
            guard info.contains("cluster_known_nodes:\(all.count)\r\n") else {
                return "\(server.port) does not know all \(all.count)"
            }
            let seen = ClusterView(answers[1])
            guard seen == view ?? seen else { return "\(server.port) sees the slots in other places than others do" }
            view = seen
            roles[server.id] = answers[2].items
        }
        for (number, servers) in shards.enumerated() {
            let up = servers.filter { roles[$0.id] != nil }
            guard !up.isEmpty else { continue }
            let primaries = up.filter { roles[$0.id]?.first?.text == "master" }
            guard let primary = primaries.first, primaries.count == 1 else {
                return "shard \(number) has \(primaries.count) primaries"
            }
            let replicas = up.filter { $0.id != primary.id }
            for replica in replicas {
                let role = roles[replica.id] ?? []
                guard role.count > 3, role[2].number == primary.port, role[3].text == "connected" else {
                    return "\(replica.port) does not follow the primary of shard \(number)"
                }
            }
            let ids = Set(servers.map(\.id))
            for range in view?.ranges ?? [] where ids.contains(range.primary) {
                guard range.primary == primary.id, range.replicas == Set(replicas.map(\.id)) else {
                    return "slots from \(range.slots.lowerBound) on are not with all that shard \(number) has"
                }
            }
        }
        return nil
    }

    // MARK: Shards

    /// Starts another shard, which has no slots; answers its number when all agree.
    package func addShard() async throws -> Int {
        let others = awake
        let servers = try await startShard()
        for (number, server) in servers.enumerated() {
            try await introduce(server, to: others + servers[(number + 1)...])
        }
        try await replicate(servers)
        try await agreed()
        return servers[0].shard
    }

    /// Ends a shard that has no slots any more, and has all others forget it; returns when they agree.
    func forgetShard(_ number: Int) async throws {
        let gone = members.withLock { members in
            defer { members[number] = [] }
            return members[number]
        }
        for server in gone { try await server.stop() }
        for server in awake {
            // What one has not heard of, or another has made it forget, need not be forgotten.
            _ = try await server.process.ask(gone.map { ["CLUSTER", "FORGET", $0.id] })
        }
        try await agreed()
    }

    @discardableResult
    private func startShard() async throws -> [ClusterServer] {
        let number = shards.count
        var servers: [ClusterServer] = []
        for _ in 0...options.replicas { servers.append(try await .start(ofShard: number, options)) }
        members.withLock { [servers] in $0.append(servers) }
        return servers
    }

    private func introduce(_ server: ClusterServer, to others: some Collection<ClusterServer>) async throws {
        _ = try await server.process.ask(
            others.map { ["CLUSTER", "MEET", "127.0.0.1", "\($0.port)", "\($0.busPort)"] })
    }

    /// Has all but the first follow it.
    private func replicate(_ servers: [ClusterServer]) async throws {
        for replica in servers.dropFirst() {
            try await eventually("the replica's knowing its primary") {
                try await replica.process.ask([["CLUSTER", "REPLICATE", servers[0].id]]) == [.text("OK")]
            }
        }
    }
}
