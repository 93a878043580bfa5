import GatewayCore
import Logging
import NIOCore
import RedisClient
import Synchronization

/// Follows rooms, inboxes and users' states for the node's hubs: every message once, in order, holes filled from the log.
///
/// Everything happens on one event loop, that of the links to Redis; the doors for hubs hop there. A listener goes
/// live with the answer of a script that is sent once the room's channel is subscribed, so nothing lies between its
/// position and what it is sent.
///
/// `@unchecked Sendable`: all mutable state is touched on `loop` only, which each entry asserts.
final class Router: @unchecked Sendable {
    struct Configuration {
        /// Whose channels bring the messages for inboxes.
        var nodeId: String
        /// `log.recoverLimit`: missed messages given to a listener at once.
        var recoverLimit: Int
        /// How long a listener waits for Redis.
        var followTimeout: TimeAmount = .seconds(5)
        /// How long the channel may lag behind a position before the log is asked instead.
        var maxLag: TimeAmount = .milliseconds(100)
        /// The same where the log keeps nothing.
        var maxLagWithoutLog: TimeAmount = .seconds(2)
        /// How long a room or a user is followed after the last listener or watcher has gone.
        var lingering: TimeAmount = .seconds(2)
        /// For the rings of recent messages of all rooms together.
        var recentBytes = 16 << 20
        /// Messages asked of the log at once where the channel left a hole.
        var catchUpLimit = 200
        /// Users watched by all hubs together, and for a while after.
        var maxWatched: Int
        /// How long a user whom Redis has forgotten counts as online still: the nodes register again meanwhile.
        var forgottenGrace: TimeAmount = .seconds(10)
    }

    let loop: any EventLoop
    let store: Store
    let rules: RoomRules
    let names: NameSource
    let counters: BackendCounters
    let logger: Logger
    let configuration: Configuration
    /// Told when the subscriptions stand, the node's own channels among them, and when they no longer do: a node that
    /// registers a user before would not hear what is sent to it for them.
    let onConnection: @Sendable (Bool) -> Void
    let prefixLength: Int
    var subscriptions: (any ChannelSubscriptions)?
    var isConnected = false
    /// How often the subscriptions have been lost.
    var breaks = 0
    var tracks = TrackTable()
    var watched = WatchTable()
    var outboxes = HubOutboxes()
    var budget: RecentBudget
    var isFlushScheduled = false
    /// Tracks that the next tick has to look at.
    var unsettled: [ObjectIdentifier: Track] = [:]
    /// Tracks to be compared with their heads.
    var uncompared: [Track] = []
    /// The next look at what waits for time; nil while nothing does.
    var ticking: Scheduled<Void>?
    private let hubCount = Mutex(0)

    init(
        loop: any EventLoop, store: Store, rules: RoomRules, names: NameSource,
        counters: BackendCounters,
        logger: Logger, configuration: Configuration,
        onConnection: @escaping @Sendable (Bool) -> Void = { _ in }
    ) {
        self.loop = loop
        self.store = store
        self.rules = rules
        self.names = names
        self.counters = counters
        self.logger = logger
        self.configuration = configuration
        self.onConnection = onConnection
        prefixLength = store.keys.prefix.utf8.count
        budget = RecentBudget(maxBytes: configuration.recentBytes)
    }

    /// Begins to follow, through these subscriptions, which are not started before.
    func start(_ subscriptions: any ChannelSubscriptions) {
        subscriptions.subscribe(
            Partition.all.map { store.keys.node(configuration.nodeId, in: $0).name })
        loop.execute { [self] in
            self.subscriptions = subscriptions
            subscriptions.subscribe(tracks.all.compactMap(channel) + watched.users.map(channel))
            wake()
        }
    }

    func stop() {
        loop.execute { [self] in
            ticking?.cancel()
            ticking = nil
            subscriptions = nil
        }
    }

    /// Everything followed is compared with Redis: after a break, an emptied Redis, another run of it, and once a node
    /// that had been taken for dead has registered its connections again.
    func compareAll() {
        loop.execute { [self] in compare() }
    }

    /// The heads of the rooms followed, each with the life it is to have; `reply` comes on the router's loop.
    func followedHeads(
        _ written: WrittenHeads, reply: @escaping @Sendable ([(room: RoomName, life: Duration)]) -> Void
    ) {
        loop.execute { [self] in
            reply(
                tracks.all.compactMap { track in
                    if track.cursor.position?.seq ?? 0 > 0 {
                        return written == .included ? (track.room, rules.log(of: track.room).headLife) : nil
                    }
                    // An inbox has no head before its first message.
                    return track.room.isInbox ? nil : (track.room, LogLimits.emptyHeadLife)
                })
        }
    }

    /// Whether the heads of rooms that have messages, and so live long, are asked for too.
    enum WrittenHeads { case included, leftOut }

    /// An inbox has no channel of its own.
    func channel(of track: Track) -> String? {
        track.room.isInbox ? nil : store.keys.channel(track.room).name
    }

    func channel(of user: UserID) -> String {
        store.keys.status(of: user).name
    }

    /// Hands what was gathered to the hubs at the end of this turn.
    func scheduleFlush() {
        guard !isFlushScheduled else { return }
        isFlushScheduled = true
        loop.execute { [self] in
            isFlushScheduled = false
            outboxes.flush()
        }
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
            track.errand?.idleSince = nil
            let deadline = NIODeadline.now() + configuration.followTimeout
            wait(
                Errand.Waiter(ticket: ticket, hub: hub, since: since, portion: portion, deadline: deadline), track)
            advance(track)
        }
    }

    func unfollow(_ room: RoomName, hub: HubNumber) {
        loop.execute { [self] in
            guard let track = tracks[room] else { return }
            track.forget(hub)
            rest(track)
        }
    }

    func watch(_ users: [UserID], held: Int, ticket: FollowTicket, hub: HubNumber) {
        loop.execute { [self] in beginWatching(users, held: held, ticket: ticket, hub: hub) }
    }

    func unwatch(_ user: UserID, hub: HubNumber) {
        loop.execute { [self] in endWatching(user, hub: hub) }
    }

    /// The room's track, begun where there is none.
    func track(of room: RoomName) -> Track {
        if let track = tracks[room] { return track }
        let track = Track(room: room)
        tracks.insert(track)
        if let channel = channel(of: track) { subscriptions?.subscribe([channel]) }
        return track
    }
}
