import GatewayCore
import Logging
import NIOCore
import Synchronization

/// Follows rooms, inboxes and users' states for the node's hubs: every message once, in order, holes filled from the log.
///
/// What is to be done is for `TrackMachine` and `WatchMachine` to say; here it is performed. Everything happens on one
/// event loop, that of the links to Redis; the entry points for hubs hop there.
///
/// `@unchecked Sendable`: all mutable state is touched on `loop` only, which each entry asserts.
final class Router: @unchecked Sendable {
    struct Configuration {
        /// Whose channels bring the messages for inboxes.
        let nodeId: String
        let tracks: TrackConditions.Settings
        let watching: WatchMachine.Settings
        /// For the recent messages of all rooms together.
        let recentBytes = 16 << 20

        /// - Parameters:
        ///   - recoverLimit: `log.recoverLimit`, missed messages given to a listener at once.
        ///   - maxWatched: users watched by all hubs together.
        ///   - setBackGrace: how long a Redis that was set back is not believed about them.
        init(nodeId: String, recoverLimit: Int, maxWatched: Int, setBackGrace: Duration) {
            self.nodeId = nodeId
            tracks = TrackConditions.Settings(recoverLimit: recoverLimit)
            watching = WatchMachine.Settings(maxWatched: maxWatched, setBackGrace: setBackGrace)
        }
    }

    let loop: any EventLoop
    let store: Store
    let rules: Current<RoomRules>
    let names: NameSource
    let counters: BackendCounters
    private let clock: RedisClock
    let logger: Logger
    /// Told when the subscriptions of partitions stand, the node's own channels among them, and when they no longer do: a
    /// node that registers a user before would not hear what is sent to it for them.
    let onConnection: @Sendable (PartitionSet, Bool) -> Void
    /// Told of what this node, or another of its name, sent to itself.
    let onCanary: @Sendable (_ number: Int, _ instance: String) -> Void
    /// Told of connections of this node that are out of a room; set before the start.
    var onPutOut: @Sendable (PutOut) -> Void = { _ in }
    /// Told of a room whose host has left; set before the start.
    var onVacated: @Sendable (RoomName) -> Void = { _ in }
    let prefixLength: Int
    let link = ChannelLink()
    let outboxes: HubOutboxes
    let watched: WatchedUsers
    private let configuration: Configuration
    private let ticker: Ticker
    private(set) var tracks = TrackTable()
    private var agenda = TrackAgenda()
    private var budget: RecentBudget
    private let hubCount = Mutex(0)
    /// Nil where nothing is archived.
    private(set) var past: Past?
    /// Who answers, and hears, where a connection is; set before the start.
    var search: ConnectionSearch?
    var review: RedisRightsReview?
    /// Told that a user with connections here is invisible from now on, or no longer; set before the start.
    var onVisibility: (UserID, Bool) -> Void = { _, _ in }

    init(
        loop: any EventLoop, store: Store, rules: Current<RoomRules>, names: NameSource,
        counters: BackendCounters, clock: RedisClock = RedisClock(),
        logger: Logger, configuration: Configuration,
        onConnection: @escaping @Sendable (PartitionSet, Bool) -> Void = { _, _ in },
        onCanary: @escaping @Sendable (_ number: Int, _ instance: String) -> Void = { _, _ in }
    ) {
        self.loop = loop
        self.store = store
        self.rules = rules
        self.names = names
        self.counters = counters
        self.logger = logger
        self.configuration = configuration
        self.onConnection = onConnection
        self.onCanary = onCanary
        prefixLength = store.keys.channelPrefix.utf8.count
        budget = RecentBudget(maxBytes: configuration.recentBytes)
        self.clock = clock
        outboxes = HubOutboxes(loop: loop, clock: clock)
        ticker = Ticker(loop: loop)
        watched = WatchedUsers(
            loop: loop, store: store, link: link, outboxes: outboxes, ticker: ticker, settings: configuration.watching)
    }

    /// Begins to follow, through these subscriptions, which are not started before.
    func start(_ subscriptions: any ChannelSubscriptions) {
        subscriptions.subscribe(
            Partition.all.map { store.keys.node(configuration.nodeId, in: $0).name })
        loop.execute { [self] in
            link.start(subscriptions)
            link.subscribe(tracks.all.compactMap(channel) + watched.channels)
            ticker.start { [self] in tick() }
        }
    }

    /// What logs have let go of is read here.
    func use(_ past: Past) {
        loop.execute { [self] in self.past = past }
    }

    func stop() {
        loop.execute { [self] in
            ticker.stop()
            link.stop()
        }
    }

