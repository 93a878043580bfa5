import TestKit
import Testing
import TestSupport

/// A node that goes on beating and can do nothing else: others do its part.
@Suite("Nodes that beat but can neither command nor hear", .serialized)
struct UnableNodeFaults {
    @Test
    func
        `with one that only beats, a killed node's users go in time, and nobody else does; later it does its part again`()
        async throws
    {
        let redis = try RedisServerProcess()
        let proxy = try await FaultProxy.start(target: .unix(path: redis.socketPath))
        let fleet = try await Fleet.over(redis, 3) { number, url in
            number == 0 ? "redis://127.0.0.1:\(proxy.port)" : url
        }
        let (unable, healthy, victim) = (fleet.nodes[0], fleet.nodes[1], fleet.nodes[2])
        let lost = (0..<40).map { "lost-\($0)" }
        let staying = (0..<40).map { "staying-\($0)" }
        let clients = try await each(lost.map { ($0, victim) } + staying.map { ($0, healthy) }) { user, node in
            try await WireClient.connect(to: node, as: user)
        }

        try await proxy.refuse(true)
        try await proxy.cutAll(sparing: "beat: registers a node")
        let killedAt = try await fleet.time()
        victim.kill9()
        try await eventually("all to be told of them") { try await Self.offline(fleet).count >= lost.count }
        let told = try await Self.offline(fleet)
        let slowest = (told.map(\.time).max() ?? 0) - killedAt
        print("the last of \(told.count) was told \(slowest) ms after the kill")
        #expect(slowest <= 5000)
        #expect(told.map(\.user).sorted() == lost.sorted())
        #expect(try await unable.request("GET", "/readyz").status == 503)
        #expect(try await Self.ready(by: healthy) == ["n0": false, "n1": true])
        #expect(try await fleet.online(staying + lost, by: healthy) == Set(staying))

        try await proxy.refuse(false)
        try await eventually("its return") { try await Self.ready(by: unable) == ["n0": true, "n1": true] }
        healthy.kill9()
        try await eventually("the others' end as well") {
            try await Self.offline(fleet).count >= lost.count + staying.count
        }
        #expect(try await Self.offline(fleet).map(\.user).sorted() == (lost + staying).sorted())
        try await proxy.stop()
        withExtendedLifetime(clients) {}
    }

    private static func offline(_ fleet: Fleet) async throws -> [Transition] {
        try await fleet.ledger().filter { $0.type == "user.offline" }
    }

    /// What the index says of each node, as this one reads it; nothing where it cannot.
    private static func ready(by node: NodeProcess) async throws -> [String: Bool] {
        let nodes = try await node.request("GET", "/v1/nodes").json?["nodes"] as? [[String: Any]]
        var ready: [String: Bool] = [:]
        for node in nodes ?? [] {
            guard let name = node["nodeId"] as? String else { continue }
            ready[name] = node["ready"] as? Bool
        }
        return ready
    }
}
