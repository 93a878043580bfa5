import Logging
import NIOCore

/// The half of a Cluster's subscriber that lives on its loop.
///
/// `@unchecked Sendable`: everything mutable in it is touched on its event loop alone; each entry point asserts that.
final class ClusterSubscriberCore: @unchecked Sendable {
    private typealias Place = RedisConfiguration.Endpoint

    private let eventLoop: any EventLoop
    private let configuration: RedisConfiguration
    private let map: SlotMap
    private let logger: Logger
    private let onServer: @Sendable (RedisConfiguration.Endpoint, RedisLinkState) -> Void
    private var handler: (any RedisSubscriptionHandler)?
    private var machine = ShardSubscriptions()
    private var links: [Place: ShardSubscriberLink] = [:]
    /// What one turn of the loop has for each server.
    private var outgoing: [Place: ByteBuffer] = [:]
    /// What one turn has found, told together.
    private var stood: [Bool: [KeySlot]] = [:]
    private var lost: [KeySlot] = []
    private var ticking: RepeatedTask?
    private var isStarted = false

    init(
        configuration: RedisConfiguration, map: SlotMap, eventLoop: any EventLoop, logger: Logger,
        handler: any RedisSubscriptionHandler,
        onServer: @escaping @Sendable (RedisConfiguration.Endpoint, RedisLinkState) -> Void
    ) {
        self.configuration = configuration
        self.map = map
        self.eventLoop = eventLoop
        self.logger = logger
        self.handler = handler
        self.onServer = onServer
    }

    func start() {
        eventLoop.assertInEventLoop()
        isStarted = true
        ticking = eventLoop.scheduleRepeatedTask(initialDelay: .milliseconds(100), delay: .milliseconds(100)) {
            [self] _ in perform(machine.ticked())
        }
        follow()
    }

    func shutdown() -> EventLoopFuture<Void> {
        eventLoop.assertInEventLoop()
        handler = nil
        isStarted = false
        ticking?.cancel()
        let closed = links.values.map { $0.stop() }
        links = [:]
        return EventLoopFuture.andAllComplete(closed, on: eventLoop)
    }

    func leave(_ server: ServerID) {
        eventLoop.assertInEventLoop()
        for link in links.values where link.server == server {
            link.renew(reason: "the other links lead to another server, or it is no longer the same")
        }
    }

    func verify(_ place: RedisConfiguration.Endpoint, is server: ServerID, since moment: NIODeadline) {
        eventLoop.assertInEventLoop()
        guard let link = links[place], let known = link.server, known != server, link.connectedAt < moment else {
            return
        }
        link.renew(reason: "the server there is no longer the same")
    }

    func renew(_ slot: KeySlot, reason: String) {
        eventLoop.assertInEventLoop()
        map.current[slot].flatMap { links[$0] }?.renew(reason: reason)
    }

    /// Goes by the map as it is now.
    func follow() {
        eventLoop.assertInEventLoop()
        guard isStarted else { return }
        let table = map.current
        let places = Set(table.places.values)
        for link in links.values { link.reconsider() }
        for place in places where links[place] == nil {
            let link = ShardSubscriberLink(
                to: place, configuration: configuration, map: map, eventLoop: eventLoop, logger: logger,
                owner: self)
            links[place] = link
            link.start()
        }
        perform(machine.mapped(table))
        for (place, link) in links where !places.contains(place) {
            links[place] = nil
            // It closes by itself; nobody waits for it.
            _ = link.stop()
            perform(machine.disconnected(place))
            onServer(place, .disconnected(reason: "it has no slot any more"))
        }
    }

    func apply(_ changes: [SubscriberCore.Change]) {
        eventLoop.assertInEventLoop()
        var actions: [ShardSubscriptions.Action] = []
        for change in changes {
            switch change {
            case .subscribe(let names): actions += machine.wanted(names)
            case .unsubscribe(let names): actions += machine.unwanted(names)
            }
        }
        perform(actions)
    }

    // MARK: What the links tell

    func connected(_ place: RedisConfiguration.Endpoint, _ state: RedisLinkState) {
        onServer(place, state)
        perform(machine.connected(place))
    }

    func disconnected(_ place: RedisConfiguration.Endpoint, _ state: RedisLinkState) {
        perform(machine.disconnected(place))
        map.isDoubtful()
        onServer(place, state)
    }

    /// Returns why the connection must be given up, or nil.
    func received(_ reply: BorrowedReply, from place: RedisConfiguration.Endpoint) -> String? {
        let kind = reply.bytes(of: reply.element(0))
        if kind.elementsEqual("smessage".utf8) {
            let channel = reply.bytes(of: reply.element(1))
            if machine.hears(KeySlot(of: channel), at: place) {
                handler?.received(channel: channel, payload: reply.bytes(of: reply.element(2)))
            }
            return nil
        }
        let channel = reply.string(of: reply.element(1))
        if kind.elementsEqual("ssubscribe".utf8) {
            guard let actions = machine.subscribed(channel, at: place) else {
                return "a confirmation of what was not asked"
            }
            perform(actions)
        } else if kind.elementsEqual("sunsubscribe".utf8) {
            perform(machine.unsubscribed(channel, at: place))
        } else {
            return "a message of an unknown kind"
        }
        return nil
    }

    /// Returns why the connection must be given up, or nil.
    func refused(_ error: ErrorReply, by place: RedisConfiguration.Endpoint) -> String? {
        guard let actions = machine.refused(at: place) else { return "\(error.code) \(error.message)" }
        perform(actions)
        return nil
    }

    func marked(_ text: String, by place: RedisConfiguration.Endpoint) { perform(machine.marked(text, at: place)) }

    func readCompleted() {
        tell()
        handler?.readComplete()
    }

    // MARK: What the machine says

