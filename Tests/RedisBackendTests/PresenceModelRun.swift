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
    let joins = Joins()
    private let sessions = Sessions()
    /// Sessions that went on.
    private(set) var resumed = 0
    private(set) var steps = 0
    var told = 0
    private var generator: SplitMix
    private var number = 0
    var onlineBefore: Set<String> = []
    var membersBefore: [String: Set<String>] = [:]
    var versionsBefore: [String: Int64] = [:]
    /// The last entry read of each partition's ledger.
    var marks: [Int: String] = [:]

    init(seed: UInt64, slots: Int) async throws {
        redis = try RedisServerProcess()
        observer = try Observer(redis)
        generator = SplitMix(seed: seed)
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
            let attempt = joins.begin(id, room)
            presence.join(RoomName(unchecked: room), connection: id, info: Array("{}".utf8)) { [joins] result in
                // A client that is told of a failure is not in the room.
                var isFailed = false
                if isNew, case .failure = result { isFailed = true }
                joins.end(attempt, id, room, isFailed: isFailed)
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

    /// Goes on with a session, of a connection that is open or was lost, on a node that can be reached.
    private func resume() async throws {
        let candidates = (Array(model.connections) + Array(model.lost)).sorted { $0.key < $1.key }
        let (id, connection) = candidates[random(candidates.count)]
        let slot = random(nodes.count)
        guard let session = sessions.of(id), !dead.contains(slot), !unreachable.contains(slot) else { return }
        number += 1
        let next = "c\(number)"
        let registration = try await nodes[slot].connect(next, connection.user, resuming: session)
        sessions.note(next, registration.session)
        resumed += registration.resumed == nil ? 0 : 1
        let rooms = Set(registration.resumed?.rooms.map(\.string) ?? [])
        let isExact = model.connections[id] != nil && !unreachable.contains(connection.slot)
        #expect(
            !isExact || rooms == connection.rooms,
            "step \(steps): \(next) goes on with \(id) in \(rooms.sorted()), which was in \(connection.rooms.sorted())")
        model.resume(id, as: next, slot: slot, rooms: rooms)
        if isExact { obeyClosings() } else { model.doubt(connection.user) }
        try await carriedOut(slot, connection.user)
    }

    /// Does what the sockets do where a session has gone on elsewhere.
    func obeyClosings() {
        for node in nodes {
            for id in node.closed { node.presence.disconnect(id, .farewell(.replaced)) }
        }
    }

    private func carriedOut(_ slot: Int, _ user: String) async throws {
        guard !unreachable.contains(slot) else { return model.doubt(user) }
        // Behind what the call has put on the loop, and behind that on the link; then behind what follows from the answer.
        try await loop.submit {}.get()
        for _ in 0..<2 { _ = try await nodes[slot].directory.room(RoomName(unchecked: "none")) }
    }
}

/// The sessions of connections, as the nodes' loop notes them.
private final class Sessions: Sendable {
    private let names = Mutex<[String: String]>([:])

    func note(_ id: String, _ session: String) { names.withLock { $0[id] = session } }

    func of(_ id: String) -> String? { names.withLock { $0[id] } }
}

/// What the nodes' loop notes of joins and the test reads.
final class Joins: Sendable {
    private struct State {
        var attempts = 0
        var underWay = 0
        /// The last attempt of each connection at each room.
        var latest: [String: Int] = [:]
        var failed: [(attempt: Int, id: String, room: String)] = []
    }

    private let state = Mutex(State())

    var areAnswered: Bool { state.withLock { $0.underWay == 0 } }

    func begin(_ id: String, _ room: String) -> Int {
        state.withLock { state in
            state.attempts += 1
            state.underWay += 1
            state.latest["\(id) \(room)"] = state.attempts
            return state.attempts
        }
    }

    func end(_ attempt: Int, _ id: String, _ room: String, isFailed: Bool) {
        state.withLock { state in
            state.underWay -= 1
            if isFailed { state.failed.append((attempt, id, room)) }
        }
    }

    /// Those that no later attempt followed.
    func takeFailed() -> [(id: String, room: String)] {
        state.withLock { state in
            defer { state.failed = [] }
            return state.failed.filter { state.latest["\($0.id) \($0.room)"] == $0.attempt }.map { ($0.id, $0.room) }
        }
    }
}
