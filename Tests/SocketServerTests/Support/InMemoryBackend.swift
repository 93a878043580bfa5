import GatewayCore
import Synchronization

/// Rooms in memory: what Redis is to a node, for tests of whoever lives above it.
///
/// It answers at once, on the caller's thread, unless it is told to hold its answers back.
final class InMemoryBackend: RoomStreams, MessageLog {
    /// What a hub has asked of the streams.
    enum Call: Hashable {
        case follow(RoomName, hub: HubNumber)
        case unfollow(RoomName, hub: HubNumber)
    }

    private struct Room {
        var messages: [RoomMessage] = []
        /// Hubs whose follow was answered.
        var hubs: Set<HubNumber> = []
    }

    private struct Follow {
        let room: RoomName
        let ticket: FollowTicket
        let hub: HubNumber
    }

    private struct State {
        var sinks: [any StreamSink] = []
        var rooms: [RoomName: Room] = [:]
        var calls: [Call] = []
        var isHolding = false
        var held: [Follow] = []
        var isAway = false
    }

    static let epoch = "e1"
    private let state = Mutex(State())

    var calls: [Call] { state.withLock { $0.calls } }

    /// Whether follows wait for `release`.
    func hold(_ isHolding: Bool) { state.withLock { $0.isHolding = isHolding } }

    /// Whether everything fails.
    func goAway(_ isAway: Bool) { state.withLock { $0.isAway = isAway } }

    /// Answers the follows that were held, in the order they came.
    func release() {
        state.withLock { state in
            let held = state.held
            state.held = []
            for follow in held { InMemoryBackend.answer(follow, &state) }
        }
    }

    func head(of room: RoomName) -> Int { state.withLock { $0.rooms[room]?.messages.count ?? 0 } }

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

    func follow(_ room: RoomName, ticket: FollowTicket, hub: HubNumber) {
        state.withLock { state in
            state.calls.append(.follow(room, hub: hub))
            let follow = Follow(room: room, ticket: ticket, hub: hub)
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
        state.rooms[follow.room, default: Room()].hubs.insert(follow.hub)
        let seq = state.rooms[follow.room]?.messages.count ?? 0
        let position = Position(epoch: epoch, seq: seq)
        sink.receive([
            .following(ticket: follow.ticket, room: follow.room, position: position, timestamp: 1000, missed: [])
        ])
    }

    // MARK: MessageLog

    func publish(
        _ publication: Publication, reply: @escaping @Sendable (Result<Published, BackendError>) -> Void
    ) {
        state.withLock { state in
            if state.isAway { return reply(.failure(.unavailable(reason: "away"))) }
            var room = state.rooms[publication.room] ?? Room()
            let message = RoomMessage(
                room: publication.room, userId: publication.userId, msgType: publication.msgType,
                payload: publication.payload, timestamp: 1000,
                position: Position(epoch: InMemoryBackend.epoch, seq: room.messages.count + 1))
            room.messages.append(message)
            state.rooms[publication.room] = room
            for hub in room.hubs {
                state.sinks[hub].receive([.messages(room: publication.room, messages: [message])])
            }
            reply(.success(Published(position: message.position, timestamp: message.timestamp)))
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
        key: String, digest: String, id: String, reply: @escaping @Sendable (Result<String, BackendError>) -> Void
    ) {
        reply(.success(id))
    }
}
