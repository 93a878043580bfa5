import GatewayCore
import Logging
import NIOCore
import RedisClient

/// Keeps Redis's registry in step with the connections of this node.
///
/// What the node holds is entered into a table before anything is sent, and the table is the truth: whatever Redis
/// lost, fenced or never got is registered again from it. Without a registration of the node, or when its last beat is
/// older than a lease, nothing is written: calls wait and are carried out in order.
///
/// `@unchecked Sendable`: all mutable state is touched on the link's loop only; the doors of `Presence` hop there.
final class PresenceRegistry: @unchecked Sendable {
    enum Operation {
        case connect(String, reply: @Sendable (Result<Registration, RegistrationError>) -> Void)
        case disconnect(HeldConnections.Held, Departure)
        /// `isNew` where the connection was not in the room, nor had asked for it, before.
        case join(
            RoomName, String, isNew: Bool, reply: @Sendable (Result<RosterState, BackendError>) -> Void)
        case leave(RoomName, PresenceConnection, Departure)
    }

    /// Calls kept while Redis is away; beyond it they are dropped and their partition is compared later.
    private static let maxWaiting = 100_000
    /// Commands under way at most when much is registered again.
    static let batch = 500

    let calls: PresenceCalls
    let settings: PresenceSettings
    let logger: Logger
    private let nodeId: String
    /// Told that an incarnation is fenced: the node must take one above the fence.
    private let onFenced: @Sendable (_ incarnation: Int64, _ fence: Int64) -> Void
    /// Told of a connection whose session names another one by now: its socket must be closed.
    let onReplaced: @Sendable (String) -> Void

    var held = HeldConnections()
    private(set) var holder: Holder?
    /// When the last answered beat went out.
    private var lastBeat = NIODeadline.uptimeNanoseconds(0)
    private var waiting: [Operation] = []
    /// False from the first call that had to wait until all that wait are carried out, so that none is overtaken.
    private var isOpen = false
    private var isStopped = false
    private var underWay = 0
    private var idle: EventLoopPromise<Void>?
    /// Partitions in which not all has been registered under the present incarnation.
    var unregistered: Set<Partition> = []
    /// Partitions whose set may differ from the table.
    var doubtful: Set<Partition> = []
    private var ticking: RepeatedTask?
    private var tick = 0

    var store: Store { calls.store }
    var loop: any EventLoop { store.link.eventLoop }

    init(
        calls: PresenceCalls, nodeId: String, logger: Logger,
        onFenced: @escaping @Sendable (_ incarnation: Int64, _ fence: Int64) -> Void,
        onReplaced: @escaping @Sendable (String) -> Void
    ) {
        self.calls = calls
        self.settings = calls.settings
        self.nodeId = nodeId
        self.logger = logger
        self.onFenced = onFenced
        self.onReplaced = onReplaced
    }

    func start() {
        loop.execute { [self] in
            let delay = TimeAmount.nanoseconds(
                TimeAmount(settings.renewal).nanoseconds / Int64(Partition.count))
            ticking = loop.scheduleRepeatedTask(initialDelay: delay, delay: delay) { _ in self.renewNext() }
        }
    }

    /// Fails the calls that wait. Done when nothing is under way any more, or after `limit`.
    func stop(within limit: TimeAmount) -> EventLoopFuture<Void> {
        loop.flatSubmit { [self] in
            ticking?.cancel()
            ticking = nil
            isStopped = true
            let abandoned = waiting
            waiting = []
            for operation in abandoned { drop(operation, .unavailable(reason: "the node is shutting down")) }
            guard underWay > 0 else { return loop.makeSucceededVoidFuture() }
            let promise = loop.makePromise(of: Void.self)
            idle = promise
            loop.scheduleTask(in: limit) { [self] in
                idle?.succeed()
                idle = nil
            }
            return promise.futureResult
        }
    }

    /// The node has this incarnation from now on: all that is held is registered under it.
    func registered(_ incarnation: Int64, sent: NIODeadline) {
        loop.assertInEventLoop()
        holder = Holder(node: nodeId, incarnation: incarnation)
        lastBeat = sent
        unregistered = Set(Partition.all)
        resume()
    }

    func beaten(sent: NIODeadline) {
        loop.assertInEventLoop()
        guard holder != nil else { return }
        lastBeat = sent
        resume()
    }

    /// The node is not in the index any more: nothing is written until it is again.
    func lost() {
        loop.assertInEventLoop()
        holder = nil
    }

