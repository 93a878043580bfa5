import Foundation
import GatewayCore
import NIOCore
import NIOPosix
import RedisBackend
import Synchronization
import TestKit
import Testing

/// What should be true, kept in memory while the same is done to real nodes.
struct PresenceModel {
    struct Connection {
        let slot: Int
        let user: String
        var rooms: Set<String> = []
    }

    private(set) var connections: [String: Connection] = [:]
    /// Since the last `forgetRound`: the events that must have been told of each user, while it is certain.
    private(set) var expected: [String: [String]] = [:]
    /// Users whose events depend on when a grace or a lease ended.
    private(set) var uncertain: Set<String> = []
    /// What happened to each user in this round: none can have gone offline more often.
    private(set) var happenings: [String: Int] = [:]

    func live(_ user: String) -> Int { connections.values.count { $0.user == user } }

    func present(_ user: String, in room: String) -> Int {
        connections.values.count { $0.user == user && $0.rooms.contains(room) }
    }

    var online: Set<String> { Set(connections.values.map(\.user)) }

    func members(of room: String) -> [String: Int] {
        connections.values.filter { $0.rooms.contains(room) }.reduce(into: [:]) { $0[$1.user, default: 0] += 1 }
    }

    mutating func connect(_ id: String, _ user: String, slot: Int) {
        happenings[user, default: 0] += 1
        if live(user) == 0 { expected[user, default: []].append("user.online \(user)") }
        connections[id] = Connection(slot: slot, user: user)
    }

    mutating func join(_ id: String, _ room: String) {
        guard let user = connections[id]?.user else { return }
        happenings[user, default: 0] += 1
        if present(user, in: room) == 0 { expected[user, default: []].append("member.joined \(user) \(room)") }
        connections[id]?.rooms.insert(room)
    }

    mutating func leave(_ id: String, _ room: String, cause: String = "explicit") {
        guard let user = connections[id]?.user, connections[id]?.rooms.remove(room) != nil else { return }
        happenings[user, default: 0] += 1
        if present(user, in: room) == 0 { expected[user, default: []].append("member.left \(user) \(room) \(cause)") }
    }

    mutating func close(_ id: String, isAbrupt: Bool) {
        guard let connection = connections[id] else { return }
        for room in connection.rooms { leave(id, room, cause: "closed") }
        connections[id] = nil
        happenings[connection.user, default: 0] += 1
        if live(connection.user) == 0 {
            expected[connection.user, default: []].append("user.offline \(connection.user) closed")
        }
        if isAbrupt { uncertain.insert(connection.user) }
    }

    /// From here on nothing exact can be said of those who are on this node in this round.
    mutating func doubt(slot: Int) {
        for connection in connections.values where connection.slot == slot { doubt(connection.user) }
    }

    mutating func doubt(_ user: String) {
        uncertain.insert(user)
        happenings[user, default: 0] += 1
    }

    mutating func kill(slot: Int) {
        doubt(slot: slot)
        connections = connections.filter { $0.value.slot != slot }
    }

    mutating func forgetRound() {
        expected = [:]
        uncertain = []
        happenings = [:]
    }
}

/// Random connects, joins, losses and faults on real nodes, compared with the model after each round.
@Suite("Presence against a model", .serialized)
struct PresenceModelTests {
    private enum Fault: CaseIterable {
        case none, kill, longCut, shortCut, stall, pausedRedis
    }

    private static let slots = 4
    private static let rooms = (0..<6).map { "room-\($0)" }
    private static let users = (0..<24).map { "user-\($0)" }