    private func perform(_ actions: [ShardSubscriptions.Action]) {
        for action in actions {
            switch action {
            case .subscribe(let names, let place): write(["SSUBSCRIBE"] + names.map { .string($0) }, to: place)
            case .unsubscribe(let names, let place): write(["SUNSUBSCRIBE"] + names.map { .string($0) }, to: place)
            case .mark(let text, let place): write(["PING", .string(text)], to: place)
            case .confirmed(let channel): handler?.subscribed(channel: channel)
            case .stands(let slot, let afterBreak): stood[afterBreak, default: []].append(slot)
            case .lost(let slot): lost.append(slot)
            case .doubt: map.isDoubtful()
            }
        }
        if !lost.isEmpty || !stood.isEmpty { tell() }
        flush()
    }

    private func write(_ command: [RedisArgument], to place: RedisConfiguration.Endpoint) {
        CommandEncoder().write(command, isRetry: false, into: &outgoing[place, default: ByteBuffer()])
    }

    private func flush() {
        guard !outgoing.isEmpty else { return }
        for (place, buffer) in outgoing { links[place]?.write(buffer) }
        outgoing = [:]
    }

    /// Losses first: a slot that was lost and stands again has had a break.
    private func tell() {
        if !lost.isEmpty {
            let slots = lost
            lost = []
            handler?.subscriptionLost(.some(slots))
        }
        for afterBreak in [false, true] {
            guard let slots = stood.removeValue(forKey: afterBreak) else { continue }
            handler?.subscriptionConnected(.some(slots), afterBreak: afterBreak)
        }
    }
}

/// One connection for sharded channels, to one server of a Cluster.
///
/// `@unchecked Sendable`: everything mutable in it is touched on its event loop alone.
final class ShardSubscriberLink: ConnectionOwner, @unchecked Sendable {
    private let place: RedisConfiguration.Endpoint
    private let configuration: RedisConfiguration
    private let map: SlotMap
    private let eventLoop: any EventLoop
    private let logger: Logger
    private let connector: Connector<ShardSubscriberLink>
    private weak var owner: ClusterSubscriberCore?
    private(set) var server: ServerID?
    private(set) var connectedAt = NIODeadline.distantPast
    private var previous: ServerID?
    private var pingedAt: NIODeadline?

    init(
        to place: RedisConfiguration.Endpoint, configuration: RedisConfiguration, map: SlotMap,
        eventLoop: any EventLoop, logger: Logger, owner: ClusterSubscriberCore
    ) {
        self.place = place
        self.configuration = configuration
        self.map = map
        self.eventLoop = eventLoop
        self.logger = logger
        self.owner = owner
        connector = Connector(
            configuration: configuration, address: ShardAddress(at: place), eventLoop: eventLoop)
    }

    func start() { connector.start(owner: self) }

    func stop() -> EventLoopFuture<Void> {
        owner = nil
        return connector.stop()
    }

    func renew(reason: String) {
        if server != nil { connector.giveUp(reason: reason) }
    }

    /// Goes there at once if what kept it away was that the server is of another Cluster, and it is not any more.
    func reconsider() { connector.reconsider(map.admits) }

    func write(_ buffer: ByteBuffer) { connector.write(buffer) }

    // MARK: ConnectionOwner

    func greeting() -> Greeting { Greeting(subscriptions: configuration, admits: map.admits) }

    func connected(_ identity: LinkIdentity) {
        server = identity.server
        connectedAt = eventLoop.now
        pingedAt = nil
        logger.info(
            "Subscribed to a server of the Cluster",
            metadata: ["server": "\(place)", "runID": "\(identity.server.runID)"])
        owner?.connected(
            place, .connected(to: identity.server, clientID: identity.clientID, previous: previous))
        previous = identity.server
    }

    func received(_ reply: BorrowedReply) -> String? {
        if reply.elementCount == 3 { return owner?.received(reply, from: place) }
        if reply.isError {
            let error = ErrorReply(reply.string(of: reply.root))
            switch error.kind {
            case .refusesUs, .forbids:
                let reason = "\(error.code) \(error.message)"
                connector.giveUp(reason: reason, .refused)
                return reason
            case .breaksLink: return "\(error.code) \(error.message)"
            case .failsCommand: return owner?.refused(error, by: place)
            }
        }
        // A pong is an array of two while anything is subscribed, else what PING gives anywhere.
        pingedAt = nil
        let text = reply.elementCount == 2 ? reply.string(of: reply.element(1)) : reply.string(of: reply.root)
        owner?.marked(text, by: place)
        return nil
    }

    func readCompleted() { owner?.readCompleted() }

    func disconnected(reason: String, _ failure: LinkFailure) {
        let metadata: Logger.Metadata = ["server": "\(place)", "reason": "\(reason)"]
        if failure == .refused {
            logger.error("A server of the Cluster refuses the subscriptions", metadata: metadata)
        } else if server != nil {
            logger.warning("Lost the subscriptions to a server of the Cluster", metadata: metadata)
        } else {
            logger.debug("Could not subscribe to a server of the Cluster", metadata: metadata)
        }
        server = nil
        owner?.disconnected(place, RedisLinkState(failure, reason: reason))
    }

    func ticked(now: NIODeadline) {
        guard server != nil else { return }
        let lastSign = connector.lastRead
        if let pingedAt, lastSign < pingedAt {
            if now - pingedAt >= TimeAmount(configuration.pingTimeout) {
                connector.giveUp(reason: "no answer in time")
            }
        } else if now - lastSign >= TimeAmount(configuration.pingInterval) {
            pingedAt = now
            var buffer = ByteBuffer()
            CommandEncoder().write(["PING"], isRetry: false, into: &buffer)
            connector.write(buffer)
        }
    }
}