    /// Everything followed in these partitions is compared with Redis: after a break, an emptied Redis, another run of it,
    /// and once a node that had been taken for dead has registered its connections again.
    func compareAll(_ partitions: PartitionSet = .all) {
        loop.execute { [self] in compare(partitions) }
    }

    /// A user is registered with this node again; called on the loop.
    func compareInbox(of user: UserID) {
        loop.assertInEventLoop()
        guard let track = tracks[RoomName(inboxOf: user)], track.machine.position != nil else { return }
        compareLater([track])
    }

    /// The heads of the rooms followed, each with the life it is to have; `reply` comes on the router's loop.
    func followedHeads(
        _ written: WrittenHeads, reply: @escaping @Sendable ([(room: RoomName, life: Duration)]) -> Void
    ) {
        loop.execute { [self] in
            reply(
                tracks.all.compactMap { track in
                    let life = track.machine.headLife(written, of: track.room, limits: rules.now.log(of: track.room))
                    return life.map { (track.room, $0) }
                })
        }
    }

    /// The rooms followed that are forgotten once nobody is in them for as long as their settings say; `reply` comes on the
    /// router's loop.
    func expiringRooms(reply: @escaping @Sendable ([(room: RoomName, life: Duration)]) -> Void) {
        loop.execute { [self] in
            reply(tracks.all.compactMap { track in track.machine.settings?.expires.map { (track.room, $0) } })
        }
    }

    /// A connection of this node is to be closed, or is out of a room: whichever hub has it is told.
    func close(_ closing: StreamDelivery) {
        loop.assertInEventLoop()
        outboxes.addToAll(closing)
    }

    /// The room's track, begun where there is none.
    func track(of room: RoomName) -> Track {
        if let track = tracks[room] { return track }
        let track = Track(room: room)
        tracks.insert(track)
        link.subscribe(channel(of: track).map { [$0] } ?? [])
        return track
    }

    func conditions(of track: Track) -> TrackConditions {
        let partition = Partition(of: track.room)
        return TrackConditions(
            now: .now, isConnected: link.stands(in: partition), breaks: link.breaks(of: partition),
            isAnswered: store.isConnected(partition), isInbox: track.room.isInbox,
            keepsRoster: rules.now.presence(of: track.room) == .full, limits: rules.now.log(of: track.room),
            settings: configuration.tracks)
    }

    /// An inbox has no channel of its own.
    private func channel(of track: Track) -> String? {
        track.room.isInbox ? nil : store.keys.channel(track.room).name
    }
}

extension Router: RoomStreams {
    func open(_ sink: any StreamSink) -> HubNumber {
        hubCount.withLock { count in
            let number = count
            count += 1
            // Inside the lock, so that hubs arrive in the order of their numbers.
            loop.execute { self.outboxes.add(sink, number: number) }
            return number
        }
    }

    func follow(
        _ room: RoomName, since: ClientPosition?, portion: Portion, ticket: FollowTicket, hub: HubNumber
    ) {
        loop.execute { [self] in
            let track = track(of: room)
            let conditions = conditions(of: track)
            let listener = Listener(
                ticket: ticket, hub: hub, since: since, portion: portion,
                deadline: conditions.now + configuration.tracks.followTimeout)
            perform(track.machine.listenerCame(listener, conditions), track)
        }
    }

    func unfollow(_ room: RoomName, hub: HubNumber) {
        loop.execute { [self] in
            guard let track = tracks[room] else { return }
            track.hubs.remove(hub)
            perform(track.machine.left(hub, isFollowed: !track.hubs.isEmpty, now: .now), track)
        }
    }

    func watch(_ users: [UserID], held: Int, ticket: FollowTicket, hub: HubNumber) {
        loop.execute { [self] in watched.watch(users, held: held, ticket: ticket, hub: hub) }
    }

    func unwatch(_ user: UserID, hub: HubNumber) {
        loop.execute { [self] in watched.unwatch(user, hub: hub) }
    }
}

/// What tracks call for.
extension Router {
    /// A message came over the channel.
    func receive(_ message: RoomMessage, _ track: Track) {
        let conditions = conditions(of: track)
        switch track.machine.received(message, conditions) {
        case .deliver:
            let arrival = MessageArrival(time: conditions.now, redisAhead: clock.ahead)
            if let lag = arrival.age(of: message.timestamp, now: conditions.now) { counters.came(after: lag) }
            deliver(message, track)
        case .repeated: counters.repeated()
        case .kept: break
        case .perform(let actions): perform(actions, track)
        }
    }

    /// Steps of the roster came over the channel.
    func receive(_ change: RosterChange, _ track: Track) {
        switch track.machine.received(change, conditions(of: track)) {
        case .tell(let change): outboxes.add(.presence(change), of: track)
        case .nothing: break
        case .perform(let actions): perform(actions, track)
        }
    }

