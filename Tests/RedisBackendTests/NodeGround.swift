import NIOCore
import Synchronization
import TestKit

/// The Redis that a node of a test stands on.
protocol NodeGround: Sendable {
    /// Ways that are one node's alone.
    ///
    /// - Parameters:
    ///   - credentials: as they stand in a URL, with their @.
    ///   - loop: of the ways.
    func ways(credentials: String, on loop: any EventLoop) async throws -> NodeWays
}

/// The ways of one node to Redis.
struct NodeWays: Sendable {
    let url: String
    /// One to each server, in the servers' order.
    let proxies: [FaultProxy]

    func stop() async throws {
        for proxy in proxies { try await proxy.stop() }
    }
}

extension RedisServerProcess: NodeGround {
    func ways(credentials: String, on loop: any EventLoop) async throws -> NodeWays {
        let proxy = try await FaultProxy.start(target: .unix(path: socketPath), on: loop)
        return NodeWays(url: "redis://\(credentials)127.0.0.1:\(proxy.port)", proxies: [proxy])
    }
}

/// Started without `namesHosts`: each node has an address of its own, and reaches the servers by their ports there.
extension ClusterGroup: NodeGround {
    private static let addresses = Mutex(0)

    func ways(credentials: String, on loop: any EventLoop) async throws -> NodeWays {
        let number = Self.addresses.withLock { number in
            number += 1
            return number
        }
        let host = "127.1.\(number / 250).\(number % 250 + 1)"
        var proxies: [FaultProxy] = []
        for server in servers {
            proxies.append(
                try await FaultProxy.start(
                    target: .unix(path: server.process.socketPath), host: host, port: server.port, on: loop))
        }
        let places = servers.map { "\(host):\($0.port)" }.joined(separator: ",")
        return NodeWays(url: "redis+cluster://\(credentials)\(places)", proxies: proxies)
    }
}
