import Foundation

/// One server of a Cluster.
package final class ClusterServer: Sendable {
    package let process: RedisServerProcess
    /// By which the servers call each other.
    package let id: String
    /// The number of its shard, whichever of its servers is the primary.
    package let shard: Int
    /// What the others and the nodes are told: its own ports, or its ways'.
    package let port: Int
    let busPort: Int
    private let ways: Ways?

    /// What lies before its two ports where the network can be severed.
    private struct Ways {
        let client: FaultProxy
        let bus: FaultProxy
    }

    static func start(ofShard shard: Int, _ options: ClusterGroup.Options) async throws -> ClusterServer {
        var redis = RedisServerProcess.Options()
        redis.engine = options.engine
        redis.listensOnTCP = true
        redis.isClusterServer = true
        redis.appendOnly = options.appendOnly
        redis.password = options.password
        redis.arguments = options.settings
        var ways: Ways?
        if options.isSeverable {
            // They are led to the server once it is there.
            let nowhere = FaultProxy.Endpoint.unix(path: "/nowhere")
            let (client, bus) = (
                try await FaultProxy.start(target: nowhere), try await FaultProxy.start(target: nowhere)
            )
            ways = Ways(client: client, bus: bus)
            redis.arguments += [
                "--cluster-announce-ip", "127.0.0.1", "--cluster-announce-port", "\(client.port)",
                "--cluster-announce-bus-port", "\(bus.port)",
            ]
        }
        let process = try RedisServerProcess(redis)
        guard let port = process.port, let busPort = process.busPort,
            let id = try await process.ask("CLUSTER", "MYID").text
        else { throw RedisServerProcess.Failure(description: "no server of a Cluster") }
        try await ways?.client.redirect(to: .tcp(host: "127.0.0.1", port: port))
        try await ways?.bus.redirect(to: .tcp(host: "127.0.0.1", port: busPort))
        return ClusterServer(
            process, id: id, shard: shard, port: ways?.client.port ?? port, busPort: ways?.bus.port ?? busPort, ways)
    }

    private init(_ process: RedisServerProcess, id: String, shard: Int, port: Int, busPort: Int, _ ways: Ways?) {
        self.process = process
        self.id = id
        self.shard = shard
        self.port = port
        self.busPort = busPort
        self.ways = ways
    }

    /// Whether it takes itself for one of a majority, and so serves its slots.
    package func isServing() async throws -> Bool {
        try await process.ask("CLUSTER", "INFO").text?.contains("cluster_state:ok") == true
    }

    /// Takes nothing more from these servers and from the nodes whose links bear these names.
    func sever(from servers: [ClusterServer], nodes: [String]) async throws {
        guard let ways else {
            throw RedisServerProcess.Failure(description: "the group was not started as one that can be severed")
        }
        // A replica says its own port to its primary, a node its name.
        let ports = servers.compactMap { $0.process.port.map { "listening-port\r\n$\("\($0)".count)\r\n\($0)\r\n" } }
        let words = ports + nodes.map { "\r\n\($0)\r\n" }
        try await ways.client.drop { beginning in
            let text = String(decoding: beginning, as: UTF8.self)
            return words.contains { text.contains($0) }
        }
        let ids = Set(servers.map { Array($0.id.utf8)[...] })
        // Where the sender stands in each message of the bus (clusterMsg in cluster.h).
        try await ways.bus.drop { $0.count >= 80 && ids.contains($0[40..<80]) }
    }

    /// Takes everything again; the connections that were severed are closed, since bytes of them are gone.
    func mend() async throws {
        try await ways?.client.dropNothing()
        try await ways?.bus.dropNothing()
    }

    func stop() async throws {
        process.stop()
        try await ways?.client.stop()
        try await ways?.bus.stop()
    }
}
