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
/// `@unchecked Sendable`: all mutable state is touched on the link's loop only; the doors of `Presence` hop there, and so
/// does what the registrar tells.
final class PresenceRegistry: @unchecked Sendable {
    typealias Registered = @Sendable (Result<Registration, RegistrationError>) -> Void

    enum Operation {
        case connect(String, resuming: SessionResumption?, reply: Registered)
        case disconnect(HeldConnections.Held, Departure)
        /// `isNew` where the connection was not in the room, nor had asked for it, before; `replaced` is the connection
        /// whose place in the room it takes.
        case join(
            RoomName, String, isNew: Bool, replaced: String?,
            reply: @Sendable (Result<RosterState, BackendError>) -> Void)
        case leave(RoomName, PresenceConnection, Departure)
        /// Takes a connection that this node does not hold out of a room.
        case evict(RoomName, String, UserID)
        /// Writes into the connection's session whether it is in the room.
        case remember(RoomName, String)
        case signal(Signal, String, reply: @Sendable (Result<Void, SignalError>) -> Void)
    }

    /// Calls kept while Redis is away; beyond it they are dropped and their partition is compared later.
    private static let maxWaiting = 100_000
    /// Commands under way at most when much is registered again.
    static let batch = 500
    static let gone = BackendError.unavailable(reason: "the connection has closed")

    let calls: PresenceCalls
    let seal: SessionSeal
    let settings: PresenceSettings
    let logger: Logger
    let nodeId: String
    /// Told that an incarnation is fenced: the node must take one above the fence.
    private let onFenced: @Sendable (_ incarnation: Int64, _ fence: Int64) -> Void
    /// Told of a connection whose socket must be closed.
    let onClose: @Sendable (StreamDelivery) -> Void
    /// Told of a user whose connection is registered again: what came for the inbox before went to other nodes, or to none.
    var onRegisteredAgain: @Sendable (UserID) -> Void = { _ in }
    /// Told on the loop of where streams stand, as the scripts of presence find it; set before the start.
    weak var streams: (any StreamHints)?

    let held = HeldConnections()
    private(set) var holder: Holder?
    /// When the last answered beat went out.
    private var lastBeat = NIODeadline.uptimeNanoseconds(0)
    /// When this loop heard of it: later, where the loop was held up.
    private var heardLast = NIODeadline.uptimeNanoseconds(0)
    private var waiting: [Operation] = []
    /// False from the first call that had to wait until all that wait are carried out, so that none is overtaken.
    private var isOpen = false
    private var isStopped = false
    private var underWay = 0
    private var idle: EventLoopPromise<Void>?
    /// Partitions that have the present incarnation among their holders, as an answer over the present link said. What
    /// could take it from there breaks the link or gives the node another incarnation, and a comparison looks for it too.
    private(set) var announcedIn: Set<Partition> = []
    /// Partitions in which not all connections have been registered under the present incarnation.
    var unconfirmed: Set<Partition> = []
    /// Partitions in which not all rooms' members have been.
    var unregistered: Set<Partition> = []
    /// Partitions of `unconfirmed` that are under way.
    var confirming = 0
    /// Partitions whose set may differ from the table.
    var doubtful: Set<Partition> = []
    /// How often connections of the node had been marked when its marks were last read; nil until then.
    var marksRead: Int64?
    /// Connections of this node with a mark.
    var marked: Set<String> = []
    private var ticking: RepeatedTask?
    /// Turns of `renewNext`.
    var tick = 0

    var store: Store { calls.store }
    var loop: any EventLoop { store.link.eventLoop }

    init(
        calls: PresenceCalls, seal: SessionSeal, nodeId: String, logger: Logger,
        onFenced: @escaping @Sendable (_ incarnation: Int64, _ fence: Int64) -> Void,
        onClose: @escaping @Sendable (StreamDelivery) -> Void
    ) {
        self.calls = calls
        self.seal = seal
        self.settings = calls.settings
        self.nodeId = nodeId
        self.logger = logger
        self.onFenced = onFenced
        self.onClose = onClose
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
        (lastBeat, heardLast) = (sent, .now())
        announcedIn = []
        unconfirmed = Set(Partition.all)
        unregistered = unconfirmed
        marksRead = nil
        resume()
    }

    func beaten(sent: NIODeadline, marks: Int64) {
        loop.assertInEventLoop()
        guard let holder else { return }
        let now = NIODeadline.now()
        let silence = max(sent - lastBeat, now - heardLast)
        (lastBeat, heardLast) = (sent, now)
        // What nobody renewed for so long, since the node did not beat or this loop did not turn, may have expired: all of
        // it is registered again, under a new incarnation.
        guard silence < .nanoseconds(TimeAmount(settings.life).nanoseconds / 2) else {
            return fenced(holder, at: holder.incarnation)
        }
        resume()
        if marks != marksRead { readMarks(as: marks) }
    }

    /// The node is not in the index any more: nothing is written until it is again.
    func lost() {
        loop.assertInEventLoop()
        holder = nil
    }

    /// The link broke: Redis may come back without what it held.
    func linkLost() {
        loop.assertInEventLoop()
        announcedIn = []
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

    /// Who may write, if nothing waits that this would overtake.
    func admitted() -> Holder? {
        guard isOpen, let writer else {
            isOpen = false
            return nil
        }
        return writer
    }

    /// A script has put this holder among a partition's, or found it there.
    func noteHolder(_ writer: Holder, in partition: Partition) {
        if holder == writer { announcedIn.insert(partition) }
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

    func wait(_ operation: Operation) {
        guard !isStopped, waiting.count < PresenceRegistry.maxWaiting else {
            return drop(operation, .unavailable(reason: "too many presence calls wait for Redis"))
        }
        waiting.append(operation)
    }

    /// Gives a call up; what Redis has of it meanwhile, the comparison takes away.
    private func drop(_ operation: Operation, _ error: BackendError) {
        switch operation {
        case .connect(let id, _, let reply):
            forget(id)
            reply(.failure(.backend(error)))
        case .join(let room, let id, let isNew, _, let reply):
            if isNew { _ = held.leave(room, connection: id) }
            doubtful.insert(Partition(of: room))
            reply(.failure(error))
        case .disconnect(let gone, _):
            doubtful.insert(Partition(of: gone.connection.userId.string))
            for room in gone.rooms.keys { doubtful.insert(Partition(of: room)) }
        case .leave(let room, _, _): doubtful.insert(Partition(of: room))
        // Its own node, its grace or a sweep ends it.
        case .evict: break
        case .remember: break
        case .signal(_, _, let reply): reply(.failure(.backend(error)))
        }
    }

    /// A connection that is not registered after all.
    func forget(_ id: String) {
        guard let gone = held.disconnect(id) else { return }
        doubtful.insert(Partition(of: gone.connection.userId.string))
    }
}