    @Test("after thousands of random steps and faults, rosters, counts and ledger are the model's")
    func randomSteps() async throws {
        let given = ProcessInfo.processInfo.environment["MARTLET_TEST_SEED"].flatMap(UInt64.init)
        let seed = given ?? UInt64.random(in: 0...UInt64(UInt32.max))
        print("presence model: seed \(seed)")
        let run = try await ModelRun(seed: seed, slots: PresenceModelTests.slots)
        for round in 0..<14 {
            let fault = round == 0 ? .none : Fault.allCases[round % Fault.allCases.count]
            try await play(run, fault, steps: 240)
            try await run.settle(
                "round \(round), \(fault), seed \(seed)", users: PresenceModelTests.users,
                rooms: PresenceModelTests.rooms)
        }
        print("presence model: \(run.steps) steps, \(run.told) transitions told")
        try await run.stop()
    }

    private func play(_ run: ModelRun, _ fault: Fault, steps: Int) async throws {
        let slot = run.random(PresenceModelTests.slots)
        for step in 0..<steps {
            if step == steps / 3 { try await begin(fault, run, slot) }
            if step == 2 * steps / 3 { try await end(fault, run, slot) }
            try await run.step(users: PresenceModelTests.users, rooms: PresenceModelTests.rooms)
        }
    }

    private func begin(_ fault: Fault, _ run: ModelRun, _ slot: Int) async throws {
        switch fault {
        case .none:
            break
        case .kill:
            run.model.kill(slot: slot)
            run.dead.insert(slot)
            try await run.nodes[slot].kill()
        case .longCut, .shortCut:
            run.model.doubt(slot: slot)
            run.unreachable.insert(slot)
            try await run.nodes[slot].cut()
        case .stall:
            run.model.doubt(slot: slot)
            run.unreachable.insert(slot)
            try await run.nodes[slot].proxy.treat(.toServer, .hold)
        case .pausedRedis:
            run.unreachable = Set(0..<PresenceModelTests.slots)
            for user in PresenceModelTests.users { run.model.doubt(user) }
            run.redis.pause()
        }
    }

    private func end(_ fault: Fault, _ run: ModelRun, _ slot: Int) async throws {
        let lease = run.settings.lease
        switch fault {
        case .none:
            break
        case .kill:
            try await run.replace(slot)
        case .longCut:
            try await run.wait(lease * 2)
            try await run.nodes[slot].heal()
        case .shortCut:
            try await run.nodes[slot].heal()
        case .stall:
            try await run.wait(lease * 2)
            try await run.nodes[slot].proxy.treat(.toServer, .pass)
        case .pausedRedis:
            try await run.wait(lease * 2)
            run.redis.resume()
        }
    }
}

/// The real side of a run, and the model beside it.
final class ModelRun {
    let redis: RedisServerProcess
    let observer: Observer
    let settings = PresenceSettings.brisk(lease: .milliseconds(450), grace: .milliseconds(250))
    let loop = MultiThreadedEventLoopGroup.singleton.next()
    var nodes: [PresenceNode] = []
    var model = PresenceModel()
    /// Slots whose node is gone for good until it is replaced.
    var dead: Set<Int> = []
    /// Slots whose calls wait just now.
    var unreachable: Set<Int> = []
    private let joins = Joins()
    private(set) var steps = 0
    private(set) var told = 0
    private var generator: SplitMix
    private var number = 0
    private var onlineBefore: Set<String> = []
    private var membersBefore: [String: Set<String>] = [:]
    private var versionsBefore: [String: Int64] = [:]
    /// The last entry read of each partition's ledger.
    private var marks: [Int: String] = [:]

    init(seed: UInt64, slots: Int) async throws {
        redis = try RedisServerProcess()
        observer = try Observer(redis)
        generator = SplitMix(state: seed)
        for slot in 0..<slots {
            nodes.append(try await PresenceNode.start("n\(slot)", on: redis, settings: settings, loop: loop))
        }
    }

