import Foundation
import MartletClient
import NIOPosix
import NIOSSL
import Synchronization
import TestKit
import Testing
import TestSupport

/// The files in docker/ for Nginx, HAProxy and Caddy, each with the balancer itself.
@Suite("Nodes behind load balancers", .serialized)
struct BalancerFaults {
    @Test(arguments: BalancedSite.Balancer.allCases)
    func `a node that drains and one that is killed cost nobody a message, and newcomers find the other at once`(
        _ balancer: BalancedSite.Balancer
    ) async throws {
        let site = try BalancedSite(balancer)
        var first = try await site.startNode(1)
        let second = try await site.startNode(2)
        try await site.ready(2)
        try await site.spreads(over: 2)
        let clients = try await each(Array(0..<8)) { number in
            let client = try await Participant.connect(to: site.clientURL, as: "client-\(number)") {
                $0.firstDelay = .milliseconds(200)
                $0.maxDelay = .seconds(1)
            }
            try await client.join("r")
            return client
        }
        try await eventually("clients on both nodes") { try await site.connections().allSatisfy { $0 > 0 } }
        let backend = Backend(site: site)
        async let latest = backend.publish()

        first.terminate()
        for number in 0..<60 { _ = try await WireClient.open(to: site.clientPort, as: "newcomer-\(number)") }
        #expect(await first.exitStatus() == 0)
        first = try await site.startNode(1)
        try await site.ready(2)

        second.kill9()
        try await eventually("all clients on the first node") {
            clients.allSatisfy { $0.connections.last?.nodeId == "n1" }
        }
        backend.stop()
        let count = try await latest
        for client in clients {
            try await eventually("\(client.user)'s messages") { client.latest(of: "r") == count }
            #expect(client.faults(of: "r", upTo: count) == [])
            #expect(client.gaps.isEmpty)
        }
        withExtendedLifetime(first) {}
        // Users and sessions travel in the query string, as tokens do.
        #expect(site.log.contains("/ws"))
        #expect(!site.log.contains("userId") && !site.log.contains("session="), "\(site.log.suffix(4000))")
    }

    @Test(arguments: BalancedSite.Balancer.allCases)
    func `clients come in by TLS, under their own address, and to nothing but what is theirs`(
        _ balancer: BalancedSite.Balancer
    ) async throws {
        let certificates = try TestCertificates()
        let site = try BalancedSite(balancer, tls: certificates.vouchedFiles(for: "localhost"))
        let node = try await site.startNode(1)
        try await site.ready(1)
        let ban = try await site.request(
            "PUT", "/v1/addresses/bans", body: #"{"cidr":"203.0.113.9","seconds":600}"#)
        #expect(ban.status == 200)
        let forged = [(name: "X-Forwarded-For", value: "203.0.113.9")]
        try await eventually("the ban") {
            var direct = WebSocketConfiguration(host: "127.0.0.1", port: node.clientPort, path: "/ws?userId=eve")
            direct.headers = forged
            do {
                _ = try await WebSocketConnection.connect(direct, on: MultiThreadedEventLoopGroup.singleton)
                return false
            } catch WebSocketConnectError.refused(403, _) {
                return true
            }
        }

        let alice = try await Participant.connect(to: "wss://localhost:\(site.clientPort)/ws", as: "alice") {
            $0.tls.trustRoots = .file(certificates.authorityFile)
            $0.headers = forged
        }
        try await alice.join("r")
        _ = try await alice.client.publish(Array("1".utf8), to: "r")
        try await eventually("the message") { alice.latest(of: "r") == 1 }

        let paths = [("/healthz", 200), ("/martlet.js", 200), ("/v1/nodes", 404), ("/readyz", 404), ("/metrics", 404)]
        for (path, status) in paths {
            var configuration = WebSocketConfiguration(host: "localhost", port: site.clientPort, path: path)
            configuration.tls = .makeClientConfiguration()
            configuration.tls?.trustRoots = .file(certificates.authorityFile)
            // What is no WebSocket is refused, and with which status says what answered.
            await #expect(throws: WebSocketConnectError.refused(status: status, retryAfter: nil), "\(path)") {
                try await WebSocketConnection.connect(configuration, on: MultiThreadedEventLoopGroup.singleton)
            }
        }
    }
}

/// Publishes through the balancer until it is told to stop, each message under a key until somebody has stored it.
private final class Backend: Sendable {
    private let site: BalancedSite
    private let isStopped = Mutex(false)

    init(site: BalancedSite) { self.site = site }

    func stop() { isStopped.withLock { $0 = true } }

    /// The number of the last message.
    func publish() async throws -> Int {
        let start = ContinuousClock.now
        var count = 0
        while !isStopped.withLock({ $0 }) {
            try await ContinuousClock().sleep(until: start + .milliseconds(20) * count)
            let body = #"{"to":{"rooms":["r"]},"payload":\#(count),"idempotencyKey":"message-\#(count)"}"#
            try await eventually("an answer to message \(count)") {
                // A node that is gone or drains is asked again, through the balancer, under the same key.
                (try? await self.site.request("POST", "/v1/broadcast", body: body))?.status == 200
            }
            count += 1
        }
        return count
    }
}
