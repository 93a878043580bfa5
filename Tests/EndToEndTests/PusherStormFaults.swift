import Foundation
import StormJudge
import Synchronization
import TestKit
import Testing
import TestSupport

/// A hundred native clients and a hundred of an app in the same rooms while something breaks: to native ones nothing is lost
/// or comes twice, and both kinds see the same roster afterwards, which another app sees nothing of.
@Suite("Storms over rooms of both kinds of clients", .serialized)
final class PusherStormFaults {
    private static let hall = "presence-hall"
    private static let clients = 100
    private static let otherSecret = "another-apps-secret"

    /// The nodes, the storm of native clients, and the app's clients beside them.
    private struct Ground {
        let storm: Storm
        let members: [PusherMember]
        let hostile: PusherClient

        var fleet: Fleet { storm.fleet }
        var everybody: Set<String> { Set(members.map(\.user) + storm.clients.map(\.user)) }
    }

    /// The settings of a node with two apps, of which the second one is nobody's friend.
    private let settings: String

    init() throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "martlet-apps-\(UUID().uuidString).yaml")
        try """
        pusher:
          apps:
            - id: "1"
              key: key
              secret: \(PusherClient.secret)
            - id: "2"
              key: other
              secret: \(Self.otherSecret)
        """.write(to: file, atomically: true, encoding: .utf8)
        settings = file.path()
    }

    deinit { unlink(settings) }

    private func begin(on fleet: Fleet) async throws -> Ground {
        let hostile = try await PusherClient.connect(to: fleet.nodes[0], key: "other", secret: Self.otherSecret)
        try await hostile.signIn(as: "client-1")
        for room in Storm.rooms { try await hostile.subscribe(room) }
        try await hostile.subscribe(Self.hall, as: "mallory")
        try await hostile.subscribe("#server-to-user-client-1")
        let storm = try await Storm.begin(on: fleet, clients: Self.clients)
        _ = try await each(storm.clients, width: 8) { try await $0.join(Self.hall) }
        let members = try await each(Array(0..<Self.clients), width: 8) { number in
            try await PusherMember.begin(
                "pusher-\(number)", in: Self.hall, and: Storm.rooms, on: fleet.nodes, first: number)
        }
        return Ground(storm: storm, members: members, hostile: hostile)
    }

    /// What both kinds see, once they are all back.
    private func judge(_ ground: Ground, _ name: String) async throws {
        for member in ground.members { try await eventually("\(member.user)'s return") { member.isIn } }
        let living = ground.storm.nodes.withLock { $0 }
        for (number, node) in living.enumerated() {
            try await eventually("everybody's being there, by node \(number)") {
                try await ground.fleet.members(of: Self.hall, by: node) == ground.everybody
            }
        }
        for member in ground.members {
            try await eventually("\(member.user)'s roster, \(name)") { member.roster == ground.everybody }
        }
        let read = try await each(ground.storm.clients, width: 8) { try await $0.readRoster(of: Self.hall) }
        #expect(read.allSatisfy { $0 == ground.everybody })
        // On each connection messages come once, and all see them in one order.
        for room in Storm.rooms {
            let runs = ground.members.flatMap { member in
                member.clients.map { client in
                    client.frames("message", on: room).compactMap { $0.string.flatMap { Int($0) } }
                }
            }
            let longest = runs.max { $0.count < $1.count } ?? []
            #expect(longest.count > 50)
            let places = Dictionary(longest.enumerated().map { ($1, $0) }) { first, _ in first }
            #expect(places.count == longest.count, "\(room): doubled")
            for run in runs {
                #expect(run.count == Set(run).count, "\(room): doubled")
                let order = run.compactMap { places[$0] }
                #expect(order == order.sorted(), "\(room): out of order")
            }
        }
        let foreign = ground.hostile.frames.filter {
            !["pusher:connection_established", "pusher:signin_success", "pusher:pong"].contains($0.event)
                && $0.event != "pusher_internal:subscription_succeeded"
        }
        #expect(foreign.isEmpty, "another app was told: \(foreign.prefix(3))")
        #expect(ground.hostile.members(of: Self.hall) == ["mallory"])
        print("\(name): \(ground.members.reduce(0) { $0 + $1.closings.count }) connections of the app closed")
    }

    private func end(_ ground: Ground) {
        for member in ground.members { member.end() }
    }

    @Test func `clients cut, and a node killed`() async throws {
        let fleet = try await Fleet.start(
            3, environment: ["MARTLET_PRESENCE_GRACE": "30s"], configuration: settings)
        let ground = try await begin(on: fleet)
        try await ground.storm.publish(for: .seconds(8)) {
            for round in 1...10 {
                try await fleet.wait(.milliseconds(200))
                for index in 0..<3 {
                    ground.storm.clients[(round * 7 + index * 11) % Self.clients].reset()
                    ground.members[(round * 13 + index * 17) % Self.clients].abort()
                }
            }
            fleet.nodes[2].kill9()
            ground.storm.nodes.withLock { $0 = Array(fleet.nodes[..<2]) }
        }
        try await judge(ground, "cuts and a killed node")
        try await ground.storm.judge("cuts and a killed node, native clients")
        #expect(ground.members.allSatisfy { $0.removed.isEmpty })
        end(ground)
    }

    @Test func `the links to Redis cut for 3 s, twice`() async throws {
        let redis = try RedisServerProcess()
        let proxy = try await FaultProxy.start(target: .unix(path: redis.socketPath))
        let fleet = try await Fleet.over(redis, configuration: settings) { _, _ in
            "redis://127.0.0.1:\(proxy.port)"
        }
        let ground = try await begin(on: fleet)
        try await ground.storm.publish(for: .seconds(10)) {
            try await fleet.cutTwice(proxy)
        }
        try await judge(ground, "links cut")
        try await ground.storm.judge("links cut, native clients", staying: false)
        #expect(ground.members.allSatisfy { $0.closings.isEmpty })
        end(ground)
        try await proxy.stop()
    }

    @Test func `the primary killed under Sentinel`() async throws {
        let group = try await SentinelGroup.start()
        let fleet = try await Fleet.over(group.servers[0], configuration: settings) { _, _ in group.url }
        let ground = try await begin(on: fleet)
        try await ground.storm.publish(for: .seconds(12)) {
            try await fleet.wait(.seconds(1))
            group.servers[0].kill9()
            _ = try await group.promoted()
        }
        try await judge(ground, "crash failover")
        try await ground.storm.judge(
            "crash failover, native clients", ledger: try await group.promoted(), allowsGaps: true)
        end(ground)
        group.stop()
    }

    @Test func `Redis back empty`() async throws {
        let fleet = try await Fleet.start(2, configuration: settings)
        let ground = try await begin(on: fleet)
        try await ground.storm.publish(for: .seconds(6)) {
            try await fleet.wait(.seconds(2))
            try fleet.redis.restart(keepingData: false)
        }
        try await judge(ground, "Redis empty")
        try await ground.storm.judge("Redis empty, native clients", allowsGaps: true)
        end(ground)
    }
}
