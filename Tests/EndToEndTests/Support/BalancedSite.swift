import Foundation
import TestKit
import TestSupport

/// A load balancer with the very file that the project gives for it, two nodes behind it, and Redis.
final class BalancedSite: Sendable {
    enum Balancer: String, CaseIterable, Sendable, CustomStringConvertible {
        case nginx, haproxy, caddy

        var description: String { rawValue }
    }

    let redis: RedisServerProcess
    private let clients: ReservedPort
    private let api: ReservedPort
    private let nodeClients: ReservedPort
    private let nodeAPI: ReservedPort
    private let balancer: ProgramProcess
    private let folder: URL

    /// Starts the balancer; the nodes are started one by one.
    ///
    /// - Parameter tls: of the port for clients, PEM files.
    init(_ kind: Balancer, tls: (certificate: String, key: String)? = nil) throws {
        redis = try RedisServerProcess()
        clients = try ReservedPort()
        api = try ReservedPort()
        nodeClients = try ReservedPort()
        nodeAPI = try ReservedPort()
        folder = FileManager.default.temporaryDirectory.appending(path: "balancer-test-\(UUID().uuidString.prefix(13))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
        let setting = Setting(
            folder: folder, clients: "127.0.0.1:\(clients.number)", api: "127.0.0.1:\(api.number)",
            nodePorts: (nodeClients.number, nodeAPI.number), tls: tls)
        let (arguments, environment): ([String], [String: String]) =
            switch kind {
            case .nginx: (try setting.nginx(), [:])
            case .haproxy: (["haproxy", "-db", "-f", Setting.file("haproxy.cfg")], try setting.haproxy())
            case .caddy:
                (["caddy", "run", "--config", Setting.file("Caddyfile"), "--adapter", "caddyfile"], setting.caddy)
            }
        balancer = try ProgramProcess(arguments, environment: environment, file: folder.appending(path: "log").path)
    }

    deinit {
        balancer.kill9()
        // What cannot be removed lies in the folder for such things.
        try? FileManager.default.removeItem(at: folder)
    }

    var clientPort: Int { clients.number }
    var clientURL: String { "ws://127.0.0.1:\(clientPort)/ws" }

    /// All that the balancer has logged.
    var log: String { balancer.log }

    /// Both nodes have the same ports, on addresses of their own.
    ///
    /// - Parameter number: 1 or 2.
    func startNode(_ number: Int) async throws -> NodeProcess {
        try await NodeProcess.start(
            nodeId: "n\(number)", redisURL: redis.url,
            environment: [
                "MARTLET_CLIENT_HOST": "127.0.0.\(number)", "MARTLET_CLIENT_PORT": "\(nodeClients.number)",
                "MARTLET_API_HOST": "127.0.0.\(number)", "MARTLET_API_PORT": "\(nodeAPI.number)",
                "MARTLET_CLIENT_TRUSTED_PROXIES": "127.0.0.0/8", "MARTLET_DRAIN_TIMEOUT": "4s",
            ])
    }

    /// A call of REST through the balancer.
    func request(_ method: String, _ path: String, body: String? = nil) async throws -> HTTPAnswer {
        var headers = [("Authorization", "Bearer \(NodeProcess.apiKey)")]
        if body != nil { headers.append(("Content-Type", "application/json")) }
        return try await HTTPAnswer.fetch(port: api.number, method: method, path: path, body: body, headers: headers)
    }

    /// Waits until the balancer leads to nodes, so many of them.
    func ready(_ count: Int) async throws {
        try await eventually("\(count) nodes behind the balancer; it says: \(log.suffix(2000))") {
            // The balancer itself may not be there yet.
            guard let answer = try? await self.request("GET", "/v1/nodes"), answer.status == 200 else { return false }
            let nodes = answer.json?["nodes"] as? [[String: Any]]
            return nodes?.count == count && nodes?.allSatisfy { $0["ready"] as? Bool == true } == true
        }
    }

    /// Waits until newcomers are led to so many nodes: a balancer looks after the clients' port by itself, and may be later with it.
    func spreads(over count: Int) async throws {
        try await eventually("newcomers on \(count) nodes; the balancer says: \(log.suffix(2000))") {
            let newcomers = try await each(Array(0..<count)) { number in
                try? await WireClient.open(to: self.clientPort, as: "scout-\(number)")
            }
            var nodes: Set<String?> = []
            for case let newcomer? in newcomers { nodes.insert(try await newcomer.frame("welcome").string("nodeId")) }
            return nodes.count == count
        }
    }

    /// How many connections each node says it has.
    func connections() async throws -> [Int] {
        let nodes = try await request("GET", "/v1/nodes").json?["nodes"] as? [[String: Any]]
        return nodes?.compactMap { $0["connections"] as? Int } ?? []
    }
}

/// What differs between the balancers: how each is told where to listen and where the nodes are.
private struct Setting {
    let folder: URL
    let clients: String
    let api: String
    let nodePorts: (client: Int, api: Int)
    let tls: (certificate: String, key: String)?

