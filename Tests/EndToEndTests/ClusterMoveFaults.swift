import Foundation
import RedisBackend
import Synchronization
import TestKit
import Testing
import TestSupport

/// Users who come, are written to and are killed while the slots where they lie go from server to server.
@Suite("Users in slots on the move", .serialized)
struct ClusterMoveFaults {
    private static let kinds: [(RedisServerProcess.Engine, ClusterGroup.MoveKind)] = [
        (.redis, .classic(keysAtOnce: 4, pause: .milliseconds(5))), (.valkey, .atomic),
    ]

    /// Moves what is tagged so to the shard behind its own, `act` being done meanwhile.
    private static func moving(
        _ tags: [String], of group: ClusterGroup, _ kind: ClusterGroup.MoveKind,
        while act: @escaping @Sendable () async throws -> Void = {}
    ) async throws {
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await act() }
            let slots = try await group.slots(of: tags)
            let owners = try await each(slots) { try await group.primary(of: $0).shard }
            for shard in 0..<3 {
                let own = zip(slots, owners).filter { $0.1 == shard }.map(\.0)
                try await group.moveSlots(own, to: (shard + 1) % 3, kind)
            }
            try await tasks.waitForAll()
        }
    }

    /// The index stays: on another server it has a grace, in which nobody is taken for dead.
    @Test(arguments: kinds)
    func `a node killed while slots move: its users are told to be gone, each once, and nobody else is`(
        _ engine: RedisServerProcess.Engine, _ kind: ClusterGroup.MoveKind
    ) async throws {
        var options = ClusterGroup.Options()
        (options.engine, options.replicas) = (engine, 0)
        let group = try await ClusterGroup.start(options)
        let fleet = try await Fleet.over(group, 3)
        let watcher = try await WireClient.connect(to: fleet.nodes[0], as: "watcher")
        let rooms = (0..<10).map { "room-\($0)" }
        for room in rooms { try await watcher.join(room) }
        let users = (0..<120).map { "user-\($0)" }
        let clients = try await each(Array(users.enumerated())) { number, user in
            let client = try await WireClient.connect(to: fleet.nodes[number % 2 + 1], as: user)
            try await client.join(rooms[number % 10])
            return client
        }
        let leaving = Set(clients.enumerated().filter { $0.offset % 2 == 1 }.map(\.element.user))
        let killed = Mutex<ContinuousClock.Instant?>(nil)
        try await Self.moving(Partition.tags, of: group, kind) {
            try await fleet.wait(.milliseconds(100))
            fleet.nodes[2].kill9()
            killed.withLock { $0 = .now }
        }
        let moved = ContinuousClock.now
        let (_, _, slowness) = try await Slowness.beside {
            try await eventually("the end of its users") {
                try await fleet.online(users, by: fleet.nodes[0]) == Set(users).subtracting(leaving)
            }
        }
        let gone = ContinuousClock.now
        let death = try #require(killed.withLock { $0 })
        print("\(engine): moved \(moved - death) after the kill, all gone \(gone - death) after it")
        // A partition that stands still while it moves is told of it afterwards.
        #expect(gone - max(death, moved) <= .seconds(5) * slowness)
        // What is told a second time comes at the next look of some node.
        try await fleet.wait(.seconds(3))
        let ledger = try await fleet.ledger()
        let offline = ledger.filter { $0.type == "user.offline" }.map(\.user)
        #expect(offline.sorted() == leaving.sorted())
        #expect(ledger.filter { $0.type == "member.left" }.map(\.user).sorted() == leaving.sorted())
        let told = watcher.frames("presence").flatMap(\.steps).filter { $0.hasPrefix("leave") }
        #expect(told.sorted() == leaving.map { "leave \($0)" }.sorted())
        for (number, room) in rooms.enumerated() {
            let staying = users.enumerated().filter { $0.offset % 10 == number && $0.offset % 2 == 0 }.map(\.element)
            let members = try await fleet.members(of: room, by: fleet.nodes[1])
            #expect(members == Set(staying + ["watcher"]))
        }
        withExtendedLifetime(clients) {}
        try await group.stop()
    }

    @Test(arguments: kinds)
    func `who connects while slots move gets what is sent to the inbox from then on, once`(
        _ engine: RedisServerProcess.Engine, _ kind: ClusterGroup.MoveKind
    ) async throws {
        var options = ClusterGroup.Options()
        (options.engine, options.replicas) = (engine, 0)
        let group = try await ClusterGroup.start(options)
        let fleet = try await Fleet.over(group)
        let arrivals = Arrivals()
        async let came: Void = withThrowingTaskGroup(of: Void.self) { tasks in
            for lane in 0..<4 { tasks.addTask { try await arrivals.come(to: fleet, as: "user-\(lane)") } }
            try await tasks.waitForAll()
        }
        try await Self.moving(Partition.tags + ["nodes"], of: group, kind)
        arrivals.end()
        try await came
        let all = arrivals.clients
        print("\(engine): \(all.count) users connected while 65 slots moved")
        #expect(all.count >= 20)
        for client in all {
            try await eventually("\(client.user)'s message") { !client.frames("message").isEmpty }
        }
        try await fleet.wait(.seconds(1))
        for client in all {
            #expect(client.frames("message").map { $0.string("payload") } == ["hello"])
            #expect(client.frames("gap").isEmpty && client.isOpen)
        }
        try await group.stop()
    }
}

/// Users who connect one after the other and are written to at once.
private final class Arrivals: Sendable {
    private let state = Mutex<(isOver: Bool, clients: [WireClient])>((false, []))

    var clients: [WireClient] { state.withLock { $0.clients } }

    func end() { state.withLock { $0.isOver = true } }

    func come(to fleet: Fleet, as name: String) async throws {
        var number = 0
        while !state.withLock({ $0.isOver }) {
            let user = "\(name)-\(number)"
            let (node, other) = (fleet.nodes[number % 2], fleet.nodes[(number + 1) % 2])
            let client = try await WireClient.connect(to: node, as: user)
            let body = #"{"to":{"users":["\#(user)"]},"payload":"hello","idempotencyKey":"\#(user)"}"#
            try await eventually("the acknowledgement for \(user)") {
                try await other.request("POST", "/v1/broadcast", body: body).status == 200
            }
            state.withLock { $0.clients.append(client) }
            number += 1
        }
    }
}
