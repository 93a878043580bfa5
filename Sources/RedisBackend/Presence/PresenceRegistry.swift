import GatewayCore
import NIOCore
import RedisClient

/// Keeps Redis's registry in step with the connections of this node: does what `RegistrationMachine` says.
///
/// `@unchecked Sendable`: all mutable state is touched on the link's loop only; the entry points of `Presence` hop there, and so
/// does what the registrar tells.
final class PresenceRegistry: @unchecked Sendable {
    /// The callbacks by which others are told, on the loop.
    struct Listeners: Sendable {
        /// An incarnation is fenced: the node must take one above the fence.
        var onFenced: @Sendable (_ incarnation: Int64, _ fence: Int64) -> Void
        /// A connection's socket must be closed, or the connection is out of a room.
        var onClose: @Sendable (StreamDelivery) -> Void
        /// A user's connection is registered again: what came for the inbox before went to other nodes, or to none.
        var onRegisteredAgain: @Sendable (UserID) -> Void
        /// Where streams stand, as the scripts of presence find it.
        var streams: any StreamHints
    }

    /// The callback of whoever is to be answered.
    private enum Reply {
        case registered(@Sendable (Result<Registration, RegistrationError>) -> Void)
        case joined(@Sendable (Result<RosterState, BackendError>) -> Void)
        case signalled(@Sendable (Result<Void, SignalError>) -> Void)
        case shown(Showing)
    }

    /// Something that is to be shown in several rooms, or said once, until all have answered.
    private final class Showing {
        private var remaining: Int
        private var error: BackendError?
        private let reply: @Sendable (Result<Void, BackendError>) -> Void

        init(rooms: Int, reply: @escaping @Sendable (Result<Void, BackendError>) -> Void) {
            remaining = rooms
            self.reply = reply
        }

        func answered(_ error: BackendError?) {
            remaining -= 1
            self.error = self.error ?? error
            if remaining == 0 { reply(self.error.map { .failure($0) } ?? .success(())) }
        }
    }

    private let store: Store
    private let settings: PresenceSettings
    private let listeners: Listeners
    private let counters: BackendCounters
    private let writtenFormat: WrittenFormat
    private var machine: RegistrationMachine
    private var replies: [RegistrationMachine.Ticket: Reply] = [:]
    private var nextTicket: RegistrationMachine.Ticket = 0
    private var idle: EventLoopPromise<Void>?
    private var ticking: RepeatedTask?
    /// Whether all nodes are known to write the present format, from which none goes back.
    private var isFormatCurrent = false

    private var loop: any EventLoop { store.link.eventLoop }

    init(
        store: Store, settings: PresenceSettings, rules: RoomRules, seal: SessionSeal, nodeId: String,
        counters: BackendCounters, writtenFormat: WrittenFormat, listeners: Listeners
    ) {
        self.store = store
        self.writtenFormat = writtenFormat
        self.counters = counters
        self.settings = settings
        self.listeners = listeners
        machine = RegistrationMachine(
            nodeId: nodeId, settings: settings, rules: rules, seal: seal, goesByFences: store.keys.isSharded)
    }

    func start() {
        loop.execute { [self] in
            let delay = TimeAmount.nanoseconds(TimeAmount(settings.renewal).nanoseconds / Int64(Partition.count))
            ticking = loop.scheduleRepeatedTask(initialDelay: delay, delay: delay) { _ in
                self.perform(self.machine.ticked(now: .now))
            }
        }
    }

    /// Fails the calls that wait. Done when nothing is under way any more, or after `limit`.
    func stop(within limit: TimeAmount) -> EventLoopFuture<Void> {
        loop.flatSubmit { [self] in
            ticking?.cancel()
            ticking = nil
            perform(machine.stopped())
            guard machine.underWay > 0 else { return loop.makeSucceededVoidFuture() }
            let promise = loop.makePromise(of: Void.self)
            idle = promise
            loop.scheduleTask(in: limit) { [self] in ended() }
            return promise.futureResult
        }
    }

    /// Whether a connection is here; called on the loop.
    func holds(_ connection: String) -> Bool {
        loop.assertInEventLoop()
        return machine.held[connection] != nil
    }

    /// How many connections of a user are here; called on the loop.
    func count(of user: UserID) -> Int {
        loop.assertInEventLoop()
        return machine.held.connections(of: user).count
    }

