import TestKit
import Testing
import TestSupport

/// A node that commands and hears nothing, since its subscriptions stand and bring nothing any more.
@Suite("Nodes whose subscriptions are cut in silence", .serialized)
struct DeafNodeFaults {
    private static let reason = "a message that the node sends to itself through Redis does not come back"
    /// So short that it is not the pings that find out.
    private static let interval = Duration.milliseconds(700)

    @Test
    func `a deaf node says so within two canaries, renews its subscriptions, and then delivers what it missed, once`()
        async throws
    {
        let redis = try RedisServerProcess()
        let proxy = try await FaultProxy.start(target: .unix(path: redis.socketPath))
        let fleet = try await Fleet.over(redis, environment: ["MARTLET_CANARY_INTERVAL": "700ms"]) { number, url in
            number == 0 ? "redis://127.0.0.1:\(proxy.port)" : url
        }
        let (deaf, other) = (fleet.nodes[0], fleet.nodes[1])
        let alice = try await WireClient.connect(to: deaf, as: "alice")
        try await alice.join("r")

        // Whatever is connected from now on is not heard of either.
        for direction in [FaultProxy.Direction.toServer, .toClient] {
            try await proxy.treat(direction, .drop, isForNewOnly: true)
        }
        let made = try await proxy.counts().connectionsAccepted
        try await proxy.silence("SUBSCRIBE")
        #expect(try await Self.say("missed", by: other) == 200)
        let (answer, time, slowness) = try await Slowness.beside {
            try await eventually("a node that says so") { try await deaf.request("GET", "/readyz").status == 503 }
            return try await deaf.request("GET", "/readyz")
        }
        print("unready \(time) after the silence, slowness \(slowness)")
        // The first canary that is lost is sent within one interval, and missed two later; it is looked for five times in each.
        #expect(time < Self.interval * 3.2 * slowness + .milliseconds(300))
        #expect(answer.body.contains(Self.reason))
        try await deaf.logged("What this node sends to itself through Redis does not come back")
        #expect(try await Self.canaryAge(of: deaf) >= 1.4)
        #expect(try await Self.say("by the deaf", by: deaf) == 200)
        #expect(try await other.request("GET", "/readyz").status == 200)
        try await proxy.waitUntil { $0.connectionsAccepted > made }
        try await deaf.logged("what was published did not come over it")
        #expect(try await deaf.request("GET", "/readyz").body.contains(Self.reason))
        #expect(alice.frames("message").isEmpty && alice.isOpen)

        for direction in [FaultProxy.Direction.toServer, .toClient] {
            try await proxy.treat(direction, .pass, isForNewOnly: true)
        }
        try await fleet.ready()
        try await deaf.logged("What this node sends to itself through Redis comes back again")
        #expect(try await Self.say("after", by: other) == 200)
        try await alice.frame("message") { $0.string("payload") == "after" }
        #expect(
            alice.frames("message").compactMap { $0.string("payload") } == ["missed", "by the deaf", "after"]
                && alice.frames("gap").isEmpty)
        try await eventually("a canary in time") { try await Self.canaryAge(of: deaf) < 1.4 }
        try await proxy.stop()
    }

    private static func say(_ text: String, by node: NodeProcess) async throws -> Int {
        let body = #"{"to":{"rooms":["r"]},"payload":"\#(text)"}"#
        return try await node.request("POST", "/v1/broadcast", body: body).status
    }

    /// In seconds, as the metrics tell it.
    private static func canaryAge(of node: NodeProcess) async throws -> Double {
        let lines = try await node.request("GET", "/metrics").body.split(separator: "\n")
        let line = lines.first { $0.hasPrefix("martlet_canary_age_seconds") }
        guard let age = line?.split(separator: " ").last.flatMap({ Double($0) }) else {
            throw NeverHappened(description: "the canary's age")
        }
        return age
    }
}
