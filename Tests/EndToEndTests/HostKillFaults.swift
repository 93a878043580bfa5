import Foundation
import GatewayCore
import RedisBackend
import TestKit
import Testing
import TestSupport

/// The host's chair when nodes are killed.
@Suite("The host's chair when nodes die", .serialized)
struct HostKillFaults {
    /// A room whose partition this node coordinates.
    private func room(coordinatedBy node: String, _ fleet: Fleet, _ number: Int) async throws -> String {
        for attempt in 0..<500 {
            let name = "class-\(number)-\(attempt)"
            let key = Keys(prefix: "m").coordinator(Partition(of: RoomName(unchecked: name))).name
            if try await fleet.redis.cli("GET", key).hasPrefix("\(node):") { return name }
        }
        throw NeverHappened(description: "\(node) coordinates nothing")
    }

    /// A class on three nodes, its host on one of them; those that are watched are on the first.
    private func begin(_ room: String, host: NodeProcess, _ observer: NodeProcess) async throws -> [WireClient] {
        let teacher = try await WireClient.connect(to: host, as: "teacher")
        try await teacher.join(room)
        var clients = [teacher]
        for user in ["ann", "ben", "cid"] {
            let client = try await WireClient.connect(to: observer, as: user)
            try await client.join(room)
            clients.append(client)
        }
        for (user, role) in [("teacher", "host"), ("cid", "moderator")] {
            let given = try await observer.request(
                "PUT", "/v1/rooms/\(room)/members/\(user)", body: #"{"role":"\#(role)"}"#)
            #expect(given.status == 200)
        }
        for client in clients { try await client.frame("room") { $0.string("event") == "host" } }
        return clients
    }

    private func changes(_ client: WireClient) -> [String] {
        client.frames("room").filter { $0.string("event") == "host" }.compactMap { $0.string("userId") }
    }

    /// How long it took until all were told, each once.
    private func handedOver(_ clients: ArraySlice<WireClient>, since killed: ContinuousClock.Instant) async throws
        -> Duration
    {
        for client in clients {
            try await client.frame("room") { $0.string("userId") == "cid" && $0.string("event") == "host" }
        }
        return ContinuousClock.now - killed
    }

    @Test func `the host's node is killed: all are told of one new host within 5 s, ten times`() async throws {
        let fleet = try await Fleet.start(2)
        var times: [Duration] = []
        for run in 0..<10 {
            let node = try await NodeProcess.start(nodeId: "h\(run)", redisURL: fleet.redis.url)
            try await eventually("readiness") { try await node.request("GET", "/readyz").status == 200 }
            try await fleet.wait(.seconds(2))
            let room = "class-\(run)"
            let clients = try await begin(room, host: node, fleet.nodes[0])
            let killed = ContinuousClock.now
            node.kill9()
            times.append(try await handedOver(clients.dropFirst(), since: killed))
            try await fleet.wait(.seconds(1))
            for client in clients.dropFirst() { #expect(changes(client) == ["teacher", "cid"]) }
            let shown = try await fleet.nodes[1].request("GET", "/v1/rooms/\(room)").json
            #expect(shown?["host"] as? String == "cid")
            let ledger = try await fleet.ledger().filter { $0.type == "room.host_changed" && $0.room == room }
            #expect(ledger.map(\.user) == ["teacher", "cid"])
        }
        print("a new host after the kill of the host's node: \(times.map { "\($0)" }.sorted().joined(separator: ", "))")
        #expect(times.max() ?? .seconds(99) <= .seconds(5))
    }

    enum Victims: CaseIterable {
        /// The host's node coordinates the room's partition.
        case one
        /// The host's node and the coordinator's.
        case both
        /// The coordinator's, as the host says farewell.
        case coordinator
    }

    @Test(arguments: Victims.allCases)
    func `with the coordinator's node killed in the same second the host changes once`(_ victims: Victims) async throws
    {
        let fleet = try await Fleet.start(4)
        let (observer, host) = (fleet.nodes[0], fleet.nodes[3])
        let coordinator = victims == .one ? host : fleet.nodes[2]
        let room = try await room(coordinatedBy: victims == .one ? "n3" : "n2", fleet, 1)
        let clients = try await begin(room, host: host, observer)
        let killed = ContinuousClock.now
        if victims == .coordinator { clients[0].close() } else { host.kill9() }
        if victims != .one { coordinator.kill9() }
        let time = try await handedOver(clients.dropFirst(), since: killed)
        print("a new host, \(victims): \(time)")
        #expect(time <= .seconds(6))
        try await fleet.wait(.seconds(3))
        for client in clients.dropFirst() { #expect(changes(client) == ["teacher", "cid"]) }
        let ledger = try await fleet.ledger().filter { $0.type == "room.host_changed" && $0.room == room }
        #expect(ledger.map(\.user) == ["teacher", "cid"])
    }
}
