import Foundation
import TestSupport

extension ClusterGroup {
    /// Has a replica take over from the shard's primary, which hands over all it has; answers which when all agree.
    package func failOver(_ shard: Int) async throws -> ClusterServer {
        let old = try await primary(ofShard: shard)
        guard let replica = shards[shard].first(where: { $0.process.isAwake && $0.id != old.id }) else {
            throw RedisServerProcess.Failure(description: "shard \(shard) has no replica that is up")
        }
        let limit = ContinuousClock.now + .seconds(60)
        while true {
            try await replica.process.ask("CLUSTER", "FAILOVER")
            do {
                // The servers give it up after 5 s: they vote for a shard once in two node timeouts.
                try await eventually("the replica's promotion", within: .seconds(6)) {
                    try await replica.process.ask("ROLE").items.first?.text == "master"
                }
                break
            } catch let error as NeverHappened {
                guard ContinuousClock.now < limit else { throw error }
            }
        }
        try await agreed()
        return replica
    }

    /// Has a replica that is up take the place of the shard's primary at once, with what it has and without asking anybody; answers
    /// which. The others may not have heard of it yet.
    package func takeOver(_ shard: Int, from old: ClusterServer) async throws -> ClusterServer {
        guard let replica = shards[shard].first(where: { $0.process.isAwake && $0.id != old.id }) else {
            throw RedisServerProcess.Failure(description: "shard \(shard) has no replica that is up")
        }
        try await replica.process.ask("CLUSTER", "FAILOVER", "TAKEOVER")
        try await eventually("the replica's promotion") {
            try await replica.process.ask("ROLE").items.first?.text == "master"
        }
        return replica
    }

    /// Returns when the replicas of a shard have all that its primary has taken so far.
    package func caughtUp(_ shard: Int) async throws {
        let primary = try await primary(ofShard: shard)
        // Of a primary the second item is where its stream stands, of a replica the fifth.
        let offset = try await primary.process.ask("ROLE").items[1].number ?? 0
        for replica in shards[shard] where replica.id != primary.id && replica.process.isAwake {
            try await eventually("the replica's sync") {
                let role = try await replica.process.ask("ROLE").items
                return role.count > 4 && role[4].number.map { $0 >= offset } == true
            }
        }
    }

    /// Ends one as a crash would, and returns when all others agree that it is gone, and on its successor where it was a
    /// primary; to act before that, kill its process and wait for `agreed` or `promoted(after:)`.
    package func kill9(_ server: ClusterServer) async throws {
        server.process.kill9()
        try await agreed()
    }

    /// Holds one, its connections left open, and returns when all others agree that it is gone.
    package func pause(_ server: ClusterServer) async throws {
        server.process.pause()
        try await agreed()
    }

    /// Lets one go on that was held, and returns when all agree, it as a replica where another took its place.
    package func resume(_ server: ClusterServer) async throws {
        server.process.resume()
        try await agreed()
    }

    /// Starts one again on the ports that it had, and returns when all agree. Without its data it comes back empty, as has one
    /// that keeps none on disk (`appendOnly`).
    package func restart(_ server: ClusterServer, keepingData: Bool = true) async throws {
        try server.process.restart(keepingData: keepingData)
        try await agreed()
    }

    /// Waits until another has taken the place of a primary that is killed or held, and all agree; answers which.
    package func promoted(after server: ClusterServer) async throws -> ClusterServer {
        try await agreed()
        return try await primary(ofShard: server.shard)
    }

    /// Has one shard ask another password than all the rest from now on; connections there are stay.
    package func setPassword(_ password: String, ofShard shard: Int) async throws {
        for server in shards[shard] {
            try await server.process.ask("CONFIG", "SET", "masterauth", password)
            try await server.process.setPassword(password)
        }
    }

    /// Some of the servers, with the nodes on their side.
    package struct Side: Sendable {
        package let servers: [ClusterServer]
        /// What their links are called, such as `martlet:gateway-a`.
        package let nodes: [String]

        package init(_ servers: [ClusterServer], nodes: [String] = []) {
            self.servers = servers
            self.nodes = nodes
        }
    }

    /// Parts the network (of a group that `isSeverable`): nothing passes between the two sides any more, whose connections
    /// stay open; nodes that neither side names reach all. Returns at once.
    package func sever(_ side: Side, from other: Side) async throws {
        for (here, there) in [(side, other), (other, side)] {
            for server in here.servers { try await server.sever(from: there.servers, nodes: there.nodes) }
        }
    }

    /// Joins the network again, and returns when all agree.
    package func mend() async throws {
        for server in servers { try await server.mend() }
        try await agreed()
    }
}