    // MARK: What the registrar and the links tell, on the loop

    func registered(_ incarnation: Int64, sent: NIODeadline) {
        loop.assertInEventLoop()
        machine.allowGuests(writtenFormat.knowsGuests)
        perform(machine.registered(incarnation, sent: MonotonicTime(sent), now: .now))
    }

    func beaten(sent: NIODeadline, marks: Int64) {
        loop.assertInEventLoop()
        machine.allowGuests(writtenFormat.knowsGuests)
        perform(machine.beaten(sent: MonotonicTime(sent), marks: marks, now: .now))
    }

    func clockStepped() {
        loop.assertInEventLoop()
        machine.clockStepped()
    }

    /// Another node, or another connection, has made a user invisible, or visible again.
    func visibilityChanged(_ user: UserID, isInvisible: Bool) {
        loop.assertInEventLoop()
        perform(machine.visibilityChanged(of: user, isInvisible: isInvisible, now: .now))
    }

    func lost() {
        loop.assertInEventLoop()
        machine.lost()
    }

    func linked(_ partitions: PartitionSet) {
        loop.assertInEventLoop()
        perform(machine.linked(partitions, now: .now))
    }

    func linkLost(_ partitions: PartitionSet) {
        loop.assertInEventLoop()
        machine.linkLost(partitions)
    }

    func channelsRenewed(_ partitions: PartitionSet) {
        loop.assertInEventLoop()
        perform(machine.channelsRenewed(partitions, now: .now))
    }

    func putOut(_ putOut: PutOut) {
        loop.assertInEventLoop()
        perform(machine.putOut(putOut, now: .now))
    }

    // MARK: What the machine says

    private func perform(_ actions: [RegistrationMachine.Action]) {
        for action in actions { perform(action) }
    }

    private func perform(_ action: RegistrationMachine.Action) {
        switch action {
        case .send(let call): send(call)
        case .registered(let ticket, let result):
            if case .registered(let reply) = replies.removeValue(forKey: ticket) { reply(result) }
        case .joined(let ticket, let result):
            if case .joined(let reply) = replies.removeValue(forKey: ticket) { reply(result) }
        case .signalled(let ticket, let error):
            guard case .signalled(let reply) = replies.removeValue(forKey: ticket) else { return }
            reply(error.map { .failure($0) } ?? .success(()))
        case .shown(let ticket, let error):
            guard case .shown(let showing) = replies.removeValue(forKey: ticket) else { return }
            showing.answered(error)
        case .expectInbox(let user): listeners.streams.expectInbox(of: user)
        case .inboxStands(let user, let position): listeners.streams.inbox(of: user, standsAt: position)
        case .roomStands(let room, let position, let roster):
            listeners.streams.room(room, standsAt: position, roster)
        case .tellNewcomers(let room, let connections): listeners.streams.room(room, has: connections)
        case .registeredAgain(let user): listeners.onRegisteredAgain(user)
        case .tellMarked(let nodes): store.tellMarked(nodes, life: settings.fenceLife)
        case .close(let id, let reason, let text):
            listeners.onClose(.close(connection: id, reason: reason, text: text))
        case .putOut(let id, let change): listeners.onClose(.putOut(connection: id, change))
        case .eraseMark(let id, let partition): store.send(.remove(id, from: store.keys.marks(partition)))
        case .renew(let renewal): store.renew(renewal, settings)
        case .takeNewIncarnation(let incarnation, let fence): listeners.onFenced(incarnation, fence)
        }
    }

    private func send(_ call: RegistrationMachine.Call) {
        store.ask(call, settings) { [self] answer in
            perform(machine.answered(call, answer, now: .now))
            let repairs = machine.takeRepairs()
            if repairs > 0 { counters.repaired(repairs) }
            if machine.underWay == 0 { ended() }
        }
    }

    private func ended() {
        idle?.succeed()
        idle = nil
    }

    private func ask(_ request: RegistrationMachine.Request) {
        perform(machine.asked(request, now: .now))
    }

    private func ticket(for reply: Reply) -> RegistrationMachine.Ticket {
        nextTicket += 1
        replies[nextTicket] = reply
        return nextTicket
    }
}

