import GatewayCore
import NIOPosix
import Synchronization

/// A message log in memory that can be told to fail.
final class MemoryLog: MessageLog, Sendable {
    struct State {
        var messages: [RoomName: [RoomMessage]] = [:]
        var marks: [RoomName: [DedupeMark: Published]] = [:]
        var claims: [String: (digest: String, id: String)] = [:]
        /// What publishing to these rooms is answered with.
        var failures: [RoomName: BackendError] = [:]
        /// Who is reached by their inbox; nobody else is.
        var reaches: [RoomName: Reach] = [:]
        /// What everything else is answered with.
        var outage: BackendError?
        var published: [Publication] = []
        /// How many of them were handed in on an event loop.
        var publishedOnLoops = 0
        /// Whether answers come later: on the loop that asked, once it has asked for all, or else from a task each.
        var isSlow = false
        /// Whether these answers come from a thread that is no loop's.
        var answersElsewhere = false
        /// Bytes of payloads without an answer, now and at the most.
        var underWay = (now: 0, most: 0)
        var ranges: [HistoryRange] = []
        var now: Int64 = 1_700_000_000_000
    }

    let state = Mutex(State())

    /// The rooms of all publications, in the order they were submitted.
    var submitted: [String] { state.withLock { $0.published.map(\.room.string) } }

    func payloads(of room: String) -> [String] {
        state.withLock {
            ($0.messages[RoomName(unchecked: room)] ?? []).map { String(decoding: $0.payload, as: UTF8.self) }
        }
    }

    func fail(_ room: String, with error: BackendError?) {
        state.withLock { $0.failures[RoomName(unchecked: room)] = error }
    }

    func reach(_ user: String, _ reach: Reach) {
        state.withLock { $0.reaches[RoomName(inboxOf: UserID(unchecked: user))] = reach }
    }

    func fail(all error: BackendError?) {
        state.withLock { $0.outage = error }
    }

    func publish(_ publication: Publication, reply: @escaping @Sendable (Result<Published, BackendError>) -> Void) {
        let bytes = publication.payload.count
        let (isSlow, elsewhere) = state.withLock { state in
            state.underWay.now += bytes
            state.underWay.most = max(state.underWay.most, state.underWay.now)
            if MultiThreadedEventLoopGroup.currentEventLoop != nil { state.publishedOnLoops += 1 }
            return (state.isSlow, state.answersElsewhere)
        }
        let answer = { @Sendable (published: Result<Published, BackendError>) in
            self.state.withLock { $0.underWay.now -= bytes }
            reply(published)
        }
        let published = store(publication)
        guard isSlow else { return answer(published) }
        if let loop = MultiThreadedEventLoopGroup.currentEventLoop, !elsewhere {
            loop.execute { answer(published) }
        } else {
            Task { answer(published) }
        }
    }

    private func store(_ publication: Publication) -> Result<Published, BackendError> {
        state.withLock { state in
            state.published.append(publication)
            if let error = state.outage ?? state.failures[publication.room] { return .failure(error) }
            if let mark = publication.dedupe, let known = state.marks[publication.room]?[mark] {
                return .success(known)
            }
            state.now += 1
            let seq = (state.messages[publication.room]?.count ?? 0) + 1
            let position = Position(epoch: "e1", seq: seq)
            state.messages[publication.room, default: []].append(
                RoomMessage(
                    room: publication.room, userId: publication.userId, msgType: publication.msgType,
                    payload: publication.payload, timestamp: state.now, position: position))
            let reach = state.reaches[publication.room] ?? Reach(isOnline: false, connections: 0)
            let published = Published(
                position: position, timestamp: state.now, reach: publication.room.isInbox ? reach : nil)
            if let mark = publication.dedupe { state.marks[publication.room, default: [:]][mark] = published }
            return .success(published)
        }
    }

    func history(
        of room: RoomName, range: HistoryRange, reply: @escaping @Sendable (Result<HistoryPage, BackendError>) -> Void
    ) {
        reply(
            state.withLock { state in
                state.ranges.append(range)
                if let error = state.outage { return .failure(error) }
                let all = state.messages[room] ?? []
                let head = Position(epoch: all.isEmpty ? "" : "e1", seq: all.count)
                let candidates: [RoomMessage]
                let page: [RoomMessage]
                switch range.edge {
                case .newest:
                    candidates = all
                    page = candidates.suffix(range.limit)
                case .before(let seq):
                    candidates = all.filter { $0.seq < seq }
                    page = candidates.suffix(range.limit)
                case .after(let seq):
                    candidates = all.filter { $0.seq > seq }
                    page = Array(candidates.prefix(range.limit))
                }
                return .success(
                    HistoryPage(room: room, head: head, messages: page, more: page.count < candidates.count))
            })
    }

    func claim(
        key: String, digest: String, id: String, beside room: RoomName,
        reply: @escaping @Sendable (Result<String, BackendError>) -> Void
    ) {
        reply(
            state.withLock { state in
                if let error = state.outage { return .failure(error) }
                guard let known = state.claims[key] else {
                    state.claims[key] = (digest, id)
                    return .success(id)
                }
                return known.digest == digest ? .success(known.id) : .failure(.conflict)
            })
    }
}

/// A directory of nodes that are whatever a test says, after whatever it wants done first.
final class FixedDirectory: NodeDirectory, Sendable {
    let answer: Mutex<Result<[NodeEntry], BackendError>>
    /// Runs in the middle of each request.
    let meanwhile = Mutex<@Sendable () async -> Void>({})
    let topology = Mutex("sentinel")
    var store: StoreDescription? {
        StoreDescription(kind: .valkey, version: "9.1.2", topology: topology.withLock { $0 }, shards: shards)
    }
    private let shards = [
        StoreDescription.Shard(address: "10.0.0.1:6379", partitions: 60, answers: true),
        StoreDescription.Shard(address: "10.0.0.2:6379", partitions: 4, answers: false),
    ]

    init(_ nodes: [NodeEntry]) {
        answer = Mutex(.success(nodes))
    }

    func nodes() async throws(BackendError) -> [NodeEntry] {
        await meanwhile.withLock { $0 }()
        return try answer.withLock { $0 }.get()
    }
}
