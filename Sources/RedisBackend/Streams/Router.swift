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
    private let configuration: Configuration
    /// Told when the subscriptions stand, and when they no longer do.
    private let onConnection: @Sendable (Bool) -> Void
    private var subscriptions: (any ChannelSubscriptions)?
    private var isConnected = false
    private var tracks = TrackTable()
    private var outboxes = HubOutboxes()
    private var budget: RecentBudget
    private var isFlushScheduled = false
    /// Tracks that the next tick has to look at.
    private var unsettled: [ObjectIdentifier: Track] = [:]
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

    func follow(_ room: RoomName, ticket: FollowTicket, hub: HubNumber) {
        loop.execute { [self] in
            let track = tracks[room] ?? begin(room)
            track.idleSince = nil
            let deadline = NIODeadline.now() + configuration.followTimeout
            track.waiters.append(Track.Waiter(ticket: ticket, hub: hub, deadline: deadline))
            unsettled[ObjectIdentifier(track)] = track
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

    private func begin(_ room: RoomName) -> Track {
        let track = Track(room: room, channel: store.keys.channel(room))
        tracks.insert(track)
        subscriptions?.subscribe([track.channel.name])
        return track
    }
}

extension Router: RedisSubscriptionHandler {
    func subscriptionConnected(afterBreak: Bool) {
        loop.assertInEventLoop()
        isConnected = true
        onConnection(true)
        for track in tracks.all {
            if afterBreak, track.cursor.position != nil { track.needsCatchUp = true }
            advance(track)
        }
    }

    func subscriptionLost() {
        loop.assertInEventLoop()
        isConnected = false
        onConnection(false)
        for track in tracks.all { track.isSubscribed = false }
    }

    func subscribed(channel: String) {
        var channel = channel
        guard let track = channel.withUTF8({ tracks[UnsafeRawBufferPointer($0)] }) else { return }
        track.isSubscribed = true
        advance(track)
    }

    func received(channel: UnsafeRawBufferPointer, payload: UnsafeRawBufferPointer) {
        loop.assertInEventLoop()
        guard let track = tracks[channel] else { return }
        // Members' comings and goings share the channel; whoever follows the roster reads them.
        guard !PresenceMessage.isOne(payload) else { return }
        guard let message = ChannelMessage(payload), let decoded = decode(message, track) else {
            counters.unreadable()
            logger.error("A message on a channel could not be read", metadata: ["room": "\(track.room)"])
            return
        }
        take(decoded, track)
    }

    func readComplete() {
        outboxes.flush()
    }

    private func decode(_ message: ChannelMessage, _ track: Track) -> RoomMessage? {
        // The epoch is nearly always the one known: its string is shared rather than made anew.
        let known = track.cursor.position?.epoch
        let epoch =
            known.flatMap { $0.utf8.elementsEqual(message.epoch) ? $0 : nil }
            ?? String(decoding: message.epoch, as: UTF8.self)
        return MessageBody.decode(
            message.body, room: track.room, position: Position(epoch: epoch, seq: message.seq),
            timestamp: message.timestamp)
    }
}

extension Router {
    /// A message is there: from the channel, from what was held, or from the log.
    private func take(_ message: RoomMessage, _ track: Track) {
        guard !track.isCatchingUp else { return track.hold(message) }
        switch track.cursor.receive(message.position) {
        case .deliver:
            deliver(message, track)
        case .drop:
            counters.repeated()
        case .hold:
            track.hold(message)
        case .catchUp:
            track.hold(message)
            track.needsCatchUp = true
            advance(track)
        }
    }

    private func deliver(_ message: RoomMessage, _ track: Track) {
        budget.append(message, to: track)
        if !track.hubs.isEmpty {
            outboxes.add(message, of: track)
            scheduleFlush()
        }
        guard !track.parked.isEmpty else { return }
        settleParked(track)
    }

    /// Those whose position has been reached go live.
    private func settleParked(_ track: Track) {
        let parked = track.parked
        track.parked = []
        for one in parked {
            goLive(one.waiter, at: one.position, timestamp: one.timestamp, since: one.since, track)
        }
    }

    /// Takes a listener live at the position that Redis gave for it, if the stream has come that far.
    private func goLive(
        _ waiter: Track.Waiter, at position: Position, timestamp: Int64, since: NIODeadline, _ track: Track
    ) {
        guard let seen = track.cursor.position, seen.epoch == position.epoch else {
            // The room has gone over to another epoch: catch up, then ask again.
            track.waiters.append(waiter)
            track.needsCatchUp = true
            return
        }
        guard seen.seq >= position.seq else {
            track.parked.append(Track.Parked(waiter: waiter, position: position, timestamp: timestamp, since: since))
            unsettled[ObjectIdentifier(track)] = track
            return
        }
        guard let missed = seen.seq == position.seq ? [] : track.recent.after(position.seq) else {
            track.waiters.append(waiter)
            return
        }
        let answer = StreamDelivery.following(
            ticket: waiter.ticket, room: track.room, position: position, timestamp: timestamp, missed: missed)
        outboxes.add(answer, of: track, to: waiter.hub)
        if !track.hubs.contains(waiter.hub) { track.hubs.append(waiter.hub) }
        scheduleFlush()
    }

    /// Sends what the track's state calls for; at most one question of each kind is under way.
    private func advance(_ track: Track) {
        guard isConnected, track.isSubscribed, !track.isCatchingUp else { return }
        if track.needsCatchUp, let position = track.cursor.position {
            catchUp(track, after: position)
        } else if !track.waiters.isEmpty, !track.isAsking {
            ask(track)
        }
    }

    private func ask(_ track: Track) {
        track.isAsking = true
        track.asked = track.waiters
        track.waiters = []
        position(of: track, seen: nil) { [self] result in
            track.isAsking = false
            let asked = track.asked
            track.asked = []
            switch result {
            case .failure(let error):
                for waiter in asked { fail(waiter, BackendError(error), track) }
            case .success(let reply):
                guard let answer = PositionAnswer(reply, room: track.room) else {
                    return asked.forEach { fail($0, .unavailable(reason: "position had another shape"), track) }
                }
                if track.cursor.position == nil { track.cursor.begin(at: answer.head) }
                for waiter in asked {
                    goLive(waiter, at: answer.head, timestamp: answer.timestamp, since: .now(), track)
                }
                releaseHeld(track)
            }
            advance(track)
        }
    }

    private func catchUp(_ track: Track, after position: Position) {
        track.needsCatchUp = false
        track.isCatchingUp = true
        counters.caughtUp()
        self.position(of: track, seen: position) { [self] result in
            track.isCatchingUp = false
            guard case .success(let reply) = result, let answer = PositionAnswer(reply, room: track.room) else {
                // Redis is away: the tick asks again.
                track.needsCatchUp = true
                unsettled[ObjectIdentifier(track)] = track
                return
            }
            recover(track, answer)
            settleParked(track)
            releaseHeld(track)
            if track.needsCatchUp, track.cursor.position == position {
                // The log did not have what the channel spoke of; the tick asks again, not every round trip.
                unsettled[ObjectIdentifier(track)] = track
            } else {
                advance(track)
            }
        }
    }

    private func recover(_ track: Track, _ answer: PositionAnswer) {
        switch track.cursor.recover(isGood: answer.isGood, head: answer.head) {
        case .lost(let position):
            counters.lost()
            logger.error("Messages of a room were lost", metadata: ["room": "\(track.room)", "seq": "\(position.seq)"])
            budget.clear(track)
            outboxes.add(.gap(room: track.room, position: position), of: track)
            scheduleFlush()
        case .whole(let newEpoch):
            if let newEpoch {
                outboxes.add(.epoch(room: track.room, position: newEpoch), of: track)
                scheduleFlush()
            }
            for message in answer.messages { take(message, track) }
            if answer.more { track.needsCatchUp = true }
        }
    }

    private func releaseHeld(_ track: Track) {
        let held = track.held
        track.held = []
        for message in held { take(message, track) }
    }

    private func fail(_ waiter: Track.Waiter, _ error: BackendError, _ track: Track) {
        outboxes.add(.failed(ticket: waiter.ticket, room: track.room, error: error), of: track, to: waiter.hub)
        scheduleFlush()
        guard track.isUnused else { return }
        track.idleSince = .now()
        unsettled[ObjectIdentifier(track)] = track
    }

    private func position(
        of track: Track, seen: Position?, reply: @escaping @Sendable (Result<RedisReply, RedisError>) -> Void
    ) {
        let limits = rules.log(of: track.room)
        var arguments: [RedisArgument] = [
            .runID, .string(names.epoch()), .integer(limits.headLife.milliseconds), .integer(limits.age.milliseconds),
            .integer(Int64(configuration.catchUpLimit)),
        ]
        if let seen { arguments += [.string(seen.epoch), .integer(Int64(seen.seq))] }
        let keys = [
            store.keys.state(Partition(of: track.room)), store.keys.head(track.room), store.keys.log(track.room),
        ]
        store.call(store.scripts.position, keys: keys, arguments: arguments, reply: reply)
    }
}

extension Router {
    /// Looks after whatever waits for time to pass.
    private func tick(now: NIODeadline) {
        let waiting = unsettled
        unsettled = [:]
        for (identifier, track) in waiting where !isSettled(track, now: now) {
            unsettled[identifier] = track
        }
    }

    /// Whether the track needs no further look; does what is due.
    private func isSettled(_ track: Track, now: NIODeadline) -> Bool {
        let late = track.waiters.filter { $0.deadline <= now }
        track.waiters.removeAll { $0.deadline <= now }
        for waiter in late { fail(waiter, .unavailable(reason: "Redis did not answer in time"), track) }
        if track.parked.contains(where: { $0.since + configuration.maxLag <= now }) { track.needsCatchUp = true }
        if track.isUnused, let idleSince = track.idleSince, idleSince + configuration.lingering <= now {
            subscriptions?.unsubscribe([track.channel.name])
            tracks.remove(track)
            budget.clear(track)
            return true
        }
        advance(track)
        return track.waiters.isEmpty && track.parked.isEmpty && !track.needsCatchUp && !track.isUnused
    }

    private func scheduleFlush() {
        guard !isFlushScheduled else { return }
        isFlushScheduled = true
        loop.execute { [self] in
            isFlushScheduled = false
            outboxes.flush()
        }
    }
}
