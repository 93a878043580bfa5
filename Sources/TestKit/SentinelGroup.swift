import Foundation
import Synchronization
import TestSupport

/// A Redis with two replicas under three sentinels, and a way to the primary that follows what most of the sentinels say, as
/// a proxy in front of them does: new connections are led there, those that are open stay where they are.
package final class SentinelGroup: Sendable {
    private static let name = "primary"

    /// The first of them is the primary at the start.
    package let servers: [RedisServerProcess]
    private let sentinels: [SentinelProcess]
    private let way: FaultProxy
    private let follower: Task<Void, Never>

    /// How nodes reach the primary.
    package var url: String { "redis://127.0.0.1:\(way.port)" }

    package static func start() async throws -> SentinelGroup {
        var options = RedisServerProcess.Options()
        options.listensOnTCP = true
        options.arguments = ["--repl-diskless-sync-delay", "0"]
        let servers = [
            try RedisServerProcess(options), try RedisServerProcess(options), try RedisServerProcess(options),
        ]
        let ports = servers.compactMap(\.port)
        for replica in servers[1...] {
            _ = try await replica.cli("REPLICAOF", "127.0.0.1", "\(ports[0])")
            try await eventually("the replica's sync") {
                try await replica.cli("INFO", "replication").contains("master_link_status:up")
            }
        }
        let sentinels = try (0..<3).map { _ in try SentinelProcess(of: name, port: ports[0]) }
        let way = try await FaultProxy.start(target: .tcp(host: "127.0.0.1", port: ports[0]))
        let follower = Task {
            var led = ports[0]
            while !Task.isCancelled {
                if let port = await primaryPort(by: sentinels), port != led {
                    try? await way.redirect(to: .tcp(host: "127.0.0.1", port: port))  // Only where the way is stopped.
                    led = port
                }
                try? await ContinuousClock().sleep(for: .milliseconds(200))  // Cancelled at the end.
            }
        }
        let group = SentinelGroup(servers: servers, sentinels: sentinels, way: way, follower: follower)
        try await group.agreed()
        return group
    }

    private init(
        servers: [RedisServerProcess], sentinels: [SentinelProcess], way: FaultProxy, follower: Task<Void, Never>
    ) {
        self.servers = servers
        self.sentinels = sentinels
        self.way = way
        self.follower = follower
    }

    /// Has the sentinels make another server the primary, and returns when most of them say so; answers which it is.
    package func failOver() async throws -> RedisServerProcess {
        _ = try await sentinels[0].cli("SENTINEL", "FAILOVER", Self.name)
        return try await promoted()
    }

    /// Waits for another primary than the first one, by most of the sentinels.
    package func promoted() async throws -> RedisServerProcess {
        let chosen = Mutex<RedisServerProcess?>(nil)
        try await eventually("another primary", within: .seconds(60)) {
            let port = await Self.primaryPort(by: self.sentinels)
            let server = self.servers[1...].first { $0.port == port }
            chosen.withLock { $0 = server }
            return server != nil
        }
        guard let server = chosen.withLock({ $0 }) else { throw NeverHappened(description: "another primary") }
        return server
    }

    /// Waits until a server that was the primary has become a replica of another.
    package func demoted(_ server: RedisServerProcess) async throws {
        try await eventually("the old primary's becoming a replica", within: .seconds(60)) {
            try await server.cli("INFO", "replication").contains("role:slave")
        }
    }

    package func stop() async throws {
        follower.cancel()
        await follower.value
        try await way.stop()
        for sentinel in sentinels { sentinel.stop() }
        for server in servers { server.stop() }
    }

    /// Waits until each sentinel knows both others and both replicas: a failover needs them.
    private func agreed() async throws {
        for sentinel in sentinels {
            try await eventually("the sentinels' knowing each other", within: .seconds(60)) {
                let lines = try await sentinel.cli("SENTINEL", "MASTER", Self.name).split(whereSeparator: \.isNewline)
                func value(of field: String) -> Substring? {
                    lines.firstIndex { $0 == field }.flatMap { $0 + 1 < lines.count ? lines[$0 + 1] : nil }
                }
                return value(of: "num-other-sentinels") == "2" && value(of: "num-slaves") == "2"
            }
        }
    }

    /// What two sentinels or more say; nil where they do not agree.
    private static func primaryPort(by sentinels: [SentinelProcess]) async -> Int? {
        var votes: [Int: Int] = [:]
        for sentinel in sentinels {
            // One that does not answer has no vote.
            let lines = try? await sentinel.cli("SENTINEL", "get-master-addr-by-name", name)
                .split(whereSeparator: \.isNewline)
            if let port = lines?.last.flatMap({ Int($0) }) { votes[port, default: 0] += 1 }
        }
        return votes.first { $0.value >= 2 }?.key
    }
}

/// One sentinel in a folder of its own, ended with its test or with its process.
private final class SentinelProcess: Sendable {
    private typealias Child = RedisServerProcess.ChildProcess

    private let folder: String
    private let port: Int
    private let child: WardedChild

    /// - Parameters:
    ///   - name: what it calls the primary, which listens on the port of 127.0.0.1.
    init(of name: String, port watched: Int) throws {
        folder = FileManager.default.temporaryDirectory.path + "/sentinel-test-\(UUID().uuidString.prefix(13))"
        port = try Child.freePort()
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
        let configuration = """
            port \(port)
            bind 127.0.0.1
            dir \(folder)
            logfile \(folder)/log
            sentinel monitor \(name) 127.0.0.1 \(watched) 2
            sentinel down-after-milliseconds \(name) 1000
            sentinel failover-timeout \(name) 10000
            """
        try configuration.write(toFile: folder + "/sentinel.conf", atomically: true, encoding: .utf8)
        child = try WardedChild(Child.spawn(["redis-server", folder + "/sentinel.conf", "--sentinel"]))
    }

    deinit { stop() }

    func cli(_ arguments: String...) async throws -> String {
        try await RedisServerProcess.cli(["-p", "\(port)"] + arguments)
    }

    func stop() {
        child.end()
        try? FileManager.default.removeItem(atPath: folder)  // A second stop finds no folder.
    }
}
