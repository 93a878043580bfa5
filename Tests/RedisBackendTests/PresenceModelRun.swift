import GatewayCore
import NIOCore
import NIOPosix
import RedisBackend
import Synchronization
import TestKit
import Testing
import TestSupport

/// The real side of a run, and the model beside it.
final class ModelRun {
    /// What is to be known of one round.
    struct Round {
        /// Users to whom nothing is done from here on: nothing may be told of them.
        var resting: Set<String> = []
        /// Whether Redis takes no joins: no session is gone on with then.
        var refusesJoins = false
        /// Whether sessions may be gone, of connections that are open too.
        var canForget = false
        /// Whether a part of what was told was deleted: what is told again of it is `restored`.
        var hasForgotten = false
        /// Whether another server, or another clock, was met: versions of rosters may have leapt then, forwards.
        var hasLeapt = false
    }

    let store: ModelStore
    /// For a move of such a run.
    var servers: ModelServers { store.servers }
    let observer: Observer
    let settings: PresenceSettings
    let loop = MultiThreadedEventLoopGroup.singleton.next()
    var nodes: [PresenceNode] = []
    var model = PresenceModel()
    /// Slots whose node is gone for good until it is replaced.
    var dead: Set<Int> = []
    var round = Round()
    let pulse: Pulse
    let joins = Joins()
    let sessions = Sessions()
    /// Sessions that went on.
    private(set) var resumed = 0
    private(set) var steps = 0
    var told = 0
    private var generator: SplitMix
    private var number = 0
    var onlineBefore: Set<String> = []
    var membersBefore: [String: Set<String>] = [:]
    var versionsBefore: [String: Int64] = [:]
    /// What the move of the round has chosen: a shard, or a primary that refuses what is asked.
    var turn: PresenceModelShardMove.Turn?
    var refusing: RedisServerProcess?
    /// The last entry read of each partition's ledger.
    var marks: [Int: String] = [:]

    init(on kind: PresenceModelTests.Store, seed: UInt64, slots: Int) async throws {
        var settings = PresenceSettings.brisk(lease: .milliseconds(600), grace: .milliseconds(250))
        settings.failoverGrace = .seconds(3)
        self.settings = settings
        store = try await ModelStore.start(kind)
        observer = try Observer(url: store.url)
        generator = SplitMix(seed: seed)
        pulse = Pulse(of: loop)
        for slot in 0..<slots { nodes.append(try await start(slot)) }
    }

    private func start(_ slot: Int) async throws -> PresenceNode {
        try await PresenceNode.start(
            "n\(slot)", on: store.ground, settings: settings, loop: loop, canaryInterval: .seconds(1))
    }

