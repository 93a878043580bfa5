import GatewayCore
import Synchronization

/// Rooms and their members in memory: what Redis is to a node, for tests of whoever lives above it.
///
/// It answers at once, on the caller's thread, unless it is told to hold its answers back.
final class InMemoryBackend: RoomStreams, MessageLog {
    /// What a hub has asked of the streams.
    enum Call: Hashable {
        case follow(RoomName, hub: HubNumber)
        case unfollow(RoomName, hub: HubNumber)
        case watch([UserID], hub: HubNumber)
        case unwatch(UserID, hub: HubNumber)
    }

    struct Room {
        var messages: [RoomMessage] = []
        /// Messages that the log has let go of.
        var forgotten = 0
        var epoch = InMemoryBackend.epoch
        /// Hubs whose follow was answered.
        var hubs: Set<HubNumber> = []
        /// Connections in the room, by the order they joined in.
        var connections: [(id: String, user: UserID)] = []
        var rosterVersion: Int64 = 0
        var settings: RoomState?

        var roster: RosterState {
            RosterState(members: Set(connections.map(\.user)).count, version: rosterVersion, timestamp: 1000)
        }
    }

    struct Follow {
        let room: RoomName
        let since: ClientPosition?
        let portion: Portion
        let ticket: FollowTicket
        let hub: HubNumber
    }

    struct Session {
        var user: UserID
        var rooms: Set<RoomName> = []
    }

    struct State {
        var sinks: [any StreamSink] = []
        var rooms: [RoomName: Room] = [:]
        var calls: [Call] = []
        var isHolding = false
        /// Nil unless answers to publishes are held back.
        var heldAnswers: [@Sendable () -> Void]?
        var held: [Follow] = []
        var isAway = false
        var pageLimit = 1000
        /// Called before a page of members is read.
        var beforePage: (@Sendable () -> Void)?
        var failsPages = false
        /// Of all missed messages that answers have held so far.
        var missedBytes = 0
        var lastTicket: FollowTicket = 0
        var watchers: [UserID: Set<HubNumber>] = [:]
        // The registry's.
        var told: [String] = []
        var users: [String: UserID] = [:]
        var addresses: [String: String] = [:]
        var sessions: [String: Session] = [:]
        /// The session of each connection.
        var sessionOf: [String: String] = [:]
        var isRegistryHolding = false
        var heldRegistrations: [@Sendable () -> Void] = []
        var maxConnectionsPerUser = Int.max
        var tokensBefore: Int64 = 0
        /// What clients have ordered, and the answer that they get.
        var orders: [RoomOrder] = []
        var orderAnswer: Result<Int64, GovernError> = .success(7)
        var redactions: [RedactionOrder] = []
        var reading: RoomReading?
    }

    static let epoch = "e1"
    let state = Mutex(State())

    var calls: [Call] { state.withLock { $0.calls } }

    /// The ticket of the last question.
    var lastTicket: FollowTicket { state.withLock { $0.lastTicket } }

    /// Whether follows wait for `release`.
    func hold(_ isHolding: Bool) { state.withLock { $0.isHolding = isHolding } }

    /// Holds back the answers to publishes, or lets go what was held.
    func holdPublishes(_ isHolding: Bool) {
        let answers = state.withLock { state in
            defer { state.heldAnswers = isHolding ? [] : nil }
            return state.heldAnswers ?? []
        }
        for answer in answers { answer() }
    }

    /// Whether everything fails.
    func goAway(_ isAway: Bool) { state.withLock { $0.isAway = isAway } }

    /// Of all missed messages that answers have held so far, in memory.
    var missedBytes: Int { state.withLock { $0.missedBytes } }

    /// How many missed messages an answer holds at most.
    func limitPages(to count: Int) { state.withLock { $0.pageLimit = count } }

    /// Answers the follows that were held, in the order they came; all, or so many, or all but the first ones.
    func release(_ count: Int = .max, skipping first: Int = 0) {
        state.withLock { state in
            let held = state.held.dropFirst(first).prefix(count)
            state.held.removeSubrange(held.indices)
            for follow in held { InMemoryBackend.answer(follow, &state) }
        }
    }

    func head(of room: RoomName) -> Int { state.withLock { $0.rooms[room]?.messages.count ?? 0 } }

    /// Lets the log of a room forget its first messages.
    func forget(_ count: Int, of room: RoomName) { state.withLock { $0.rooms[room]?.forgotten = count } }

    /// Lets a room go on under another epoch without telling anybody.
    func renew(_ room: RoomName, epoch: String) { state.withLock { $0.rooms[room, default: Room()].epoch = epoch } }

    /// Gives a room settings, or closes it, and tells its followers.
    func govern(_ room: RoomName, _ state: RoomState) {
        self.state.withLock { all in
            all.rooms[room, default: Room()].settings = state.isGoverned ? state : nil
            for hub in all.rooms[room]?.hubs ?? [] {
                all.sinks[hub].receive([.room(RoomChange(room: room, now: state))])
            }
        }
    }

    /// Sends deliveries to a hub as they are.
    func deliver(_ deliveries: [StreamDelivery], to hub: HubNumber) {
        state.withLock { $0.sinks[hub].receive(deliveries) }
    }

