import TestKit
import Testing

/// What clients may know of rooms that they are not in, of each other, and of one that comes and goes without end.
@Suite("Rights over two nodes")
struct RightsTests {
    private static func start(_ environment: [String: String] = [:]) async throws -> (Cluster, NodeProcess, NodeProcess)
    {
        let cluster = try await Cluster.start(environment: Cluster.patience.merging(environment) { $1 })
        return (cluster, cluster.nodes[0], cluster.nodes[1])
    }

    @Test func `members and history are for those in the room, and so is watching where the configuration says so`()
        async throws
    {
        let (cluster, a, b) = try await Self.start(["MARTLET_PRESENCE_WATCH": "sameRoom"])
        let alice = try await WireClient.connect(to: a, as: "alice")
        let bob = try await WireClient.connect(to: b, as: "bob")
        let carol = try await WireClient.connect(to: b, as: "carol")
        for client in [alice, bob] { try await client.join("r") }
        try await carol.join("elsewhere")
        for request in [#""type":"members","roomId":"r""#, #""type":"history","roomId":"r""#] {
            #expect(try await carol.ask(request).string("code") == "not_member")
            #expect(try await bob.ask(request).string("code") == nil)
        }
        let watching = try await alice.ask(#""type":"watch","users":["carol","bob","nobody"]"#)
        let users = watching.list("users")
        #expect(users.compactMap { $0["userId"] as? String } == ["bob", "carol", "nobody"])
        #expect(users.map { $0["online"] as? Bool } == [true, nil, nil])
        #expect(users.map { $0["code"] as? String } == [nil, "forbidden", "forbidden"])
        bob.close()
        try await alice.frame("status") { $0.string("userId") == "bob" && $0.bool("online") == false }
        withExtendedLifetime(cluster) {}
    }

    @Test func `of one that joins and leaves without end the others are told what is left, a few times a second`()
        async throws
    {
        let (cluster, a, b) = try await Self.start()
        let alice = try await WireClient.connect(to: a, as: "alice")
        let bob = try await WireClient.connect(to: b, as: "bob")
        var version = try #require(try await alice.join("r").int("rosterVersion"))
        let start = ContinuousClock.now
        for _ in 0..<60 {
            try await bob.join("r")
            _ = try await bob.ask(#""type":"leave","roomId":"r""#)
        }
        let last = version + 120
        try await alice.frame("presence") { $0.int("rosterVersion") == last }
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        let frames = alice.frames("presence")
        #expect(Double(frames.count) <= 4 * seconds + 8)
        for frame in frames {
            #expect(frame.int("from") ?? (frame.int("rosterVersion") ?? 0) - frame.steps.count == version)
            version = frame.int("rosterVersion") ?? 0
            #expect(frame.steps.count <= 1)
        }
        #expect(frames.last?.int("members") == 1)
        withExtendedLifetime(cluster) {}
    }
}
