import LoadBench
import MartletClient
import StormJudge
import Synchronization

/// One client of a storm, which is in its rooms all the time and keeps what it was told.
final class StormWitness: Sendable {
    /// What came of one room: numbers alone, since there may be millions.
    private struct Seen {
        var seqs: [Int32] = []
        /// -1 for a message that nobody published.
        var messages: [Int32] = []
        var beforeGap = 0
    }

    /// Somebody was told to have gone.
    struct Leave: Sendable {
        let user: String
        /// Nil for a user who was told offline.
        let room: String?
        let time: Duration
    }

    private struct Record {
        var testimony = Testimony()
        var seen: [String: Seen] = [:]
        var hearing: Hearing
        var leaves: [Leave] = []
        var refusals: [String] = []
        var isConnected = false
        var connections = 0
        var delivered = 0

        mutating func left(_ user: String, _ room: String?, _ time: Duration) {
            guard leaves.count < StormWitness.maxLeaves else { return }
            leaves.append(Leave(user: user, room: room, time: time))
        }
    }

    let user: String
    /// By name.
    let rooms: [String]
    private let client: MartletClient
    /// From before it connects.
    private let events: MartletClient.Events
    private let start: ContinuousClock.Instant
    private let record: Mutex<Record>

    private static let maxLeaves = 100_000

    /// - Parameters:
    ///   - urls: of the client ports, the one to begin with first.
    ///   - start: what its times are counted from.
    init(
        user: String, rooms: [String], urls: [String], credentials: MartletClient.Credentials, grace: Duration,
        start: ContinuousClock.Instant
    ) throws {
        var configuration = MartletClient.Configuration(url: urls[0], credentials: credentials)
        configuration.otherURLs = Array(urls.dropFirst())
        configuration.firstDelay = .milliseconds(200)
        configuration.maxDelay = .seconds(1)
        client = try MartletClient(configuration: configuration)
        events = client.events
        self.user = user
        self.rooms = rooms
        self.start = start
        record = Mutex(Record(hearing: Hearing(keeping: grace)))
    }

    /// Writes down all it is told, until it is closed.
    func listen() async {
        for await event in events { received(event) }
    }

    /// Connects and joins.
    ///
    /// - Throws: where it is not let in in time.
    func enter(within limit: Duration) async throws {
        let client = client
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { _ = try await client.connect() }
            group.addTask {
                try await ContinuousClock().sleep(for: limit)
                throw BenchFailure("no gateway lets \(self.user) in")
            }
            try await group.next()
            group.cancelAll()
        }
        for room in rooms {
            let joined = try await client.join(room)
            record.withLock { $0.testimony.joined(room, at: joined.position.seq, rosterVersion: joined.rosterVersion) }
        }
    }

    /// Whoever may not be watched is not.
    func watch(_ users: [String]) async throws { _ = try await client.watch(users) }

    func readRoster(of room: String) async throws -> Set<String> {
        let (members, version) = try await client.wholeRoster(of: room)
        record.withLock { $0.testimony.read(room, members: members, version: version) }
        return members
    }

    func close() async { await client.close() }

    /// There is something to hear from here on.
    func begins() { record.withLock { $0.hearing.heard(at: start.duration(to: .now)) } }

    private func received(_ event: MartletClient.Event) {
        let time = start.duration(to: .now)
        record.withLock { record in
            record.testimony.received(event)
            switch event {
            case .message(let message):
                record.hearing.heard(at: time)
                record.delivered += 1
                record.seen[message.room, default: Seen()].seqs.append(Int32(clamping: message.seq))
                record.seen[message.room]?.messages.append(StormWitness.number(message.payload))
            case .gap(let room, _):
                record.seen[room, default: Seen()].beforeGap = record.seen[room]?.seqs.count ?? 0
            case .presence(let presence):
                for case .leave(let user) in presence.steps { record.left(user, presence.room, time) }
            case .status(let status) where !status.isOnline && status.refusal == nil:
                record.left(status.userId, nil, time)
            case .connected:
                record.isConnected = true
                record.connections += 1
            case .disconnected: record.isConnected = false
            case .rejoinFailed(let room, let failure):
                record.refusals.append("\(user) \(room): could not be joined again: \(failure)")
            case .status, .rejoined, .epoch, .room, .redacted, .invited, .signal, .reconnect, .error: break
            }
        }
    }

    /// The number that a payload such as `"17"` bears; -1 for any other.
    private static func number(_ payload: [UInt8]) -> Int32 {
        let quote = UInt8(ascii: "\"")
        guard payload.count >= 3, payload.first == quote, payload.last == quote else { return -1 }
        return Int32(String(decoding: payload.dropFirst().dropLast(), as: UTF8.self)) ?? -1
    }

    // MARK: What it was told

    var isConnected: Bool { record.withLock { $0.isConnected } }
    var delivered: Int { record.withLock { $0.delivered } }
    var reconnects: Int { record.withLock { max(0, $0.connections - 1) } }
    var refusals: [String] { record.withLock { $0.refusals } }
    var leaves: [Leave] { record.withLock { $0.leaves } }
    var gaps: Int { record.withLock { record in rooms.reduce(0) { $0 + record.testimony.gaps(of: $1).count } } }

    /// The latest number seen in a room.
    func latest(of room: String) -> Int { record.withLock { Int($0.seen[room]?.seqs.last ?? 0) } }

    func silences(at time: Duration) -> [Hearing.Silence] { record.withLock { $0.hearing.silences(at: time) } }

    /// - Parameter time: until when something was owed to it; nil where it has all.
    func longestSilence(until time: Duration?) -> Duration {
        record.withLock { record in time.map { record.hearing.longest(until: $0) } ?? record.hearing.longest }
    }

    func sight(of room: String, upTo head: Int) -> Reckoning.Sight {
        record.withLock { record in
            let seen = record.seen[room] ?? Seen()
            return Reckoning.Sight(
                place: "\(user) \(room)", faults: record.testimony.faults(of: room, upTo: head),
                gaps: record.testimony.gaps(of: room),
                messages: zip(seen.seqs, seen.messages).map { (seq: Int($0), message: $1 < 0 ? nil : Int($1)) },
                beforeGap: seen.beforeGap)
        }
    }

    func rosterFaults(of room: String, against members: Set<String>) -> [RosterChecker.Fault] {
        record.withLock { $0.testimony.rosterFaults(of: room, against: members) }
    }
}