    // MARK: RoomStreams

    func open(_ sink: any StreamSink) -> HubNumber {
        state.withLock { state in
            state.sinks.append(sink)
            return state.sinks.count - 1
        }
    }

    func follow(
        _ room: RoomName, since: ClientPosition?, portion: Portion, ticket: FollowTicket, hub: HubNumber
    ) {
        state.withLock { state in
            state.calls.append(.follow(room, hub: hub))
            state.lastTicket = ticket
            let follow = Follow(room: room, since: since, portion: portion, ticket: ticket, hub: hub)
            if state.isHolding { state.held.append(follow) } else { InMemoryBackend.answer(follow, &state) }
        }
    }

    func unfollow(_ room: RoomName, hub: HubNumber) {
        state.withLock { state in
            state.calls.append(.unfollow(room, hub: hub))
            state.rooms[room]?.hubs.remove(hub)
        }
    }

    private static func answer(_ follow: Follow, _ state: inout State) {
        let sink = state.sinks[follow.hub]
        if state.isAway {
            let error = BackendError.unavailable(reason: "away")
            return sink.receive([.failed(ticket: follow.ticket, room: follow.room, error: error)])
        }
        var room = state.rooms[follow.room] ?? Room()
        room.hubs.insert(follow.hub)
        state.rooms[follow.room] = room
        let position = Position(epoch: room.epoch, seq: room.messages.count)
        let isProper = !follow.room.isEveryone && !follow.room.isInbox
        var start = StreamStart(
            position: position, roster: isProper ? room.roster : nil, settings: room.settings, timestamp: 1000)
        if let since = follow.since {
            start.recovered = since.seq >= room.forgotten && since.seq <= position.seq
            let rest = room.messages.filter { $0.seq > max(since.seq, room.forgotten) }
            start.hasMore = !follow.portion.fill(&start.missed, limit: state.pageLimit, from: rest)
            state.missedBytes += start.missed.reduce(0) { $0 + $1.memoryBytes }
        }
        sink.receive([.following(ticket: follow.ticket, room: follow.room, start: start)])
    }

    func watch(_ users: [UserID], held: Int, ticket: FollowTicket, hub: HubNumber) {
        state.withLock { state in
            state.calls.append(.watch(users, hub: hub))
            state.lastTicket = ticket
            if state.isAway {
                return state.sinks[hub].receive([.watchFailed(ticket: ticket, error: .unavailable(reason: "away"))])
            }
            for user in users { state.watchers[user, default: []].insert(hub) }
            let online = Set(state.users.values)
            let statuses = users.map {
                UserStatus(userId: $0, isOnline: online.contains($0), lastSeen: online.contains($0) ? nil : 900)
            }
            state.sinks[hub].receive([.watching(ticket: ticket, users: statuses)])
        }
    }

    func unwatch(_ user: UserID, hub: HubNumber) {
        state.withLock { state in
            state.calls.append(.unwatch(user, hub: hub))
            state.watchers[user]?.remove(hub)
        }
    }

    // MARK: MessageLog

    func publish(
        _ publication: Publication, reply: @escaping @Sendable (Result<Published, BackendError>) -> Void
    ) {
        state.withLock { state in
            if state.isAway { return reply(.failure(.unavailable(reason: "away"))) }
            var room = state.rooms[publication.room] ?? Room()
            let next = Position(epoch: room.epoch, seq: room.messages.count + 1)
            let message = RoomMessage(
                room: publication.room, userId: publication.userId, msgType: publication.msgType,
                event: publication.event, payload: publication.payload, timestamp: 1000,
                position: publication.isVolatile ? .unstored : next, except: publication.except)
            if !message.isVolatile { room.messages.append(message) }
            state.rooms[publication.room] = room
            for hub in room.hubs {
                let delivery: StreamDelivery =
                    message.isVolatile ? .unstored(message) : .messages(room: publication.room, messages: [message])
                state.sinks[hub].receive([delivery])
            }
            let published = Published(position: message.position, timestamp: message.timestamp)
            guard state.heldAnswers == nil else {
                state.heldAnswers?.append { reply(.success(published)) }
                return
            }
            reply(.success(published))
        }
    }

    func history(
        of room: RoomName, range: HistoryRange,
        reply: @escaping @Sendable (Result<HistoryPage, BackendError>) -> Void
    ) {
        state.withLock { state in
            if state.isAway { return reply(.failure(.unavailable(reason: "away"))) }
            let all = state.rooms[room]?.messages ?? []
            let part: [RoomMessage] =
                switch range.edge {
                case .newest: all.suffix(range.limit)
                case .before(let seq): all.filter { $0.seq < seq }.suffix(range.limit)
                case .after(let seq): Array(all.filter { $0.seq > seq }.prefix(range.limit))
                }
            let head = Position(epoch: InMemoryBackend.epoch, seq: all.count)
            reply(.success(HistoryPage(room: room, head: head, messages: part, more: part.count < all.count)))
        }
    }

    func claim(
        key: String, digest: String, id: String, beside room: RoomName,
        reply: @escaping @Sendable (Result<String, BackendError>) -> Void
    ) {
        reply(.success(id))
    }
}
