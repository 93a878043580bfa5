import Foundation
import Synchronization

/// A real database of one test: a file of SQLite, or a PostgreSQL or MariaDB server in its own folder, on a free port of
/// 127.0.0.1, ended with the test or with its process.
///
/// The methods that start and stop block, some of them for seconds.
package final class DatabaseProcess: Sendable {
    package enum Kind: String, Sendable, CaseIterable, CustomStringConvertible {
        case sqlite, postgreSQL, mariaDB

        package var description: String { rawValue }
    }

    package struct Failure: Error, CustomStringConvertible {
        package let description: String
    }

    private typealias Child = RedisServerProcess.ChildProcess

    package static let user = "martlet"
    package static let password = "secret: /?@"

    package let kind: Kind
    package let folder: String
    private let isSecured: Bool
    private let port = Mutex(0)
    private let child = Mutex<WardedChild?>(nil)

    /// - Parameter files: with them it speaks TLS to whoever wants it.
    package init(_ kind: Kind, certificate files: (certificate: String, key: String)? = nil) throws {
        self.kind = kind
        isSecured = files != nil
        folder = FileManager.default.temporaryDirectory.path + "/database-test-\(UUID().uuidString.prefix(13))"
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
        do {
            if let files { try take(files) }
            try prepare()
            try start()
        } catch {
            stop()
            throw error
        }
    }

    deinit { stop() }

    /// How a client reaches it, password included.
    package var url: String { url(password: DatabaseProcess.password) }

    /// - Parameter database: nil for the one that is there from the start.
    package func url(
        user: String = DatabaseProcess.user, password: String = DatabaseProcess.password, host: String = "127.0.0.1",
        database: String? = nil, query: String = ""
    ) -> String {
        let secret = password.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
        let place = "\(user):\(secret)@\(host):\(port.withLock { $0 })"
        return switch kind {
        case .sqlite: "sqlite://\(folder)/\(database ?? "archive").db"
        case .postgreSQL: "postgres://\(place)/\(database ?? "postgres")\(query)"
        case .mariaDB: "mysql://\(place)/\(database ?? "martlet")\(query)"
        }
    }

    /// Ends it as a crash would, and waits until it is gone; of SQLite there is nothing to end.
    package func kill9() { child.withLock { $0.take() }?.end() }

    /// Starts it again, after a `kill9` or killing it now, with all that it had.
    package func restart() throws {
        kill9()
        try start()
    }

    package func stop() {
        kill9()
        try? FileManager.default.removeItem(atPath: folder)  // A second stop finds no folder.
    }

    // MARK: PostgreSQL and MariaDB

    private var certificate: String { folder + "/server.pem" }
    private var key: String { folder + "/server.key" }

    /// PostgreSQL wants a key that is its own and nobody else's.
    private func take(_ files: (certificate: String, key: String)) throws {
        for (from, to) in [(files.certificate, certificate), (files.key, key)] {
            try FileManager.default.copyItem(atPath: from, toPath: to)
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: to)
            if getuid() == 0, kind == .postgreSQL, chown(to, 65_534, 65_534) != 0 {
                throw Failure(description: "\(to) cannot be given away")
            }
        }
    }

    private var data: String { folder + "/data" }

    private func prepare() throws {
        switch kind {
        case .sqlite: break
        case .postgreSQL:
            let secret = folder + "/password"
            try DatabaseProcess.password.write(toFile: secret, atomically: true, encoding: .utf8)
            try giveAway()
            try run(
                DatabaseProcess.unprivileged + [
                    try DatabaseProcess.postgreSQL("initdb"), "-D", data, "-U", DatabaseProcess.user, "-A",
                    "scram-sha-256", "--pwfile", secret, "--no-sync", "-E", "UTF8", "--locale", "C",
                ])
        case .mariaDB:
            let sql = """
                CREATE DATABASE IF NOT EXISTS martlet;
                CREATE USER IF NOT EXISTS '\(DatabaseProcess.user)'@'%' IDENTIFIED BY '\(DatabaseProcess.password)';
                GRANT ALL ON *.* TO '\(DatabaseProcess.user)'@'%';

                """
            try sql.write(toFile: folder + "/init.sql", atomically: true, encoding: .utf8)
            // What mariadb-install-db does, which wants programs of another package.
            try FileManager.default.createDirectory(atPath: data, withIntermediateDirectories: false)
            let script = """
                (printf 'create database mysql;\\nuse mysql;\\n'
                cd /usr/share/mysql
                cat mysql_system_tables.sql mysql_performance_tables.sql mysql_system_tables_data.sql) |
                exec mariadbd --no-defaults --bootstrap --datadir='\(data)' --log-warnings=0 "$@" 2>'\(folder)/log.err'
                """
            try run(["sh", "-c", script, "sh"] + DatabaseProcess.asRoot)
        }
    }

    private func start() throws {
        guard kind != .sqlite else { return }
        let limit = ContinuousClock.now + .seconds(60)
        while true {
            if port.withLock({ $0 }) == 0 {
                let free = try Child.freePort()
                port.withLock { $0 = free }
            }
            let started = try WardedChild(try Child.spawn(try command))
            // One that was killed may leave what keeps the next from starting for a moment.
            while ContinuousClock.now < limit, !Child.hasEnded(started.pid) {
                if isReady {
                    child.withLock { $0 = started }
                    return
                }
                poll(nil, 0, 20)
            }
            started.end()
            // Only to explain the failure.
            let log = (try? String(contentsOfFile: folder + "/log.err", encoding: .utf8)) ?? ""
            guard ContinuousClock.now < limit else {
                throw Failure(description: "\(kind) did not start: \(log.suffix(1000))")
            }
            poll(nil, 0, 100)
        }
    }

    private var command: [String] {
        get throws {
            let port = port.withLock { "\($0)" }
            switch kind {
            case .sqlite: return []
            case .postgreSQL:
                return DatabaseProcess.unprivileged + [
                    "sh", "-c", "exec \"$0\" \"$@\" >>\(folder)/log.err 2>&1",
                    try DatabaseProcess.postgreSQL("postgres"),
                    "-D", data, "-p", port, "-c", "listen_addresses=127.0.0.1", "-c",
                    "unix_socket_directories=\(folder)", "-c", "shared_buffers=16MB", "-c", "fsync=off",
                ]
                    + (isSecured
                        ? ["-c", "ssl=on", "-c", "ssl_cert_file=\(certificate)", "-c", "ssl_key_file=\(key)"] : [])
            case .mariaDB:
                return [
                    "mariadbd", "--no-defaults", "--datadir=\(data)", "--socket=\(folder)/s", "--port=\(port)",
                    "--bind-address=127.0.0.1", "--pid-file=\(folder)/pid", "--log-error=\(folder)/log.err",
                    "--init-file=\(folder)/init.sql", "--skip-name-resolve", "--innodb-buffer-pool-size=32M",
                    "--innodb-flush-log-at-trx-commit=2",
                ] + DatabaseProcess.asRoot + (isSecured ? ["--ssl-cert=\(certificate)", "--ssl-key=\(key)"] : [])
            }
        }
    }

    private var isReady: Bool {
        let port = port.withLock { $0 }
        guard kind == .postgreSQL else { return DatabaseProcess.greets(port) }
        // It is asked again where it fails.
        return (try? Child.output(of: ["pg_isready", "-q", "-h", "127.0.0.1", "-p", "\(port)"])) != nil
    }

    /// Whether a server speaks first, as MariaDB does.
    private static func greets(_ port: Int) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
        let isConnected = withUnsafeBytes(of: &address) { bytes in
            bytes.assumingMemoryBound(to: sockaddr.self).baseAddress.map {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            } ?? false
        }
        guard isConnected else { return false }
        var state = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        var byte: UInt8 = 0
        return poll(&state, 1, 2000) == 1 && recv(descriptor, &byte, 1, 0) == 1
    }

    private static var asRoot: [String] { getuid() == 0 ? ["--user=root"] : [] }

    /// PostgreSQL refuses to run as root: it is then nobody's.
    private static var unprivileged: [String] {
        getuid() == 0 ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] : []
    }

    private func giveAway() throws {
        guard getuid() == 0 else { return }
        for path in [folder, folder + "/password"] {
            guard chown(path, 65_534, 65_534) == 0 else { throw Failure(description: "\(path) cannot be given away") }
        }
    }

    /// Debian keeps a folder of programs for each version.
    private static func postgreSQL(_ program: String) throws -> String {
        let root = "/usr/lib/postgresql"
        // That there is none is told below.
        let versions = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
        let newest = versions.compactMap(Int.init).max()
        guard let newest else { throw Failure(description: "PostgreSQL is not installed: apt-get install postgresql") }
        return "\(root)/\(newest)/bin/\(program)"
    }

    private func run(_ command: [String]) throws {
        do {
            _ = try Child.output(of: command)
        } catch Child.Failure.notFound {
            throw Failure(description: "\(kind) is not installed: apt-get install mariadb-server-core")
        } catch {
            throw Failure(description: "\(kind) cannot be prepared: \(error)")
        }
    }
}