    /// Something of a governed room came over the channel.
    func receive(_ message: SettingsMessage, _ track: Track) {
        defer { perform(track.machine.completeSettings(conditions(of: track)), track) }
        switch message.change {
        case .settings(let state):
            guard let state = track.machine.received(state) else { return }
            outboxes.add(.room(RoomChange(room: track.room, now: state)), of: track)
        case .person(let person):
            guard let state = track.machine.received(person, version: message.version) else { return }
            outboxes.add(.room(RoomChange(room: track.room, person, state: state)), of: track)
        }
    }

    /// Messages have no payloads any more. Every hub is told that follows the room or catches up in it.
    func receive(_ redaction: Redaction) {
        guard let track = tracks[redaction.room], track.machine.received(redaction) else { return }
        outboxes.addToAll(.redacted(redaction), behind: track)
    }

    func perform(_ actions: [TrackMachine.Action], _ track: Track) {
        for action in actions {
            switch action {
            case .deliver(let message): deliver(message, track)
            case .remember(let messages): for message in messages { budget.record(message, of: track) }
            case .repeated: counters.repeated()
            case .epoch(let position):
                counters.wentOn()
                outboxes.add(.epoch(room: track.room, position: position), of: track)
            case .gap(let position):
                counters.lost()
                logger.error(
                    "Messages of a room were lost",
                    metadata: ["room": "\(track.room)", "seq": "\(position.seq)"])
                outboxes.add(.gap(room: track.room, position: position), of: track)
            case .presence(let change): outboxes.add(.presence(change), of: track)
            case .rosterMoved(let state): outboxes.add(.presence(RosterChange(state, of: track.room)), of: track)
            case .settings(let state, let event):
                outboxes.add(.room(RoomChange(room: track.room, event: event, state: state)), of: track)
            case .start(let listener, let start): begin(listener, start, track)
            case .fail(let listener, let error):
                outboxes.add(
                    .failed(ticket: listener.ticket, room: track.room, error: error), of: track, to: listener.hub)
            case .ask(let part):
                position(of: track, part) { [self] answer in
                    perform(track.machine.answered(answer, conditions(of: track)), track)
                }
            case .catchUp(let part):
                counters.caughtUp()
                position(of: track, part) { [self] answer in
                    perform(track.machine.caughtUp(answer, conditions(of: track)), track)
                }
            case .compare: compareLater([track])
            case .look:
                agenda.look(at: track)
                ticker.wake()
            case .leave:
                if let channel = channel(of: track) { link.unsubscribe([channel]) }
                tracks.remove(track)
                agenda.remove(track)
            }
        }
    }

    /// The listener's hub follows from here on, unless there is more for it.
    func answer(_ listener: Listener, _ start: StreamStart, _ track: Track) {
        let answer = StreamDelivery.following(ticket: listener.ticket, room: track.room, start: start)
        outboxes.add(answer, of: track, to: listener.hub)
        if !start.hasMore { track.hubs.insert(listener.hub) }
    }

    private func deliver(_ message: RoomMessage, _ track: Track) {
        budget.record(message, of: track)
        outboxes.add(message, of: track)
    }
}

/// What waits for time to pass, or for the links.
extension Router {
    /// The channels come in again.
    func linkReturned(_ partitions: PartitionSet) {
        for track in agenda.all where partitions.contains(Partition(of: track.room)) {
            perform(track.machine.linkReturned(conditions(of: track)), track)
        }
    }

    /// What the link may have lost without a trace is found by comparing with the heads, many at a time; only what differs
    /// is asked about by itself.
    func compare(_ partitions: PartitionSet) {
        agenda.compare(
            all: tracks.all.filter { $0.machine.position != nil && partitions.contains(Partition(of: $0.room)) })
        ticker.wake()
        watched.doubt(partitions)
        sendComparisons()
    }

    /// Has the next tick compare these tracks with their heads, together with others.
    func compareLater(_ tracks: [Track]) {
        agenda.compare(tracks)
        ticker.wake()
    }

    /// Sends what is to be compared; while a link is away it waits for the tick.
    private func sendComparisons() {
        let reachable = PartitionSet(link.standing.lazy.filter(store.isConnected))
        guard !reachable.isEmpty else { return }
        compare(agenda.takeUncompared { reachable.contains(Partition(of: $0.room)) })
    }

    /// Answers whether something waits still.
    private func tick() -> Bool {
        let now = MonotonicTime.now
        for track in agenda.takeDue(now: now) {
            perform(track.machine.ticked(conditions(of: track)), track)
            if track.machine.isBusy { agenda.keep(track) } else { agenda.remove(track) }
        }
        sendComparisons()
        watched.ticked(now: now)
        return !agenda.isEmpty || watched.isWaiting
    }
}
