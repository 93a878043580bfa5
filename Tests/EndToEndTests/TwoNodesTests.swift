import MartletClient
import TestKit
import Testing
import TestSupport

/// Two node processes on one Redis of their own.
struct Cluster: Sendable {
    let redis: RedisServerProcess
    let nodes: [NodeProcess]

    /// For tests that run beside others: what Redis is asked may take its time.
    static let patience = ["MARTLET_REDIS_COMMAND_TIMEOUT": "60s"]

    static func start(
        _ options: RedisServerProcess.Options = .init(), environment: [String: String] = [:]
    ) async throws -> Cluster {
        let redis = try RedisServerProcess(options)
        async let a = NodeProcess.start(nodeId: "a", redisURL: redis.url, environment: environment)
        async let b = NodeProcess.start(nodeId: "b", redisURL: redis.url, environment: environment)
        let cluster = Cluster(redis: redis, nodes: [try await a, try await b])
        try await cluster.ready()
        return cluster
    }

    func ready() async throws {
        for node in nodes {
            try await eventually("the node's readiness") { try await node.request("GET", "/readyz").status == 200 }
        }
    }
}

@Suite("Two nodes and one Redis")
struct TwoNodesTests {
    @Test func `a message goes from a client on one node to the members on both, byte for byte`() async throws {
        let cluster = try await Cluster.start(environment: Cluster.patience)
        let alice = try await Participant.connect(to: cluster.nodes[0].clientURL, as: "alice")
        let bob = try await Participant.connect(to: cluster.nodes[1].clientURL, as: "bob")
        try await alice.join("lesson")
        try await bob.join("lesson")
        let payloads = [
            #"{"n":9007199254740993, "e":1e400,"a":1,"a":2}"#, #""\ud83d\ude00 \u0000""#, "null", "[ 1 , 2 ]",
        ]
        for (index, payload) in payloads.enumerated() {
            let ack = try await alice.client.publish(Array(payload.utf8), to: "lesson", msgType: 7)
            #expect(ack.seq == index + 1)
        }
        for one in [alice, bob] {
            try await eventually("delivery") { one.latest(of: "lesson") == payloads.count }
            #expect(one.payloads(of: "lesson") == payloads)
            #expect(one.messages(of: "lesson").allSatisfy { $0.userId == "alice" && $0.msgType == 7 })
            #expect(one.faults(of: "lesson", upTo: payloads.count) == [])
        }
        let page = try await bob.client.history(of: "lesson")
        #expect(page.messages.map(\.payload) == payloads.map { Array($0.utf8) })
    }

    private func connection(of user: String, _ cluster: Cluster) async throws -> String? {
        let shown = try await cluster.nodes[0].request("GET", "/v1/users/\(user)").json
        return (shown?["connections"] as? [[String: Any]])?.first?["connectionId"] as? String
    }

    @Test func `names reach both nodes, who is left out misses nothing, and what is volatile is nowhere later`()
        async throws
    {
        let cluster = try await Cluster.start(environment: Cluster.patience)
        let alice = try await Participant.connect(to: cluster.nodes[0].clientURL, as: "alice")
        let bob = try await Participant.connect(to: cluster.nodes[1].clientURL, as: "bob")
        for one in [alice, bob] { _ = try await one.client.join("lesson") }
        _ = try await alice.client.publish(Array("1".utf8), to: "lesson", event: "drawn", echo: false)
        let left = try #require(try await connection(of: "bob", cluster))
        let body = #"{"to":{"rooms":["lesson"]},"event":"saved","payload":2,"except":"\#(left)"}"#
        #expect(try await cluster.nodes[0].request("POST", "/v1/broadcast", body: body).status == 200)
        let note = #"{"to":{"rooms":["lesson"]},"event":"typing","payload":{},"volatile":true}"#
        let answer = try await cluster.nodes[1].request("POST", "/v1/broadcast", body: note)
        #expect(answer.status == 200 && !answer.body.contains("seq"))
        try await alice.client.sendVolatile(Array("[]".utf8), to: "lesson", event: "cursor", echo: false)
        _ = try await bob.client.publish(Array("3".utf8), to: "lesson")
        for one in [alice, bob] {
            try await eventually("delivery") { one.latest(of: "lesson") == 3 }
        }
        let stored = [alice, bob].map { $0.messages(of: "lesson").filter(\.isStored).map { $0.event ?? "" } }
        #expect(stored == [["saved", ""], ["drawn", ""]])
        try await eventually("what is volatile") {
            bob.messages(of: "lesson").filter { !$0.isStored }.map(\.event) == ["typing", "cursor"]
                && alice.messages(of: "lesson").filter { !$0.isStored }.map(\.event) == ["typing"]
        }
        let page = try await bob.client.history(of: "lesson")
        #expect(page.messages.map { $0.event ?? "" } == ["drawn", "saved", ""])
    }

