import Foundation
import Synchronization
import TestSupport

/// A Redis with two replicas under three sentinels.
package final class SentinelGroup: Sendable {
    package static let name = "primary"

    package struct Options: Sendable {
        /// Of Redis.
        package var password: String?
        package var sentinelPassword: String?
        /// No client hears what the sentinels announce.
        package var withholdsAnnouncements = false
        /// A folder with certificate.pem and key.pem: the sentinels speak TLS alone, to Redis too.
        package var certificates: String?

        package init() {}
    }

    /// The first of them is the primary at the start.
    package let servers: [RedisServerProcess]
    package let sentinels: [SentinelProcess]
    private let options: Options

    /// How nodes reach the primary.
    package var url: String { url(asking: sentinels) }

    /// The same by these sentinels.
    package func url(asking sentinels: [SentinelProcess], for name: String = name) -> String {
        url(askingAt: sentinels.map(\.port), for: name)
    }

    /// The same by whatever listens on these ports of 127.0.0.1.
    package func url(askingAt ports: [Int], for name: String = name) -> String {
        let credentials = options.password.map { ":\($0)@" } ?? ""
        let places = ports.map { "127.0.0.1:\($0)" }.joined(separator: ",")
        let query = options.sentinelPassword.map { "?sentinelPassword=\($0)" } ?? ""
        return "redis+sentinel://\(credentials)\(places)/\(name)\(query)"
    }

    package static func start(_ options: Options = Options()) async throws -> SentinelGroup {
        var redis = RedisServerProcess.Options()
        redis.listensOnTCP = true
        redis.password = options.password
        redis.arguments = ["--repl-diskless-sync-delay", "0"]
        if let password = options.password { redis.arguments += ["--masterauth", password] }
        let servers = [
            try RedisServerProcess(redis), try RedisServerProcess(redis), try RedisServerProcess(redis),
        ]
        let ports = servers.compactMap(\.port)
        for replica in servers[1...] {
            _ = try await replica.cli("REPLICAOF", "127.0.0.1", "\(ports[0])")
            try await eventually("the replica's sync") {
                try await replica.cli("INFO", "replication").contains("master_link_status:up")
            }
        }
        let sentinels = try (0..<3).map { _ in try SentinelProcess(of: ports[0], options) }
        let group = SentinelGroup(servers: servers, sentinels: sentinels, options: options)
        try await group.agreed()
        return group
    }

    private init(servers: [RedisServerProcess], sentinels: [SentinelProcess], options: Options) {
        self.servers = servers
        self.sentinels = sentinels
        self.options = options
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
            // Sentinel cuts all clients as it makes it one, this too.
            guard let text = try? await server.cli("INFO", "replication") else { return false }
            return text.contains("role:slave")
        }
    }

    package func stop() {
        for sentinel in sentinels { sentinel.stop() }
        for server in servers { server.stop() }
    }

    /// Waits until each sentinel knows both others and both replicas: a failover needs them.
    private func agreed() async throws {
        for sentinel in sentinels {
            try await eventually("the sentinels' knowing each other", within: .seconds(60)) {
                // It may not listen yet.
                guard let text = try? await sentinel.cli("SENTINEL", "MASTER", Self.name) else { return false }
                let lines = text.split(whereSeparator: \.isNewline)
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
