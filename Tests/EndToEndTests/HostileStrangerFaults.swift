import TestKit
import Testing
import TestSupport

/// Whoever has no token costs next to nothing, keeps nobody waiting and keeps nobody out.
@Suite("Strangers who attack", .serialized)
struct HostileStrangerFaults {
    @Test(arguments: Arena.Transport.allCases)
    func `what inflates to thousands of keys is not unpacked for a stranger`(_ transport: Arena.Transport) async throws
    {
        try await Arena.play(.inflatedKeys, over: transport).expect(processor: .milliseconds(400), nodeMiB: 8)
    }

    @Test(arguments: Arena.Transport.allCases)
    func `half a message of a stranger is kept no larger than it came`(_ transport: Arena.Transport) async throws {
        try await Arena.play(.halfMessages, over: transport).expect(processor: .milliseconds(500), nodeMiB: 4)
    }

    @Test(arguments: Arena.Transport.allCases)
    func `strangers who take every place leave one for who has a token`(_ transport: Arena.Transport) async throws {
        try await Arena.play(.occupiedDoor, over: transport).expect(processor: .milliseconds(500), nodeMiB: 8)
    }

    @Test(
        .enabled(if: Attack.outsideAddress != nil, "a machine with an address beside loopback is needed"),
        arguments: Arena.Transport.allCases)
    func `handshakes that do not end count for their address from the accept on, and end soon`(
        _ transport: Arena.Transport
    ) async throws {
        try await Arena.play(.halfHandshakes, over: transport).expect(processor: .seconds(1), nodeMiB: 8)
    }

    @Test(arguments: Arena.Transport.allCases)
    func `an invented session does not come in before a real one`(_ transport: Arena.Transport) async throws {
        try await Arena.play(.inventedSessions, over: transport).expect(processor: .milliseconds(500), nodeMiB: 8)
    }

    @Test func `idle sockets on the api port do not make a node look dead`() async throws {
        try await Arena.play(.idleCallers).expect(processor: .seconds(1), nodeMiB: 32)
    }

    @Test func `an address with too many connections is refused with 429, behind a proxy too`() async throws {
        let redis = try RedisServerProcess()
        let node = try await NodeProcess.start(
            nodeId: "n0", redisURL: redis.url,
            environment: [
                "MARTLET_CLIENT_TRUSTED_PROXIES": "127.0.0.1/32", "MARTLET_CLIENT_MAX_CONNECTIONS_PER_ADDRESS": "5",
            ])
        try await eventually("the node's readiness") { try await node.request("GET", "/readyz").status == 200 }
        var sockets: [HostileSocket] = []
        for _ in 0..<8 {
            sockets.append(
                try await HostileSocket.open(
                    port: node.clientPort, path: "/ws?userId=mallory", headers: [("X-Forwarded-For", "203.0.113.7")]))
        }
        #expect(sockets.map(\.status) == [101, 101, 101, 101, 101, 429, 429, 429])
        let other = try await HostileSocket.open(
            port: node.clientPort, path: "/ws?userId=ann", headers: [("X-Forwarded-For", "203.0.113.8")])
        #expect(other.status == 101)
    }

    @Test(arguments: Arena.Transport.allCases)
    func `a page of any site can do nothing to a node on loopback`(_ transport: Arena.Transport) async throws {
        try await Arena.play(.foreignPages, over: transport).expect(
            processor: .seconds(1), redis: .milliseconds(500), nodeMiB: 8)
    }
}