    /// Carries out what waits, as soon as the node may write and the link can carry it; else the next beat tries again.
    func resume() {
        guard writer != nil, store.link.isConnected else { return }
        isOpen = true
        let operations = waiting
        waiting = []
        for operation in operations { perform(operation) }
        registerAgain()
        for partition in doubtful { compare(partition) }
    }

    /// Who may write now; nil while the node may have been taken for dead.
    var writer: Holder? {
        NIODeadline.now() - lastBeat < TimeAmount(settings.lease) ? holder : nil
    }

    /// Counts a command that is on its way; `left` is its other half.
    func entered() { underWay += 1 }

    func left() {
        underWay -= 1
        guard underWay == 0 else { return }
        idle?.succeed()
        idle = nil
    }

    var hasRoom: Bool { underWay < PresenceRegistry.batch }

    /// A script found the writer fenced.
    func fenced(_ writer: Holder, at fence: Int64) {
        guard holder == writer else { return }
        holder = nil
        onFenced(writer.incarnation, fence)
    }

    private func wait(_ operation: Operation) {
        guard !isStopped, waiting.count < PresenceRegistry.maxWaiting else {
            return drop(operation, .unavailable(reason: "too many presence calls wait for Redis"))
        }
        waiting.append(operation)
    }

    /// Gives a call up; what Redis has of it meanwhile, the comparison takes away.
    private func drop(_ operation: Operation, _ error: BackendError) {
        switch operation {
        case .connect(let id, let reply):
            if let gone = held.disconnect(id) { doubtful.insert(Partition(of: gone.connection.userId.string)) }
            reply(.failure(.backend(error)))
        case .join(let room, let id, let isNew, let reply):
            if isNew { _ = held.leave(room, connection: id) }
            doubtful.insert(Partition(of: room))
            reply(.failure(error))
        case .disconnect(let gone, _): doubtful.insert(Partition(of: gone.connection.userId.string))
        case .leave(let room, _, _): doubtful.insert(Partition(of: room))
        }
    }
}

extension PresenceRegistry: Presence {
    func connect(
        _ connection: PresenceConnection, resuming: SessionResumption?,
        reply: @escaping @Sendable (Result<Registration, RegistrationError>) -> Void
    ) {
        loop.execute { [self] in
            guard held.connect(connection, session: SessionID(of: connection.userId)) else {
                return reply(.failure(.backend(.conflict)))
            }
            perform(.connect(connection.id, reply: reply))
        }
    }

    func disconnect(_ id: String, _ departure: Departure) {
        loop.execute { [self] in
            guard let gone = held.disconnect(id) else { return }
            for room in gone.rooms.keys { perform(.leave(room, gone.connection, departure)) }
            perform(.disconnect(gone, departure))
        }
    }

    func join(
        _ room: RoomName, connection id: String, info: [UInt8],
        reply: @escaping @Sendable (Result<RosterState, BackendError>) -> Void
    ) {
        loop.execute { [self] in
            let isNew = held[id]?.rooms[room] == nil
            guard held.join(room, connection: id, info: info) else {
                return reply(.failure(PresenceRegistry.gone))
            }
            perform(.join(room, id, isNew: isNew, reply: reply))
        }
    }

    func leave(_ room: RoomName, connection id: String) {
        loop.execute { [self] in
            guard let connection = held.leave(room, connection: id) else { return }
            perform(.leave(room, connection, .farewell(.explicit)))
        }
    }

    func signal(
        _ signal: Signal, connection id: String, reply: @escaping @Sendable (Result<Void, SignalError>) -> Void
    ) {
        reply(.failure(.backend(.unavailable(reason: "signals are not carried yet"))))
    }
}

extension PresenceRegistry {
    private static let gone = BackendError.unavailable(reason: "the connection has closed")

    private func perform(_ operation: Operation) {
        guard isOpen, let writer else {
            isOpen = false
            return wait(operation)
        }
        switch operation {
        case .connect(let id, let reply):
            guard let connection = held[id] else { return reply(.failure(.backend(PresenceRegistry.gone))) }
            connect(connection, operation, writer, reply)
        case .join(let room, let id, let isNew, let reply):
            guard let connection = held[id], let info = connection.rooms[room] else {
                return reply(.failure(PresenceRegistry.gone))
            }
            join(room, connection.connection, info, operation, isNew, writer, reply)
        case .leave(let room, let connection, let departure):
            leave(room, connection, departure, operation, writer)
        case .disconnect(let gone, let departure):
            entered()
            calls.disconnect(gone.connection, session: gone.session, holder: writer, departure: departure) {
                [self] result in
                if case .failure = result { wait(operation) }
                left()
            }
        }
    }

