import Foundation
import Synchronization

/// One sentinel in a folder of its own, ended with its test or with its process.
package final class SentinelProcess: Sendable {
    private typealias Child = RedisServerProcess.ChildProcess

    package let port: Int
    private let folder: String
    private let password: String?
    private let child: Mutex<WardedChild>

    /// - Parameter watched: the port of 127.0.0.1 where the primary is.
    package init(of watched: Int, _ options: SentinelGroup.Options = .init()) throws {
        let name = SentinelGroup.name
        folder = FileManager.default.temporaryDirectory.path + "/sentinel-test-\(UUID().uuidString.prefix(13))"
        port = try Child.freePort()
        password = options.sentinelPassword
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
        var lines = [
            "port \(port)", "bind 127.0.0.1", "dir \(folder)", "logfile \(folder)/log",
            "sentinel monitor \(name) 127.0.0.1 \(watched) 2",
            "sentinel down-after-milliseconds \(name) 1000",
            "sentinel failover-timeout \(name) 10000",
        ]
        if let password = options.password { lines.append("sentinel auth-pass \(name) \(password)") }
        if let password { lines += ["requirepass \(password)", "sentinel sentinel-pass \(password)"] }
        if let folder = options.certificates {
            lines += [
                "port 0", "tls-port \(port)", "tls-cert-file \(folder)/certificate.pem",
                "tls-key-file \(folder)/key.pem", "tls-ca-cert-file \(folder)/certificate.pem",
                "tls-auth-clients no", "tls-replication yes",
            ]
        }
        if options.withholdsAnnouncements { lines.append("user default on nopass ~* resetchannels +@all") }
        try (lines.joined(separator: "\n") + "\n")
            .write(toFile: folder + "/sentinel.conf", atomically: true, encoding: .utf8)
        child = Mutex(try WardedChild(Child.spawn(SentinelProcess.command(in: folder))))
    }

    deinit { stop() }

    private static func command(in folder: String) -> [String] {
        ["redis-server", folder + "/sentinel.conf", "--sentinel"]
    }

    package func cli(_ arguments: String...) async throws -> String {
        let login = password.map { ["--no-auth-warning", "-a", $0] } ?? []
        return try await RedisServerProcess.cli(["-p", "\(port)"] + login + arguments)
    }

    /// Ends it as a crash would.
    package func kill9() { child.withLock { $0.end() } }

    /// Starts it again with all that it knew.
    package func restart() throws {
        kill9()
        let next = try WardedChild(Child.spawn(SentinelProcess.command(in: folder)))
        child.withLock { $0 = next }
    }

    /// Ends it and removes its folder.
    package func stop() {
        kill9()
        try? FileManager.default.removeItem(atPath: folder)  // A second stop finds no folder.
    }
}
