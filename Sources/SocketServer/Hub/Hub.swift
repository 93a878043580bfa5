import Dialects
import GatewayCore
import Logging
import Metrics
import NIOCore
import Synchronization

/// All connections of one event loop and the rooms they are in.
///
/// `@unchecked Sendable`: the mailbox is behind a mutex, everything mutable beside it is touched on `eventLoop` alone,
/// which each entry point checks.
package final class Hub: StreamSink, @unchecked Sendable {
    let eventLoop: any EventLoop
    private let dependencies: HubDependencies
    let mailbox: Mutex<Mailbox>

    // Loop-local from here on.
    private(set) var configuration: SocketServerConfiguration
    private(set) var settings: SessionSettings
    private(set) var rules: HandshakeRules
    private(set) var number: HubNumber = 0
    private(set) var rooms: [RoomName: HubRoom] = [:]
    private var nextConnection: ConnectionNumber = 0
    private(set) var heartbeat: Heartbeat
    private var supervised = SupervisedList()
    /// Connections that have been written to and not flushed.
    private var dirty: [SocketHandler] = []
    /// The memory of such a list between two flushes: nearly every turn writes to a few.
    private var emptied: [SocketHandler] = []
    /// Connections with more in their sockets than may wait there; their rooms are fed from the log before the turn ends.
    private var overfull: [SocketHandler] = []
    private var retrying: [Retry] = []
    private var ticking: RepeatedTask?
    private var turns = TurnMeter()
    /// Any thread: whoever floods a loop writes no line for each message.
    private let givenUpTold = Mutex(Recurrence())
    private var longestTurn: Gauge?
    private var worstQueue: Gauge?
    /// In bytes, of all connections at this tick.
    private var longestQueue = 0
    /// When the loop last came round, in nanoseconds of the monotonic clock; 0 while the hub does not tick. Any thread.
    private let lastTick = Atomic<Int64>(0)
    private let dialect = NativeDialect()
    private var framesIn = 0
    private var bytesOut = 0
    private var messagesDelivered = 0
    /// Of these, what is of apps' clients.
    private var others = DialectMetrics.Share()
    /// Of backends' calls.
    var callBytes = 0
    var lossesTold = Recurrence()

    // Its parts; each keeps what only it may change.
    let writer = FrameWriter()
    let tickets = FollowTickets<Listener>()
    let watchBoard = WatchBoard<SocketHandler>()
    let receiveBuffer = ReceiveBuffer()
    let openedMail = OpenedMail<Letter>()
    let sending = SendingRooms()
    let deliveries = DeliveryTimes()
    let bundling = BundlingRooms()
    /// What unpacking clients' bytes has taken of this turn.
    let inputTurn = InputTurn()
    let parked = ParkedConnections<SocketHandler>()
    let outputTurn = OutputTurn<OutputWaiter>()
    /// Pages that wait to be read.
    let pageReads = BoundedQueue<PageRead>(maxUnderWay: 32)
    let rosterReads = BoundedQueue<RoomName>(maxUnderWay: 8)
    let resumptions = BoundedQueue<Resumer>(maxUnderWay: 64)
    let blockedRooms = BlockedRooms()
    let spendingRooms = SpendingRooms()
    let holdings = HubHoldings()

    /// The memory of a longer list is not kept.
    private static let fewDirty = 256

    /// A task that is tried again at the next tick, where it is still wanted.
    enum Retry {
        case registration(SocketHandler)
        case stream(SocketHandler, RoomName)
        /// One that is being caught up.
        case listener(Listener)
        /// A question to the backend that could not be paid for.
        case inquiry(SocketHandler, SessionMachine.Inquiry)
        /// One that is to be told who is in a room, once that can be gone on from.
        case newcomer(PageRead)
    }

    package init(eventLoop: any EventLoop, dependencies: HubDependencies) {
        self.eventLoop = eventLoop
        self.dependencies = dependencies
        (configuration, settings, rules) = (dependencies.configuration, dependencies.settings, dependencies.rules)
        mailbox = Mutex(Mailbox(memory: dependencies.memory))
        heartbeat = Heartbeat(interval: dependencies.configuration.heartbeatInterval)
    }

    var census: Census { dependencies.census }
    var metrics: SocketMetrics { dependencies.metrics }
    var memory: MemoryAccount { dependencies.memory }
    var probe: SocketProbe { dependencies.probe }
    var apps: AppConnections { dependencies.apps }
    var departures: DeparturePace { dependencies.departures }
    var log: any MessageLog { dependencies.log }
    var logger: Logger { dependencies.logger }
    var streams: any RoomStreams { dependencies.streams }
    var presence: any Presence { dependencies.presence }
    var governor: any RoomGovernor { dependencies.governor }
    var presenceDirectory: any PresenceDirectory { dependencies.presenceDirectory }
    var budgets: SharedBudgets { dependencies.budgets }
    var tally: (any SpendingTally)? { dependencies.tally }
    var now: MonotonicTime { dependencies.clocks.monotonic() }
    var wallMilliseconds: Int64 { dependencies.clocks.wall() }

    // MARK: Life

    /// Makes the hub known to the streams and begins to tick; before the first connection.
    package func start() {
        eventLoop.preconditionInEventLoop()
        number = streams.open(self)
        longestTurn = metrics.longestTurn(ofLoop: number)
        worstQueue = metrics.worstQueue(ofLoop: number)
        lastTick.store(now.nanoseconds, ordering: .relaxed)
        let tick = TimeAmount.nanoseconds(heartbeat.tick.nanoseconds)
        ticking = eventLoop.scheduleRepeatedTask(initialDelay: tick, delay: tick) { [weak self] _ in self?.tick() }
    }

    /// Goes by other limits and rules from here on, in sessions that live as well.
    func reconfigure(_ configuration: SocketServerConfiguration, _ settings: SessionSettings, _ rules: HandshakeRules) {
        eventLoop.preconditionInEventLoop()
        (self.configuration, self.settings, self.rules) = (configuration, settings, rules)
        for connection in heartbeat.connections { connection.machine.settings = settings }
    }

    /// After the last connection.
    package func stop() {
        eventLoop.preconditionInEventLoop()
        ticking?.cancel()
        ticking = nil
        lastTick.store(0, ordering: .relaxed)
    }

    /// Whether the loop has come round within so long, or is not asked to; any thread.
    package func isTurning(within patience: Duration) -> Bool {
        let last = lastTick.load(ordering: .relaxed)
        return last == 0 || now - MonotonicTime(nanoseconds: last) <= patience
    }

    /// Sends home all on this loop, the one numbered `loop` of `loops`, who know what `reconnect` means.
    package func drain(_ plan: DrainPlan, loop: Int, of loops: Int) {
        eventLoop.preconditionInEventLoop()
        let connections = Array(heartbeat.connections)
        for (index, connection) in connections.enumerated() {
            connection.drain(
                afterMilliseconds: plan.milliseconds(before: index, of: connections.count, loop: loop, loops: loops))
        }
        flush()
    }

    /// Closes those who were sent home and are still here.
    package func closeSentAway() {
        eventLoop.preconditionInEventLoop()
        for connection in Array(heartbeat.connections) where connection.machine.isSentAway {
            connection.close(.goingAway, text: CloseReason.goingAway.text)
        }
        flush()
    }

    /// Closes whoever is left.
    package func closeAll(_ reason: CloseReason) {
        eventLoop.preconditionInEventLoop()
        for connection in Array(heartbeat.connections) { connection.close(reason, text: reason.text) }
        flush()
    }

    /// Ends all sockets of this loop without another word.
    package func cutAll() {
        eventLoop.preconditionInEventLoop()
        for connection in Array(heartbeat.connections) { connection.abandon() }
        for item in supervised.items { item.cut() }
    }

    // MARK: Connections

    /// Counts a handshake that was refused, and tells the log of the first of its kind.
    func refused(_ refusal: SocketMetrics.Refusal, from address: IPAddress? = nil) {
        metrics.refuse(refusal)
        dependencies.refusals.record(refusal, from: address)
    }

    func nextNumber() -> ConnectionNumber {
        eventLoop.assertInEventLoop()
        nextConnection += 1
        return nextConnection
    }

    /// Begins to ping a connection.
    func add(_ connection: SocketHandler) {
        eventLoop.assertInEventLoop()
        heartbeat.insert(connection)
    }

    func remove(_ connection: SocketHandler) {
        eventLoop.assertInEventLoop()
        heartbeat.remove(connection)
        unsupervise(connection)
    }

    func supervise(_ item: any Supervised) {
        eventLoop.assertInEventLoop()
        supervised.insert(item)
    }

    func unsupervise(_ item: any Supervised) {
        eventLoop.assertInEventLoop()
        supervised.remove(item)
    }

    // MARK: Time

    /// One step of the heartbeat, and a look at everything whose end is near.
    private func tick() {
        let now = now
        if let late = turns.ticked(now: now) { metrics.loopLag.recordNanoseconds(late.nanoseconds) }
        lastTick.store(now.nanoseconds, ordering: .relaxed)
        let wallMilliseconds = wallMilliseconds
        for connection in heartbeat.next() { connection.visit(now: now, wallMilliseconds: wallMilliseconds) }
        for item in supervised.items {
            item.check(now: now, wallMilliseconds: wallMilliseconds)
            longestQueue = max(longestQueue, item.queuedBytes)
        }
        let again = retrying
        retrying = []
        for item in again {
            switch item {
            case .registration(let connection): connection.retryRegistration()
            case .stream(let connection, let room): connection.retry(room)
            case .inquiry(let connection, let inquiry): connection.retry(inquiry)
            case .newcomer(let page): reconsider(page)
            case .listener(let listener):
                if !listener.isGone { catchUp(listener) }
            }
        }
        beginResumptions()
        tellWaitingStatuses(now: now)
        blockedRooms.forget(now: now)
        if let tally { spendingRooms.tell(tally) }
        watchMemory(now: now)
        flush()
        record()
        let end = self.now
        turns.turned(end - now)
        turns.rests(heartbeat.tick, now: end)
    }

    func retryLater(_ retry: Retry) { retrying.append(retry) }

    private func record() {
        metrics.framesIn.increment(by: framesIn)
        metrics.bytesOut.increment(by: bytesOut)
        metrics.messagesDelivered.increment(by: messagesDelivered)
        let connections = census.connections
        metrics.connections.record(connections.all)
        metrics.guests.record(census.guests)
        metrics.dialects.record(connections: connections.all, others: connections.visitors)
        metrics.dialects.count(frames: framesIn, delivered: messagesDelivered, others: others)
        longestTurn?.record(turns.longest / .seconds(1))
        worstQueue?.record(longestQueue)
        longestQueue = 0
        (framesIn, bytesOut, messagesDelivered, others) = (0, 0, 0, DialectMetrics.Share())
    }

    // MARK: Mail

    package func receive(_ deliveries: [StreamDelivery]) {
        enqueue(.deliveries(deliveries))
    }

    /// Any thread.
    func enqueue(_ letter: Letter) {
        let (mustWake, givenUp) = mailbox.withLock { $0.put(letter) }
        if givenUp > 0 {
            metrics.messagesGivenUp.increment(by: givenUp)
            if let count = givenUpTold.withLock({ $0.happened(givenUp, at: now) }) {
                logger.warning(
                    "event loop too far behind, messages replaced by a gap", metadata: ["messages": "\(count)"])
            }
        }
        if mustWake { eventLoop.execute { self.openMail() } }
    }

    // MARK: Rooms

    func insert(_ room: HubRoom) { rooms[room.name] = room }

    func remove(_ room: HubRoom) { rooms[room.name] = nil }

    // MARK: Frames

    /// Reads a text frame.
    func decode(_ frame: ByteBuffer) -> Result<ClientRequest, MalformedRequest> {
        frame.withUnsafeReadableBytes { dialect.decode($0) }
    }

    func countFrame(of dialect: ClientDialect) {
        framesIn += 1
        if dialect != .native { others.frames += 1 }
    }

    func countDelivered(_ count: Int) { messagesDelivered += count }

    /// The same to apps' clients.
    func countDeliveredToOthers(_ count: Int) {
        messagesDelivered += count
        others.delivered += count
    }

    /// Records how long a turn took, or a part of one.
    func turned(since began: MonotonicTime) { turns.turned(now - began) }

    /// Records that a connection has been written to: it is flushed at the end of the turn.
    func markDirty(_ connection: SocketHandler) { dirty.append(connection) }

    /// More waits in a connection's socket than may; its rooms are taken out before the turn ends, never amid the
    /// members that are just being written to.
    func recordOverfull(_ connection: SocketHandler) { overfull.append(connection) }

    func feedOverfull() {
        while let connection = overfull.popLast() { feedFromLog(connection) }
    }

    func countBytesOut(_ count: Int) { bytesOut += count }

    /// One flush for each connection that was written to in this turn.
    func flush() {
        while !dirty.isEmpty || !overfull.isEmpty {
            feedOverfull()
            var connections = emptied
            emptied = []
            swap(&connections, &dirty)
            for connection in connections { connection.flushIfDirty() }
            guard connections.count <= Hub.fewDirty else { continue }
            connections.removeAll(keepingCapacity: true)
            emptied = connections
        }
        holdings.report(to: memory)
    }
}
