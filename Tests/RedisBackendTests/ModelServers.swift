import TestKit
import TestSupport

/// Two real servers, one of which has what the other has; which of them is the primary changes.
final class ModelServers {
    private(set) var primary: RedisServerProcess
    private(set) var replica: RedisServerProcess
    /// The way of whoever looks at what the primary holds.
    private let way: FaultProxy

    /// How the primary is reached, whichever it is.
    var url: String { "redis://127.0.0.1:\(way.port)" }

    init() async throws {
        var options = RedisServerProcess.Options()
        options.listensOnTCP = true
        options.hasSteppableClock = true
        // A step of the clock is no silence of the other.
        options.arguments = [
            "--repl-diskless-sync-delay", "0", "--repl-timeout", "1000000", "--enable-debug-command", "yes",
            "--enable-protected-configs", "yes",
        ]
        primary = try RedisServerProcess(options)
        replica = try RedisServerProcess(options)
        way = try await FaultProxy.start(target: .unix(path: primary.socketPath))
        try await follow()
    }

    /// Has the replica follow the primary, with that one's data in place of its own; returns when it has all.
    func follow() async throws {
        try await ModelServers.attach(replica, to: primary)
        try await caughtUp()
    }

    /// Returns when the replica has all that the primary has taken so far.
    func caughtUp() async throws {
        let (primary, replica) = (primary, replica)
        let offset = try await ModelServers.offset(primary, "master_repl_offset")
        try await eventually("the replica's sync") {
            guard try await replica.cli("INFO", "replication").contains("master_link_status:up") else { return false }
            return try await ModelServers.offset(replica, "slave_repl_offset") >= offset
        }
    }

    /// Makes the replica a primary of its own: it gets nothing more of what the other takes.
    func part() async throws { _ = try await replica.cli("REPLICAOF", "NO", "ONE") }

    /// From here on the other is the primary. Nobody is led there by this but who looks.
    func exchange() async throws {
        swap(&primary, &replica)
        try await way.redirect(to: .unix(path: primary.socketPath))
        try await way.cutAll()
    }

    /// Makes the primary follow the other, which was parted from it, and then a primary again in the same process.
    func demoteAndPromote() async throws {
        try await ModelServers.attach(primary, to: replica)
        _ = try await primary.cli("REPLICAOF", "NO", "ONE")
    }

    func stop() async throws {
        try await way.stop()
        primary.stop()
        replica.stop()
    }

    private static func attach(_ server: RedisServerProcess, to other: RedisServerProcess) async throws {
        guard let port = other.port else { throw NeverHappened(description: "a port of TCP") }
        _ = try await server.cli("REPLICAOF", "127.0.0.1", "\(port)")
        try await eventually("a sync") {
            try await server.cli("INFO", "replication").contains("master_link_status:up")
        }
    }

    private static func offset(_ server: RedisServerProcess, _ field: String) async throws -> Int {
        let lines = try await server.cli("INFO", "replication").split(whereSeparator: \.isNewline)
        return lines.first { $0.hasPrefix(field + ":") }.flatMap { Int($0.dropFirst(field.count + 1)) } ?? 0
    }
}
