import GatewayCore
import Logging
import NIOCore
import RedisClient
import Synchronization

/// Follows rooms for the node's hubs: every message once, in order, holes filled from the log.
///
/// Everything happens on one event loop, that of the links to Redis; the doors for hubs hop there. A listener goes
/// live with the answer of a script that is sent once the room's channel is subscribed, so nothing lies between its
/// position and what it is sent.
///
/// `@unchecked Sendable`: all mutable state is touched on `loop` only, which each entry asserts.
final class Router: @unchecked Sendable {
    struct Configuration {
        /// How long a listener waits for Redis.
        var followTimeout: TimeAmount = .seconds(5)
        /// How long the channel may lag behind a position before the log is asked instead.
        var maxLag: TimeAmount = .milliseconds(100)
        /// The same where the log keeps nothing.
        var maxLagWithoutLog: TimeAmount = .seconds(2)
        /// How long a room is followed after its last listener has gone.
        var lingering: TimeAmount = .seconds(2)
        /// For the rings of recent messages of all rooms together.
        var recentBytes = 16 << 20
        /// Messages asked of the log at once.
        var catchUpLimit = 200
    }

    let loop: any EventLoop
    let store: Store
    let rules: RoomRules
    let names: NameSource
    let counters: BackendCounters
    let logger: Logger
    let configuration: Configuration
    /// Told when the subscriptions stand, and when they no longer do.
    let onConnection: @Sendable (Bool) -> Void
    var subscriptions: (any ChannelSubscriptions)?
    var isConnected = false
    /// How often the subscriptions have been lost.
    var breaks = 0
    var tracks = TrackTable()
    var outboxes = HubOutboxes()
    var budget: RecentBudget
    var isFlushScheduled = false
    /// Tracks that the next tick has to look at.
    var unsettled: [ObjectIdentifier: Track] = [:]
    private var ticking: RepeatedTask?
    private let hubCount = Mutex(0)

    init(
        loop: any EventLoop, store: Store, rules: RoomRules, names: NameSource, counters: BackendCounters,
        logger: Logger, configuration: Configuration = Configuration(),
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
        budget = RecentBudget(maxBytes: configuration.recentBytes)
    }

    /// Begins to follow, through these subscriptions.
    func start(_ subscriptions: any ChannelSubscriptions) {
        loop.execute { [self] in
            self.subscriptions = subscriptions
            for track in tracks.all { subscriptions.subscribe([track.channel.name]) }
            ticking = loop.scheduleRepeatedTask(initialDelay: .milliseconds(50), delay: .milliseconds(50)) { _ in
                self.tick(now: .now())
            }
        }
    }

    func stop() {
        loop.execute { [self] in
            ticking?.cancel()
            ticking = nil
            subscriptions = nil
        }
    }

    /// Everything followed is compared with the log: after a break, an emptied Redis, another run of it.
    func compareAll() {
        loop.execute { [self] in
            for track in tracks.all where track.cursor.position != nil {
                track.needsCatchUp = true
                advance(track)
            }
        }
    }

    /// The heads of the rooms followed, each with the life it is to have; `reply` comes on the router's loop.
    func followedHeads(reply: @escaping @Sendable ([(room: RoomName, life: Duration)]) -> Void) {
        loop.execute { [self] in
            reply(tracks.all.map { ($0.room, rules.log(of: $0.room).headLife) })
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

    func follow(_ room: RoomName, since: ClientPosition?, ticket: FollowTicket, hub: HubNumber) {
        loop.execute { [self] in
            let track = tracks[room] ?? begin(room)
            track.idleSince = nil
            let deadline = NIODeadline.now() + configuration.followTimeout
            wait(Track.Waiter(ticket: ticket, hub: hub, deadline: deadline), track)
            advance(track)
        }
    }

    func unfollow(_ room: RoomName, hub: HubNumber) {
        loop.execute { [self] in
            guard let track = tracks[room] else { return }
            track.forget(hub)
            guard track.isUnused else { return }
            track.idleSince = .now()
            unsettled[ObjectIdentifier(track)] = track
        }
    }

    func watch(_ users: [UserID], ticket: FollowTicket, hub: HubNumber) {
        loop.execute { [self] in
            outboxes.add(.watchFailed(ticket: ticket, error: .unavailable(reason: "not followed")), to: hub)
            scheduleFlush()
        }
    }

    func unwatch(_ user: UserID, hub: HubNumber) {}

    private func begin(_ room: RoomName) -> Track {
        let track = Track(room: room, channel: store.keys.channel(room))
        tracks.insert(track)
        subscriptions?.subscribe([track.channel.name])
        return track
    }
}