    func random(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &generator) }

    /// A new process under the same name, as an orchestrator starts it.
    func replace(_ slot: Int) async throws {
        nodes[slot] = try await start(slot)
        dead.remove(slot)
    }

    func kill(_ slot: Int) async throws {
        model.kill(slot: slot)
        dead.insert(slot)
        try await nodes[slot].kill()
    }

    func wait(_ duration: Duration) async throws {
        let end = ContinuousClock.now + duration
        try await eventually { ContinuousClock.now > end }
    }

    /// One random step, done to the model and to a node; done when Redis has it, unless the node cannot reach Redis.
    func step(users: [String], rooms: [String]) async throws {
        steps += 1
        let ids = model.connections.filter { !round.resting.contains($0.value.user) }.keys.sorted()
        let users = users.filter { !round.resting.contains($0) }
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
            ) { [sessions] result in
                if case .success(let registration) = result { sessions.note(id, registration.session) }
            }
            return try await carriedOut(slot, user)
        }
        if choice < 40 { return try await resume() }
        let id = ids[random(ids.count)]
        guard let connection = model.connections[id] else { return }
        let presence = nodes[connection.slot].presence
        let room = rooms[random(rooms.count)]
        if choice < 65 {
            let isNew = !connection.rooms.contains(room)
            model.join(id, room)
            let attempt = joins.begin(connection.user, id, room)
            presence.join(RoomName(unchecked: room), connection: id, info: Array("{}".utf8)) { [joins] result in
                var hasFailed = false
                if case .failure = result { hasFailed = true }
                joins.end(attempt, isNew: isNew, hasFailed: hasFailed)
            }
        } else if choice < 75 {
            model.leave(id, room)
            presence.leave(RoomName(unchecked: room), connection: id)
        } else {
            let isAbrupt = choice >= 92
            model.close(id, isAbrupt: isAbrupt)
            presence.disconnect(id, isAbrupt ? .abrupt(.lost) : .farewell(.closed))
        }
        try await carriedOut(connection.slot, connection.user, rooms: connection.rooms.union([room]))
    }

    /// Goes on with a session, of a connection that is open or was lost, on a node that can be reached.
    private func resume() async throws {
        let candidates = (Array(model.connections) + Array(model.lost)).sorted { $0.key < $1.key }
            .filter { !round.resting.contains($0.value.user) }
        let (id, connection) = candidates[random(candidates.count)]
        let slot = random(nodes.count)
        guard let session = sessions.of(id), canAct(slot), !round.refusesJoins else { return }
        number += 1
        let next = "c\(number)"
        let registration = try await nodes[slot].connect(next, connection.user, resuming: session)
        sessions.note(next, registration.session)
        resumed += registration.resumed == nil ? 0 : 1
        let rooms = Set(registration.resumed?.rooms.map(\.string) ?? [])
        if registration.resumed == nil, round.canForget, model.connections[id] != nil {
            model.connect(next, connection.user, slot: slot)
            return try await carriedOut(slot, connection.user, rooms: connection.rooms)
        }
        let isExact = model.connections[id] != nil && !model.unreachable.contains(connection.slot)
        #expect(
            !isExact || rooms == connection.rooms,
            "step \(steps): \(next) goes on with \(id) in \(rooms.sorted()), which was in \(connection.rooms.sorted())")
        model.resume(id, as: next, slot: slot, rooms: rooms)
        if isExact { try await obey(id, at: connection.slot) } else { model.doubt(connection.user) }
        try await carriedOut(slot, connection.user, rooms: connection.rooms)
    }

    /// Does what the socket does whose session has gone on elsewhere, at once: a step of the clock may take the session, and
    /// with it all that says that the connection is over.
    private func obey(_ id: String, at slot: Int) async throws {
        let node = nodes[slot]
        try await eventually("the end of \(id)") { node.closed.contains(id) }
        node.presence.disconnect(id, .farewell(.replaced))
    }

    private func canAct(_ slot: Int) -> Bool { !dead.contains(slot) && !model.unreachable.contains(slot) }

    /// - Parameter rooms: what else was asked about than the user.
    private func carriedOut(_ slot: Int, _ user: String, rooms: Set<String> = []) async throws {
        guard !model.unreachable.contains(slot) else { return model.doubt(user) }
        // Behind what the call has put on the loop, and behind that on the link, which keeps the order of each partition; then
        // behind what follows from the answer.
        try await loop.submit {}.get()
        let asked = Set(([user] + rooms).map { Partition(of: $0) })
        for _ in 0..<2 {
            for partition in asked { _ = try await nodes[slot].directory.room(ModelRun.probes[partition.number]) }
        }
        acceptFailures()
    }

    /// Of each partition a room that nobody is ever in.
    private static let probes = Partition.all.map { partition in
        let names = (0...).lazy.map { "none-\($0)" }
        return RoomName(unchecked: names.first { Partition(of: $0) == partition } ?? "")
    }

    /// Who was told that a join has failed is not in the room, unless another was asked for since.
    func acceptFailures() {
        for failed in joins.takeFailed() {
            model.doubt(failed.user)
            if failed.isLast { model.leave(failed.id, failed.room) }
        }
    }
}

/// The sessions of connections, as the nodes' loop notes them.
final class Sessions: Sendable {
    private let names = Mutex<[String: String]>([:])

    func note(_ id: String, _ session: String) { names.withLock { $0[id] = session } }

    func of(_ id: String) -> String? { names.withLock { $0[id] } }
}

/// What the nodes' loop notes of joins and the test reads.
final class Joins: Sendable {
    struct Attempt {
        let number: Int
        let user: String
        let id: String
        let room: String
        /// No other was made since.
        var isLast = true
    }

    private struct State {
        var attempts = 0
        var underWay: [Int: Attempt] = [:]
        /// The last attempt of each connection at each room.
        var latest: [String: Int] = [:]
        var failed: [Attempt] = []
        /// Of which rooms each connection was told that it is not in them, since the last join that was answered well.
        var refused: Set<String> = []
    }

    private let state = Mutex(State())

    var areAnswered: Bool { state.withLock { $0.underWay.isEmpty } }

    func begin(_ user: String, _ id: String, _ room: String) -> Int {
        state.withLock { state in
            state.attempts += 1
            state.underWay[state.attempts] = Attempt(number: state.attempts, user: user, id: id, room: room)
            state.latest["\(id) \(room)"] = state.attempts
            return state.attempts
        }
    }

    /// A client that is told of a failure is not in the room, unless it was in it before.
    func end(_ number: Int, isNew: Bool, hasFailed: Bool) {
        state.withLock { state in
            guard let attempt = state.underWay.removeValue(forKey: number) else { return }
            let place = "\(attempt.id) \(attempt.room)"
            guard hasFailed else { return _ = state.refused.remove(place) }
            guard isNew || state.refused.contains(place) else { return }
            state.refused.insert(place)
            state.failed.append(attempt)
        }
    }

    func takeFailed() -> [Attempt] {
        state.withLock { state in
            defer { state.failed = [] }
            return state.failed.map { attempt in
                var attempt = attempt
                attempt.isLast = state.latest["\(attempt.id) \(attempt.room)"] == attempt.number
                return attempt
            }
        }
    }
}