    func random(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &generator) }

    /// A new process under the same name, as an orchestrator starts it.
    func replace(_ slot: Int) async throws {
        nodes[slot] = try await PresenceNode.start("n\(slot)", on: redis, settings: settings, loop: loop)
        dead.remove(slot)
    }

    func wait(_ duration: Duration) async throws {
        let end = ContinuousClock.now + duration
        try await eventually { ContinuousClock.now > end }
    }

    /// One random step, done to the model and to a node; done when Redis has it, unless the node cannot reach Redis.
    func step(users: [String], rooms: [String]) async throws {
        steps += 1
        let ids = model.connections.keys.sorted()
        // Few enough connections that users come and go all the time.
        let choice = ids.count < 8 ? 0 : ids.count > 28 ? 75 + random(25) : random(100)
        if choice < 30 || ids.isEmpty {
            let slot = random(nodes.count)
            guard !dead.contains(slot) else { return }
            number += 1
            let (id, user) = ("c\(number)", users[random(users.count)])
            model.connect(id, user, slot: slot)
            let userId = UserID(unchecked: user)
            nodes[slot].presence.connect(
                PresenceConnection(id: id, userId: userId, address: ""), resuming: nil
            ) { _ in }
            return try await carriedOut(slot, user)
        }
        let id = ids[random(ids.count)]
        guard let connection = model.connections[id] else { return }
        let presence = nodes[connection.slot].presence
        let room = rooms[random(rooms.count)]
        if choice < 65 {
            let isNew = !connection.rooms.contains(room)
            model.join(id, room)
            joins.begin()
            presence.join(RoomName(unchecked: room), connection: id, info: Array("{}".utf8)) { [joins] result in
                // A client that is told of a failure is not in the room.
                var isFailed = false
                if isNew, case .failure = result { isFailed = true }
                joins.end(id, room, isFailed: isFailed)
            }
        } else if choice < 75 {
            model.leave(id, room)
            presence.leave(RoomName(unchecked: room), connection: id)
        } else {
            let isAbrupt = choice >= 92
            model.close(id, isAbrupt: isAbrupt)
            presence.disconnect(id, isAbrupt ? .abrupt(.lost) : .farewell(.closed))
        }
        try await carriedOut(connection.slot, connection.user)
    }

    private func carriedOut(_ slot: Int, _ user: String) async throws {
        guard !unreachable.contains(slot) else { return model.doubt(user) }
        // Behind what the call has put on the loop, and behind that on the link.
        try await loop.submit {}.get()
        _ = try await nodes[slot].directory.room(RoomName(unchecked: "none"))
    }

    /// Waits until all graces and leases are over, then compares everything.
    func settle(_ what: String, users: [String], rooms: [String]) async throws {
        unreachable = []
        try await eventually("answers in \(what)") { [joins] in joins.areAnswered }
        for (id, room) in joins.takeFailed() {
            if let user = model.connections[id]?.user { model.doubt(user) }
            model.leave(id, room)
        }
        let model = model
        let reader = nodes[random(nodes.count)].directory
        do {
            try await eventually("agreement in \(what)", within: .seconds(10)) { [nodes, observer, redis] in
                guard nodes.allSatisfy({ $0.backend.problem == nil }) else { return false }
                guard try await redis.cli("KEYS", "*:linger").isEmpty else { return false }
                let statuses = try await reader.statuses(of: users.map { UserID(unchecked: $0) })
                guard Set(statuses.filter(\.isOnline).map(\.userId.string)) == model.online else { return false }
                for room in rooms where try await ModelRun.members(of: room, reader) != model.members(of: room) {
                    return false
                }
                return try await Set(observer.holders().map { $0.prefix(2) }).count == observer.holders().count
            }
        } catch is NeverHappened {
            try await explain(what, reader, users: users, rooms: rooms)
        }
        for user in users {
            let record = try await reader.user(UserID(unchecked: user))
            #expect(record?.connections.count ?? 0 == model.live(user), "\(what): connections of \(user)")
        }
        try await compareLedger(what, reader, rooms: rooms)
        self.model.forgetRound()
    }

    private static func members(of room: String, _ reader: any PresenceDirectory) async throws -> [String: Int] {
        let page = try await reader.members(of: RoomName(unchecked: room), limit: 1000, cursor: nil)
        return Dictionary(page.members.map { ($0.userId.string, $0.connections) }) { first, _ in first }
    }

    private func explain(
        _ what: String, _ reader: any PresenceDirectory, users: [String], rooms: [String]
    ) async throws {
        let statuses = try await reader.statuses(of: users.map { UserID(unchecked: $0) })
        #expect(Set(statuses.filter(\.isOnline).map(\.userId.string)) == model.online, "\(what): online")
        for room in rooms {
            let members = try await ModelRun.members(of: room, reader)
            #expect(members == model.members(of: room), "\(what): members of \(room)")
        }
        Issue.record("\(what): \(try await redis.cli("KEYS", "*:linger")) \(try await observer.holders())")
    }

    private func compareLedger(_ what: String, _ reader: any PresenceDirectory, rooms: [String]) async throws {
        // Each partition's ledger is in order; what one user or one room has is in one partition.
        let ledger = try await observer.ledger(after: &marks)
        told += ledger.count
        for user in Set(ledger.map(\.user)).union(model.expected.keys) where !user.isEmpty {
            let own = ledger.filter { $0.user == user }
            if !model.uncertain.contains(user) {
                // Transitions of different rooms lie in different partitions: their order is not told.
                #expect(
                    own.map(\.text).sorted() == (model.expected[user] ?? []).sorted(), "\(what): events of \(user)")
            }
            let presence = own.filter { $0.room.isEmpty }.map(\.type)
            alternates(
                presence, from: onlineBefore.contains(user), to: model.online.contains(user), "user.online",
                "\(what): \(user)")
            let falls = presence.filter { $0 == "user.offline" }.count
            #expect(falls <= model.happenings[user] ?? 0, "\(what): \(user) went offline more often than it could")
            for room in rooms {
                alternates(
                    own.filter { $0.room == room }.map(\.type), from: membersBefore[room]?.contains(user) ?? false,
                    to: model.present(user, in: room) > 0, "member.joined", "\(what): \(user) in \(room)")
            }
        }
        for room in rooms {
            let members = Set(model.members(of: room).keys)
            alternates(
                ledger.filter { $0.room == room && $0.user.isEmpty }.map(\.type),
                from: membersBefore[room]?.isEmpty == false, to: !members.isEmpty, "room.occupied",
                "\(what): \(room)")
            membersBefore[room] = members
            let version = try await reader.members(of: RoomName(unchecked: room), limit: 1, cursor: nil).rosterVersion
            if let before = versionsBefore[room] {
                let events = ledger.filter { $0.room == room && !$0.user.isEmpty }.count
                #expect(version == before + Int64(events), "\(what): roster version of \(room)")
            }
            versionsBefore[room] = version > 0 ? version : nil
        }
        onlineBefore = model.online
    }

    /// Each event changes what was told before it, and the last one left what is true.
    private func alternates(_ types: [String], from: Bool, to: Bool, _ rising: String, _ what: String) {
        var state = from
        for type in types {
            #expect((type == rising) != state, "\(what) was told twice: \(types)")
            state = type == rising
        }
        #expect(state == to, "\(what) was not told: \(types)")
    }

    func stop() async throws {
        for node in nodes { try await node.stop() }
    }
}

/// What the nodes' loop notes of joins and the test reads.
private final class Joins: Sendable {
    private struct State {
        var underWay = 0
        var failed: [(id: String, room: String)] = []
    }

    private let state = Mutex(State())

    var areAnswered: Bool { state.withLock { $0.underWay == 0 } }

    func begin() { state.withLock { $0.underWay += 1 } }

    func end(_ id: String, _ room: String, isFailed: Bool) {
        state.withLock { state in
            state.underWay -= 1
            if isFailed { state.failed.append((id, room)) }
        }
    }

    func takeFailed() -> [(id: String, room: String)] {
        state.withLock { state in
            defer { state.failed = [] }
            return state.failed
        }
    }
}

/// A small generator whose seed repeats a run's choices.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
