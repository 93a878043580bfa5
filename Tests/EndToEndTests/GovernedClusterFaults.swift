import Synchronization
import TestKit
import Testing
import TestSupport

/// Settings, roles, bans and the host's chair where rooms lie on several servers, which are replaced.
@Suite("Governed rooms over a Cluster", .serialized)
struct GovernedClusterFaults {
    private static let rooms = (0..<6).map { "class-\($0)" }

    /// Asks until the server in charge answers: one that is being replaced does not for a while.
    private static func ask(
        _ node: NodeProcess, _ method: String, _ path: String, _ body: String? = nil
    ) async throws -> HTTPAnswer {
        let last = Mutex<HTTPAnswer?>(nil)
        try await eventually("an answer to \(method) \(path)") {
            let answer = try await node.request(method, path, body: body)
            last.withLock { $0 = answer }
            return answer.status != 503
        }
        guard let answer = last.withLock({ $0 }) else { throw NeverHappened(description: "no answer") }
        return answer
    }

    private static func version(of room: String, _ node: NodeProcess) async throws -> Int {
        try await ask(node, "GET", "/v1/rooms/\(room)").json?["version"] as? Int ?? 0
    }

    @Test func `settings, roles and bans hold across failovers, versions grow, and fifty of two hundred get in`()
        async throws
    {
        let group = try await ClusterGroup.start()
        let nodes = try await each(["a", "b", "c"]) {
            try await NodeProcess.start(nodeId: $0, redisURL: group.url, environment: Cluster.patience)
        }
        for node in nodes {
            try await eventually("readiness") { try await node.request("GET", "/readyz").status == 200 }
        }
        var versions: [String: Int] = [:]
        for room in Self.rooms {
            let body = #"{"version":0,"title":"\#(room)","maxMembers":50,"roles":{"aide":["moderate","join"]}}"#
            let put = try await Self.ask(nodes[0], "PUT", "/v1/rooms/\(room)", body)
            versions[room] = try #require(put.json?["version"] as? Int)
            let ban = try await Self.ask(nodes[1], "PUT", "/v1/rooms/\(room)/bans/mallory", "{}")
            #expect(ban.status == 200, "\(ban.body)")
            let role = try await Self.ask(nodes[2], "PUT", "/v1/rooms/\(room)/members/ann", #"{"role":"aide"}"#)
            #expect(role.status == 200, "\(role.body)")
        }
        for shard in group.shards.indices {
            _ = try await group.failOver(shard)
            for room in Self.rooms {
                let now = try await Self.version(of: room, nodes[shard])
                #expect(now > versions[room, default: 0], "\(room)")
                versions[room] = now
                let changed = try await Self.ask(nodes[shard], "PATCH", "/v1/rooms/\(room)", #"{"data":\#(shard)}"#)
                #expect(changed.json?["version"] as? Int == now + 1, "\(changed.body)")
            }
        }
        for room in Self.rooms {
            let shown = try await Self.ask(nodes[0], "GET", "/v1/rooms/\(room)").json
            #expect(shown?["roles"] as? [String: String] == ["ann": "aide"])
            let mallory = try await WireClient.connect(to: nodes[1], as: "mallory")
            #expect(try await mallory.join(room).string("message") == "banned from the room")
        }
        let crowd = try await each(Array(0..<200)) { number in
            try await WireClient.connect(to: nodes[number % 3], as: "pupil-\(number)")
        }
        let answers = try await each(crowd) { try await $0.join(Self.rooms[0]).type }
        #expect(answers.count { $0 == "joined" } == 50)
        #expect(try await Self.ask(nodes[2], "GET", "/v1/rooms/\(Self.rooms[0])").json?["members"] as? Int == 50)
        try await group.stop()
    }

    @Test func `the host's node is killed while the room's server is replaced: one new host, told to all`() async throws
    {
        let group = try await ClusterGroup.start()
        let environment = Cluster.patience.merging(["MARTLET_REDIS_FAILOVER_GRACE": "0s"]) { $1 }
        let nodes = try await each(["a", "b"]) {
            try await NodeProcess.start(nodeId: $0, redisURL: group.url, environment: environment)
        }
        for node in nodes {
            try await eventually("readiness") { try await node.request("GET", "/readyz").status == 200 }
        }
        let teacher = try await WireClient.connect(to: nodes[0], as: "teacher")
        let pupils = try await each(["ann", "bob", "cid"]) { try await WireClient.connect(to: nodes[1], as: $0) }
        for client in [teacher] + pupils { try await client.join("class-0") }
        let given = try await Self.ask(nodes[1], "PUT", "/v1/rooms/class-0/members/teacher", #"{"role":"host"}"#)
        #expect(given.status == 200, "\(given.body)")
        nodes[0].kill9()
        for shard in group.shards.indices { _ = try await group.failOver(shard) }
        for pupil in pupils {
            try await pupil.frame("room") { $0.string("event") == "host" && $0.string("userId") == "ann" }
        }
        let hosts = pupils.map { pupil in
            pupil.frames("room").filter { $0.string("event") == "host" }.compactMap { $0.string("userId") }
        }
        #expect(hosts.allSatisfy { $0.last == "ann" && $0.count { $0 == "ann" } == 1 }, "\(hosts)")
        withExtendedLifetime(teacher) {}
        try await group.stop()
    }
}
