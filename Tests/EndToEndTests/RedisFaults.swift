import MartletClient
import Synchronization
import TestKit
import Testing
import TestSupport

/// What happens to Redis while clients are at work; one after the other, since each loads the machine.
@Suite("Redis under fire", .serialized)
struct RedisFaults {
    private static let rooms = (0..<5).map { "room-\($0)" }

    @Test func `Redis killed and started again under load: clients stay, acknowledged messages arrive once`()
        async throws
    {
        var options = RedisServerProcess.Options()
        options.appendOnly = true
        options.appendFsync = "always"
        let cluster = try await Cluster.start(options)
        let members = try await Self.members(40, on: cluster)
        let tally = Tally()

        try await withThrowingTaskGroup(of: Void.self) { group in
            for worker in 0..<10 {
                group.addTask {
                    for index in 0..<100 {
                        let room = Self.rooms[(worker + index) % Self.rooms.count]
                        let answer = try await cluster.nodes[(worker + index) % 2].request(
                            "POST", "/v1/broadcast",
                            body: #"{"to":{"rooms":["\#(room)"]},"payload":"\#(worker)-\#(index)"}"#)
                        if answer.status == 200, let seq = Self.seq(in: answer.body) {
                            tally.acknowledge(seq, in: room)
                        } else {
                            tally.refuse()
                        }
                    }
                }
            }
            try await eventually("a third of the load", within: .seconds(60)) {
                tally.acknowledged > 300
            }
            cluster.redis.kill9()
            try cluster.redis.restart(keepingData: true)
            try await group.waitForAll()
        }
        try await cluster.ready()

        for room in Self.rooms {
            let last = try await Self.head(of: room, cluster.nodes[0])
            for member in members {
                try await eventually("\(room) up to \(last)") { member.latest(of: room) >= last }
                #expect(member.faults(of: room, upTo: last) == [])
                let seen = Set(member.messages(of: room).map(\.seq))
                #expect(tally.acknowledged(in: room).isSubset(of: seen))
            }
        }
        for member in members {
            #expect(!member.events.contains { if case .disconnected = $0 { true } else { false } })
            #expect(!member.events.contains { if case .gap = $0 { true } else { false } })
        }
        print("acknowledged \(tally.acknowledged), refused \(tally.refused), members \(members.count)")
    }

    @Test func `Redis stopped for good: requests are refused within the deadline, sockets stay, readiness says so`()
        async throws
    {
        let cluster = try await Cluster.start()
        let alice = try await Participant.connect(to: cluster.nodes[0].clientURL, as: "alice")
        try await alice.join("r")
        cluster.redis.kill9()
        try await eventually("unreadiness") { try await cluster.nodes[0].request("GET", "/readyz").status == 503 }
        do {
            _ = try await alice.client.publish(Array("1".utf8), to: "r")
            Issue.record("published without a Redis")
        } catch {
            guard case MartletClient.Failure.refused("unavailable", _, _) = error else {
                Issue.record("another failure: \(error)")
                return
            }
        }
        let answer = try await cluster.nodes[1].request(
            "POST", "/v1/broadcast", body: #"{"to":{"rooms":["r"]},"payload":1}"#)
        #expect(answer.status == 503)
        #expect(try await cluster.nodes[0].request("GET", "/healthz").status == 200)
        try cluster.redis.restart(keepingData: false)
        try await cluster.ready()
        _ = try await alice.client.publish(Array("2".utf8), to: "r")
        try await eventually("delivery") { alice.payloads(of: "r") == ["2"] }
        #expect(!alice.events.contains { if case .disconnected = $0 { true } else { false } })
    }

    @Test func `Redis paused for longer than the deadline: unavailable, then all is as before`() async throws {
        let cluster = try await Cluster.start(environment: ["MARTLET_REDIS_COMMAND_TIMEOUT": "1s"])
        let alice = try await Participant.connect(to: cluster.nodes[0].clientURL, as: "alice")
        try await alice.join("r")
        _ = try await alice.client.publish(Array("1".utf8), to: "r")
        cluster.redis.pause()
        await #expect(throws: MartletClient.Failure.self) { try await alice.client.publish(Array("2".utf8), to: "r") }
        cluster.redis.resume()
        try await cluster.ready()
        _ = try await alice.client.publish(Array("3".utf8), to: "r")
        try await eventually("delivery") { alice.payloads(of: "r").last == "3" }
        #expect(alice.faults(of: "r", upTo: alice.latest(of: "r")) == [])
    }

    @Test func `a full Redis: unavailable with the reason in the log, and the node lives on`() async throws {
        let cluster = try await Cluster.start()
        let alice = try await Participant.connect(to: cluster.nodes[0].clientURL, as: "alice")
        try await alice.join("r")
        _ = try await cluster.redis.cli("CONFIG", "SET", "maxmemory", "1mb")
        await #expect(throws: MartletClient.Failure.self) { try await alice.client.publish(Array("1".utf8), to: "r") }
        try await cluster.nodes[0].logged("OOM")
        // Nobody new can be registered, and whoever comes waits until there is room.
        async let connected = Participant.connect(to: cluster.nodes[1].clientURL, as: "bob")
        _ = try await cluster.redis.cli("CONFIG", "SET", "maxmemory", "0")
        let bob = try await connected
        try await bob.join("r")
        _ = try await bob.client.publish(Array("2".utf8), to: "r")
        try await eventually("delivery") { alice.payloads(of: "r") == ["2"] }
    }

    private static func members(_ count: Int, on cluster: Cluster) async throws -> [Participant] {
        var members: [Participant] = []
        for index in 0..<count {
            let member = try await Participant.connect(to: cluster.nodes[index % 2].clientURL, as: "user-\(index)")
            for room in rooms { try await member.join(room) }
            members.append(member)
        }
        return members
    }

    private static func seq(in body: String) -> Int? {
        guard let range = body.range(of: #""seq":"#) else { return nil }
        return Int(body[range.upperBound...].prefix(while: \.isNumber))
    }

    private static func head(of room: String, _ node: NodeProcess) async throws -> Int {
        let page = try await node.request("GET", "/v1/rooms/\(room)/messages?limit=1")
        return seq(in: page.body) ?? 0
    }
}

/// Counts what a load was answered.
private final class Tally: Sendable {
    private let seqs = Mutex<[String: Set<Int>]>([:])
    private let refusals = Mutex(0)

    var acknowledged: Int { seqs.withLock { $0.values.reduce(0) { $0 + $1.count } } }
    var refused: Int { refusals.withLock { $0 } }

    func acknowledged(in room: String) -> Set<Int> { seqs.withLock { $0[room] ?? [] } }
    func acknowledge(_ seq: Int, in room: String) { seqs.withLock { _ = $0[room, default: []].insert(seq) } }
    func refuse() { refusals.withLock { $0 += 1 } }
}