    @Test func `a REST call through either node reaches the members on both, and everyone`() async throws {
        let cluster = try await Cluster.start(environment: Cluster.patience)
        let alice = try await Participant.connect(to: cluster.nodes[0].clientURL, as: "alice")
        let bob = try await Participant.connect(to: cluster.nodes[1].clientURL, as: "bob")
        try await alice.join("r1")
        try await bob.join("r1")
        for (index, node) in cluster.nodes.enumerated() {
            let answer = try await node.request(
                "POST", "/v1/broadcast",
                body: #"{"to":{"rooms":["r1","r2"]},"payload":{"n": \#(index)},"userId":"shop"}"#)
            #expect(answer.status == 200)
            let everyone = try await node.request(
                "POST", "/v1/broadcast", body: #"{"to":{"everyone":true},"payload":"hello"}"#)
            #expect(everyone.status == 200 && everyone.body.contains(#""roomId":"*""#))
        }
        for one in [alice, bob] {
            try await eventually("delivery") { one.latest(of: "r1") == 2 && one.latest(of: "*") == 2 }
            #expect(one.payloads(of: "r1") == [#"{"n": 0}"#, #"{"n": 1}"#])
            #expect(one.payloads(of: "*") == [#""hello""#, #""hello""#])
            #expect(one.messages(of: "r1").allSatisfy { $0.userId == "shop" })
            #expect(one.messages(of: "r2").isEmpty)
        }
        let log = try await cluster.nodes[1].request("GET", "/v1/rooms/r2/messages?after=0")
        #expect(log.status == 200 && log.body.contains(#""payload":{"n": 1}"#))
    }

    @Test func `the same idempotency key gets the first answer from the other node too, another body 409`() async throws
    {
        let cluster = try await Cluster.start(environment: Cluster.patience)
        let body = #"{"to":{"rooms":["r"]},"payload":1,"idempotencyKey":"order-7"}"#
        let first = try await cluster.nodes[0].request("POST", "/v1/broadcast", body: body)
        let second = try await cluster.nodes[1].request("POST", "/v1/broadcast", body: body)
        #expect(first.status == 200 && first.body == second.body)
        let other = try await cluster.nodes[1].request(
            "POST", "/v1/broadcast", body: #"{"to":{"rooms":["r"]},"payload":2,"idempotencyKey":"order-7"}"#)
        #expect(other.status == 409)
        let log = try await cluster.nodes[0].request("GET", "/v1/rooms/r/messages?after=0")
        #expect((log.json?["messages"] as? [Any])?.count == 1)
    }

    @Test func `both nodes are listed with their connections, whichever is asked`() async throws {
        let cluster = try await Cluster.start(environment: Cluster.patience)
        let alice = try await Participant.connect(to: cluster.nodes[0].clientURL, as: "alice")
        try await alice.join("r")
        for node in cluster.nodes {
            try await eventually("the beat that counts the connection") {
                let nodes = try await node.request("GET", "/v1/nodes").json?["nodes"] as? [[String: Any]]
                return nodes?.map { $0["nodeId"] as? String } == ["a", "b"]
                    && nodes?.first?["connections"] as? Int == 1 && nodes?.first?["rooms"] as? Int == 1
            }
        }
        await alice.close()
    }

    @Test func `who is not in a room, names none, or sends rubbish is told so, and nobody else notices`() async throws {
        let cluster = try await Cluster.start(environment: Cluster.patience)
        let alice = try await Participant.connect(to: cluster.nodes[0].clientURL, as: "alice")
        await #expect(throws: MartletClient.Failure.self) { try await alice.client.publish(Array("1".utf8), to: "r") }
        await #expect(throws: MartletClient.Failure.self) { try await alice.client.join("no room") }
        await #expect(throws: MartletClient.Failure.self) { try await alice.client.join("@bob") }
        try await alice.join("r")
        let hostile = try await WebSocketConnection.connect(
            WebSocketConfiguration(host: "127.0.0.1", port: cluster.nodes[0].clientPort, path: "/ws?userId=eve"),
            on: .singletonMultiThreadedEventLoopGroup)
        hostile.send(text: String(repeating: "[", count: 10_000))
        for _ in 0..<9 { hostile.send(text: "{") }
        #expect(await hostile.ended().code == 4400)
        _ = try await alice.client.publish(Array("1".utf8), to: "r")
        try await eventually("delivery") { alice.latest(of: "r") == 1 }
    }
}