    static func file(_ name: String) -> String {
        URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../../docker/\(name)").standardized
            .path
    }

    /// One process, since its workers would outlive a master that is killed.
    func nginx() throws -> [String] {
        let site = folder.appending(path: "site")
        try FileManager.default.createDirectory(at: site, withIntermediateDirectories: false)
        try FileManager.default.createSymbolicLink(
            atPath: folder.appending(path: "nginx.conf").path, withDestinationPath: Setting.file("nginx.conf"))
        let secure = tls.map { " ssl;\nssl_certificate \($0.certificate);\nssl_certificate_key \($0.key)" } ?? ""
        var upstreams = try String(contentsOfFile: Setting.file("site.compose/upstreams.conf"), encoding: .utf8)
        for (name, port) in [("gateway-a", "127.0.0.1"), ("gateway-b", "127.0.0.2")] {
            upstreams = upstreams.replacingOccurrences(of: "\(name):8080", with: "\(port):\(nodePorts.client)")
                .replacingOccurrences(of: "\(name):8081", with: "\(port):\(nodePorts.api)")
        }
        for (name, text) in [
            ("listen.client.conf", "listen \(clients)\(secure);"), ("listen.api.conf", "listen \(api);"),
            ("upstreams.conf", upstreams),
        ] { try text.write(to: site.appending(path: name), atomically: false, encoding: .utf8) }
        return [
            "nginx", "-e", "stderr", "-p", "\(folder.path)/", "-c", "\(folder.path)/nginx.conf", "-g",
            "daemon off; master_process off;",
        ]
    }

    func haproxy() throws -> [String: String] {
        var bind = clients
        if let tls {
            let both = try [tls.certificate, tls.key].map { try String(contentsOfFile: $0, encoding: .utf8) }
            let file = folder.appending(path: "site.pem")
            try both.joined().write(to: file, atomically: false, encoding: .utf8)
            bind += " ssl crt \(file.path) alpn http/1.1"
        }
        return ports.merging(["MARTLET_CLIENTS_BIND": bind, "MARTLET_API_BIND": api]) { $1 }
    }

    var caddy: [String: String] {
        let port = clients.split(separator: ":").last ?? ""
        return ports.merging([
            "MARTLET_CLIENTS_SITE": tls == nil ? "http://\(clients)" : "https://localhost:\(port)",
            "MARTLET_CLIENTS_TLS": tls.map { "tls \($0.certificate) \($0.key)" } ?? "",
            "MARTLET_API_SITE": "http://\(api)", "HOME": folder.path,
        ]) { $1 }
    }

    private var ports: [String: String] {
        ["MARTLET_CLIENT_PORT": "\(nodePorts.client)", "MARTLET_API_PORT": "\(nodePorts.api)"]
    }
}