    private func connect(
        _ connection: HeldConnections.Held, _ operation: Operation, _ writer: Holder,
        _ reply: @escaping @Sendable (Result<Registration, RegistrationError>) -> Void
    ) {
        let id = connection.connection.id
        entered()
        calls.connect(
            connection.connection, session: connection.session, holder: writer, since: connection.since, isAgain: false
        ) { [self] result in
            defer { left() }
            guard case .success(let answer) = result else { return wait(operation) }
            switch answer[0].string {
            case "ok":
                held.registered(id, since: answer[1].integer ?? 0)
                reply(
                    .success(
                        Registration(session: connection.session.string, timestamp: answer[2].integer ?? 0)))
            case "fenced":
                wait(operation)
                fenced(writer, at: answer[1].integer ?? 0)
            default:
                if let gone = held.disconnect(id) { doubtful.insert(Partition(of: gone.connection.userId.string)) }
                reply(.failure(.backend(.unavailable(reason: "connect answered in another shape"))))
            }
        }
    }

    private func join(
        _ room: RoomName, _ connection: PresenceConnection, _ info: [UInt8], _ operation: Operation, _ isNew: Bool,
        _ writer: Holder, _ reply: @escaping @Sendable (Result<RosterState, BackendError>) -> Void
    ) {
        entered()
        calls.join(room, connection, info: info, holder: writer, isAgain: false) { [self] result in
            defer { left() }
            switch result {
            case .success(let answer) where answer[0].string == "ok":
                // The room's members are the truth and come first; the session only remembers them.
                if let held = held[connection.id], held.rooms[room] != nil {
                    calls.remember(room, connection.id, session: held.session, isIn: true)
                }
                reply(
                    .success(
                        RosterState(
                            members: Int(answer[1].integer ?? 0), version: answer[2].integer ?? 0,
                            timestamp: answer[3].integer ?? 0)))
            case .success(let answer) where answer[0].string == "fenced":
                wait(operation)
                fenced(writer, at: answer[1].integer ?? 0)
            case .success:
                fail(room, connection, isNew, reply, .unavailable(reason: "join answered in another shape"))
            case .failure(let error):
                fail(room, connection, isNew, reply, BackendError(error))
            }
        }
    }

    /// Whether Redis took the join is not known: the comparison takes it away again, unless the connection was in the
    /// room before, which a failure does not change.
    private func fail(
        _ room: RoomName, _ connection: PresenceConnection, _ isNew: Bool,
        _ reply: @Sendable (Result<RosterState, BackendError>) -> Void, _ error: BackendError
    ) {
        if isNew { _ = held.leave(room, connection: connection.id) }
        doubtful.insert(Partition(of: room))
        reply(.failure(error))
    }

    private func leave(
        _ room: RoomName, _ connection: PresenceConnection, _ departure: Departure, _ operation: Operation,
        _ writer: Holder
    ) {
        // One that waited, and was overtaken by another join of the same connection, is void.
        guard held[connection.id]?.rooms[room] == nil else { return }
        if let held = held[connection.id] {
            calls.remember(room, connection.id, session: held.session, isIn: false)
        }
        entered()
        calls.leave(room, connection, holder: writer, departure: departure) { [self] result in
            if case .failure = result { wait(operation) }
            left()
        }
    }
}

extension PresenceRegistry {
    /// Renews what is held in one partition; the partitions take turns so that no burst reaches Redis. Once a minute
    /// one of them is compared as well.
    private func renewNext() {
        guard let writer else { return }
        let partition = Partition.all[tick % Partition.count]
        tick += 1
        let turns = max(1, Int(settings.comparison / settings.renewal * Double(Partition.count)))
        // One more than a whole number of rounds, so that each comparison meets the next partition.
        if tick % (turns + 1) == 0 { doubtful.insert(partition) }
        renew(partition, writer)
    }

    private func renew(_ partition: Partition, _ writer: Holder) {
        let entries = held.entries(in: partition)
        guard !entries.isEmpty else { return }
        let keys = store.keys
        let life = settings.life.milliseconds
        var lives: [Key: Int64] = [keys.held(by: writer, in: partition): life]
        for entry in entries {
            switch entry {
            case .user(let user, let id):
                lives[keys.connections(of: user)] = life
                if let held = held[id] {
                    lives[keys.session(held.session)] = settings.sessionLife.milliseconds
                }
            case .member(_, _, let room):
                lives[keys.members(room)] = life
                lives[keys.connections(in: room)] = life
                lives[keys.head(room)] = calls.rules.log(of: room).headLife.milliseconds
            }
        }
        calls.touch(lives.map { ($0.key, $0.value) })
    }
}