extension PresenceRegistry: Presence {
    func connect(
        _ connection: PresenceConnection, resuming: SessionResumption?,
        reply: @escaping @Sendable (Result<Registration, RegistrationError>) -> Void
    ) {
        loop.execute { [self] in
            let session = SessionID(of: connection.userId)
            ask(.connect(connection, session: session, resuming: resuming, ticket(for: .registered(reply))))
        }
    }

    func connectVisitor(_ id: String) {
        loop.execute { [self] in ask(.connectGuest(id)) }
    }

    func disconnect(_ id: String, _ departure: Departure) {
        loop.execute { [self] in ask(.disconnect(id, departure)) }
    }

    func join(
        _ room: RoomName, connection id: String, info: [UInt8],
        reply: @escaping @Sendable (Result<RosterState, BackendError>) -> Void
    ) {
        loop.execute { [self] in
            ask(.join(room, connection: id, member: nil, info: info, ticket(for: .joined(reply))))
        }
    }

    func join(
        _ room: RoomName, connection id: String, as member: UserID, info: [UInt8],
        reply: @escaping @Sendable (Result<RosterState, BackendError>) -> Void
    ) {
        loop.execute { [self] in
            ask(.join(room, connection: id, member: member, info: info, ticket(for: .joined(reply))))
        }
    }

    func joinQuietly(_ room: RoomName, connection id: String) {
        loop.execute { [self] in ask(.joinQuietly(room, connection: id)) }
    }

    func attend(_ room: RoomName, connection id: String) {
        loop.execute { [self] in ask(.attend(room, connection: id)) }
    }

    func noteMiss(in room: RoomName) {
        // Behind what the room was asked for before: it is told to be occupied first.
        loop.execute { [self] in
            // One that is lost is noted the next time.
            store.call(NoteMiss(in: room, settings: settings)) { _ in }
        }
    }

    func show(
        _ info: [UInt8], in rooms: [RoomName], connection id: String,
        reply: @escaping @Sendable (Result<Void, BackendError>) -> Void
    ) {
        loop.execute { [self] in
            inCurrentFormat(or: reply) { [self] in
                let showing = Showing(rooms: rooms.count, reply: reply)
                for room in rooms { ask(.show(info, room, connection: id, ticket(for: .shown(showing)))) }
            }
        }
    }

    func setState(
        _ state: UserState, connection id: String, reply: @escaping @Sendable (Result<Void, BackendError>) -> Void
    ) {
        loop.execute { [self] in
            inCurrentFormat(or: reply) { [self] in
                let showing = Showing(rooms: 1, reply: reply)
                ask(.setState(state, connection: id, ticket(for: .shown(showing))))
            }
        }
    }

    /// Does something that nodes of an earlier release would not understand, once none is left.
    private func inCurrentFormat(
        or reply: @escaping @Sendable (Result<Void, BackendError>) -> Void, _ body: @escaping @Sendable () -> Void
    ) {
        guard !isFormatCurrent else { return body() }
        store.send(.field("format", of: store.keys.deployment)) { [self] result in
            switch result {
            case .success(let text) where text.flatMap({ Int($0) }) ?? 0 >= WrittenFormat.ofGuests:
                isFormatCurrent = true
                body()
            case .success: reply(.failure(.unavailable(reason: "a node of an earlier release still serves here")))
            case .failure(let error): reply(.failure(BackendError(error)))
            }
        }
    }

    func leave(_ room: RoomName, connection id: String) {
        loop.execute { [self] in ask(.leave(room, connection: id)) }
    }

    func signal(
        _ signal: Signal, connection id: String, reply: @escaping @Sendable (Result<Void, SignalError>) -> Void
    ) {
        loop.execute { [self] in ask(.signal(signal, connection: id, ticket(for: .signalled(reply)))) }
    }

    func admits(_ user: UserID, issuedAt: Int64?, reply: @escaping @Sendable (Clearance) -> Void) {
        store.call(Admit(user, issuedAt: issuedAt)) { result in
            switch result {
            case .success(let clearance): reply(clearance)
            case .failure(.failed): reply(.unknown)
            case .failure(.unreadable): reply(.admitted)
            }
        }
    }
}

extension MonotonicTime {
    init(_ deadline: NIODeadline) {
        self.init(nanoseconds: Int64(clamping: deadline.uptimeNanoseconds))
    }

    static var now: MonotonicTime { MonotonicTime(.now()) }
}
