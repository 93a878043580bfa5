import MartletClient
import TestKit
import Testing
import TestSupport

/// The Swift client against real nodes: its streams go on, whatever becomes of its connections.
@Suite("The Swift client and connections that break", .serialized)
struct ClientRecoveryFaults {
    private func nodes(_ redis: RedisServerProcess) async throws -> [NodeProcess] {
        async let a = NodeProcess.start(nodeId: "a", redisURL: redis.url)
        async let b = NodeProcess.start(nodeId: "b", redisURL: redis.url)
        return [try await a, try await b]
    }

    @Test
    func `connections reset again and again come back on either node, with every message and no change of presence`()
        async throws
    {
        let redis = try RedisServerProcess()
        let nodes = try await nodes(redis)
        let alice = try await Participant.connect(to: nodes[0].clientURL, as: "alice") {
            $0.otherURLs = [nodes[1].clientURL]
            $0.firstDelay = .milliseconds(100)
        }
        let bob = try await Participant.connect(to: nodes[1].clientURL, as: "bob")
        let room = "lesson"
        try await bob.join(room)
        try await alice.join(room)
        try await eventually("the word of alice's coming") { !bob.presence(of: room).isEmpty }
        try await bob.readRoster(of: room)
        bob.roster(of: room) { $0.stay(["alice", "bob"]) }
        for number in 1...60 {
            if number % 10 == 0 { alice.reset() }
            _ = try await bob.client.publish(Array("\(number)".utf8), to: room)
        }
        try await eventually("alice's stream") { alice.latest(of: room) == 60 }
        #expect(alice.faults(of: room, upTo: 60) == [])
        #expect(alice.gaps.isEmpty)
        #expect(alice.connections.count > 1)
        #expect(alice.connections.dropFirst().allSatisfy { $0.resumed })
        #expect(Set(alice.connections.map(\.nodeId)) == ["a", "b"])
        #expect(bob.presence(of: room).count == 1)
        #expect(bob.rosterFaults(of: room, against: try await nodes[0].members(of: room)) == [])
        await alice.close()
        try await eventually("the word of alice's going") { bob.presence(of: room).count == 2 }
        await bob.close()
        withExtendedLifetime((redis, nodes)) {}
    }

    @Test func `what a client publishes while its connections are cut is stored once, in its order`() async throws {
        let redis = try RedisServerProcess()
        let nodes = try await nodes(redis)
        let alice = try await Participant.connect(to: nodes[0].clientURL, as: "alice") {
            $0.otherURLs = [nodes[1].clientURL]
            $0.firstDelay = .milliseconds(50)
        }
        try await alice.join("r")
        var acks: [Int] = []
        for number in 1...50 {
            async let ack = alice.client.publish(Array("\(number)".utf8), to: "r")
            if number % 10 == 5 { alice.drop() }
            acks.append(try await ack.seq)
        }
        #expect(acks == Array(1...50))
        try await eventually("the stream") { alice.latest(of: "r") == 50 }
        #expect(alice.payloads(of: "r") == (1...50).map { "\($0)" })
        #expect(alice.faults(of: "r", upTo: 50) == [])
        #expect(alice.gaps.isEmpty)
        await alice.close()
        withExtendedLifetime((redis, nodes)) {}
    }

    @Test func `the inbox and everyone's stream go on across a killed node`() async throws {
        let redis = try RedisServerProcess()
        let nodes = try await nodes(redis)
        let alice = try await Participant.connect(to: nodes[0].clientURL, as: "alice") {
            $0.otherURLs = [nodes[1].clientURL]
            $0.firstDelay = .milliseconds(50)
        }
        try await alice.join("r")
        func push(_ number: Int) async throws {
            let to = [#"{"users":["alice"]}"#, #"{"everyone":true}"#, #"{"rooms":["r"]}"#]
            for target in to {
                let answer = try await nodes[1].request(
                    "POST", "/v1/broadcast", body: #"{"to":\#(target),"payload":\#(number)}"#)
                #expect(answer.status == 200)
            }
        }
        for number in 1...5 { try await push(number) }
        nodes[0].kill9()
        for number in 6...20 { try await push(number) }
        for name in ["@alice", "*", "r"] {
            try await eventually("\(name) up to 20") { alice.latest(of: name) == 20 }
            #expect(alice.faults(of: name, upTo: 20) == [])
            #expect(alice.payloads(of: name) == (1...20).map { "\($0)" })
        }
        #expect(alice.gaps.isEmpty)
        await alice.close()
        withExtendedLifetime((redis, nodes)) {}
    }

    @Test func `a node that is killed and started again has its clients back, joined, without anything typed`()
        async throws
    {
        let redis = try RedisServerProcess()
        let first = try await NodeProcess.start(nodeId: "a", redisURL: redis.url)
        let other = try await NodeProcess.start(nodeId: "b", redisURL: redis.url)
        let alice = try await Participant.connect(to: first.clientURL, as: "alice") { $0.maxDelay = .seconds(2) }
        try await alice.join("r")
        first.kill9()
        let again = try await NodeProcess.start(
            nodeId: "a", redisURL: redis.url, environment: ["MARTLET_CLIENT_PORT": "\(first.clientPort)"])
        try await eventually("the rejoin") {
            alice.events.contains { if case .rejoined("r", _) = $0 { true } else { false } }
        }
        let answer = try await other.request("POST", "/v1/broadcast", body: #"{"to":{"rooms":["r"]},"payload":1}"#)
        #expect(answer.status == 200)
        try await eventually("delivery") { alice.latest(of: "r") == 1 }
        withExtendedLifetime((redis, other, again)) {}
    }
}
