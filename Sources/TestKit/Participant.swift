import MartletClient
import StormJudge
import Synchronization

/// A client that writes down all it is told, as a user's program would see it, and whose connection can be ill-treated.
package final class Participant: Sendable {
    private struct Record {
        var events: [MartletClient.Event] = []
        var messages: [String: [MartletClient.Message]] = [:]
        var testimony = Testimony()
        var recalls: [Recall] = []
    }

    /// A node that goes has asked the client to come back elsewhere.
    package struct Recall: Sendable {
        package let told: ContinuousClock.Instant
        package let delay: Duration
    }

    package let client: MartletClient
    package let user: String
    private let record = Mutex(Record())
    private let consuming: Mutex<[Task<Void, Never>]> = Mutex([])

    /// Connects and begins to write down.
    package static func connect(
        to url: String, as user: String, configure: (inout MartletClient.Configuration) -> Void = { _ in }
    ) async throws -> Participant {
        var configuration = MartletClient.Configuration(url: url, credentials: .user(user))
        configure(&configuration)
        let participant = Participant(try MartletClient(configuration: configuration), user: user)
        participant.begin()
        _ = try await participant.client.connect()
        return participant
    }

    private init(_ client: MartletClient, user: String) {
        self.client = client
        self.user = user
    }

    /// A client that runs lives on by itself: this one would come to whatever node gets the port of its own next.
    deinit {
        consuming.withLock { tasks in for task in tasks { task.cancel() } }
        Task { [client] in await client.close() }
    }

    /// Joins a room and holds stream and roster to what the answer promises.
    @discardableResult
    package func join(_ room: String, since: MartletClient.Position? = nil) async throws -> MartletClient.Joined {
        let joined = try await client.join(room, since: since)
        record.withLock {
            $0.testimony.joined(room, at: since?.seq ?? joined.position.seq, rosterVersion: joined.rosterVersion)
        }
        return joined
    }

    /// Reads the whole roster of a room and holds what follows to it; answers who is there.
    @discardableResult
    package func readRoster(of room: String) async throws -> Set<String> {
        let (members, version) = try await client.wholeRoster(of: room)
        record.withLock { $0.testimony.read(room, members: members, version: version) }
        return members
    }

    package func close() async {
        await client.close()
    }

    // MARK: What happens to its connection

    /// The TCP connection is reset.
    package func reset() { client.connection?.abort() }

    /// The socket is closed without a word.
    package func drop() { client.connection?.drop() }

    /// The client says goodbye with this code, and comes back.
    package func leave(code: UInt16?) { client.connection?.close(code: code) }

    /// Nothing is read from the socket any more.
    package func stopReading() { client.connection?.pauseReading() }

    package func readAgain() { client.connection?.resumeReading() }

    // MARK: What it was told

    package var events: [MartletClient.Event] { record.withLock { $0.events } }

    /// Connections that were welcomed.
    package var connections: [MartletClient.Welcome] {
        events.compactMap { if case .connected(let welcome) = $0 { welcome } else { nil } }
    }

    /// Rooms of which something was lost, and after which position they went on.
    package var gaps: [(room: String, position: MartletClient.Position)] {
        events.compactMap { if case .gap(let room, let position) = $0 { (room, position) } else { nil } }
    }

    /// Every time it was asked to come back elsewhere.
    package var recalls: [Recall] { record.withLock { $0.recalls } }

    /// What came of a room since something of it was lost, or since the beginning.
    package func messagesSinceGap(of room: String) -> [MartletClient.Message] {
        var messages: [MartletClient.Message] = []
        for event in events {
            switch event {
            case .message(let message) where message.room == room: messages.append(message)
            case .gap(room, _): messages = []
            default: break
            }
        }
        return messages
    }

    package func messages(of room: String) -> [MartletClient.Message] {
        record.withLock { $0.messages[room] ?? [] }
    }

    package func payloads(of room: String) -> [String] {
        messages(of: room).map { String(decoding: $0.payload, as: UTF8.self) }
    }

    /// What is wrong with a room's stream, which should have come up to this number.
    package func faults(of room: String, upTo seq: Int) -> [StreamChecker.Fault] {
        record.withLock { $0.testimony.faults(of: room, upTo: seq) }
    }

    /// The latest number seen in a room.
    package func latest(of room: String) -> Int {
        record.withLock { $0.messages[room]?.last?.seq ?? 0 }
    }

    package func presence(of room: String) -> [MartletClient.Presence] {
        events.compactMap { if case .presence(let presence) = $0, presence.room == room { presence } else { nil } }
    }

    /// Changes what is held against a room's roster, such as who stays in it.
    package func roster(of room: String, _ change: (inout RosterChecker) -> Void) {
        record.withLock { $0.testimony.roster(of: room, change) }
    }

    /// What is wrong with what was told of a room's roster, where this is who is in it.
    package func rosterFaults(of room: String, against registry: Set<String>) -> [RosterChecker.Fault] {
        record.withLock { $0.testimony.rosterFaults(of: room, against: registry) }
    }

    private func begin() {
        let task = Task { [weak self, events = client.events] in
            for await event in events { self?.record(event) }
        }
        consuming.withLock { $0.append(task) }
    }

    private func record(_ event: MartletClient.Event) {
        record.withLock { record in
            record.events.append(event)
            record.testimony.received(event)
            switch event {
            case .message(let message): record.messages[message.room, default: []].append(message)
            case .reconnect(let delay): record.recalls.append(Recall(told: .now, delay: delay))
            case .connected, .disconnected, .rejoined, .rejoinFailed, .gap, .epoch, .presence, .room, .redacted,
                .invited,
                .status, .signal, .error:
                break
            }
        }
    }
}
