import MartletClient
import Synchronization

/// A client that writes down all it is told, as a user's program would see it.
package final class Participant: Sendable {
    private struct Record {
        var events: [MartletClient.Event] = []
        var messages: [String: [MartletClient.Message]] = [:]
        var checkers: [String: StreamChecker] = [:]
    }

    package let client: MartletClient
    private let record = Mutex(Record())
    private let consuming: Mutex<[Task<Void, Never>]> = Mutex([])

    /// Connects and begins to write down.
    package static func connect(
        to url: String, as user: String, configure: (inout MartletClient.Configuration) -> Void = { _ in }
    ) async throws -> Participant {
        var configuration = MartletClient.Configuration(url: url, credentials: .user(user))
        configure(&configuration)
        let participant = Participant(try MartletClient(configuration: configuration))
        participant.begin()
        _ = try await participant.client.connect()
        return participant
    }

    private init(_ client: MartletClient) {
        self.client = client
    }

    deinit {
        consuming.withLock { tasks in for task in tasks { task.cancel() } }
    }

    /// Joins a room and holds the stream to what the answer promises.
    @discardableResult
    package func join(_ room: String) async throws -> MartletClient.Position {
        let position = try await client.join(room)
        record.withLock { $0.checkers[room, default: StreamChecker()].joined(at: position.seq) }
        return position
    }

    package func close() async {
        await client.close()
    }

    package var events: [MartletClient.Event] { record.withLock { $0.events } }

    package func messages(of room: String) -> [MartletClient.Message] {
        record.withLock { $0.messages[room] ?? [] }
    }

    package func payloads(of room: String) -> [String] {
        messages(of: room).map { String(decoding: $0.payload, as: UTF8.self) }
    }

    /// What is wrong with a room's stream, which should have come up to this number.
    package func faults(of room: String, upTo seq: Int) -> [StreamChecker.Fault] {
        record.withLock { $0.checkers[room]?.faults(upTo: seq) ?? [] }
    }

    /// The latest number seen in a room.
    package func latest(of room: String) -> Int {
        record.withLock { $0.messages[room]?.last?.seq ?? 0 }
    }

    private func begin() {
        let task = Task { [weak self, events = client.events] in
            for await event in events { self?.note(event) }
        }
        consuming.withLock { $0.append(task) }
    }

    private func note(_ event: MartletClient.Event) {
        record.withLock { record in
            record.events.append(event)
            switch event {
            case .message(let message):
                record.messages[message.room, default: []].append(message)
                record.checkers[message.room, default: StreamChecker()].received(message.seq)
            case .gap(let room, let position):
                record.checkers[room, default: StreamChecker()].gap(to: position.seq)
            case .connected, .disconnected, .rejoined, .rejoinFailed, .epoch, .reconnect, .error:
                break
            }
        }
    }
}
