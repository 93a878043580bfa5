import Foundation
import MartletClient
import StormJudge
import Synchronization
import TestKit
import Testing
import TestSupport

/// Clients in three rooms and fifty messages a second from a backend, while something breaks; then the reckoning.
final class Storm: Sendable {
    static let rooms = ["red", "green", "blue"]

    struct Books {
        var published = 0
        var stored: [String: [Reckoning.Stored]] = [:]
        var refused = 0
        /// When each room took its last message so far, and the longest that one took none.
        var lastStored: [String: ContinuousClock.Instant] = [:]
        var longestSilence = Duration.zero

        var acknowledged: Int { stored.values.reduce(0) { $0 + $1.count } }
    }

    /// Kept until the reckoning is done: nodes and Redis end with it.
    let fleet: Fleet
    /// Those that take messages.
    let nodes: Mutex<[NodeProcess]>
    let clients: [Participant]
    private let record = Mutex(Books())

    /// Each client is in every room and free to move to any node.
    ///
    /// - Parameter home: the number of the node that the client with this number connects to first.
    static func begin(
        on fleet: Fleet, clients count: Int = 30, home: (@Sendable (Int) -> Int)? = nil
    ) async throws -> Storm {
        let urls = fleet.nodes.map(\.clientURL)
        let clients = try await each(Array(0..<count), width: 8) { number in
            let home = home?(number) ?? number % urls.count
            let client = try await Participant.connect(to: urls[home], as: "client-\(number)") {
                $0.otherURLs = urls.enumerated().filter { $0.offset != home }.map(\.element)
                $0.firstDelay = .milliseconds(200)
                $0.maxDelay = .seconds(1)
            }
            for room in rooms { try await client.join(room) }
            return client
        }
        _ = try await each(clients, width: 8) { client in
            for room in rooms { try await client.readRoster(of: room) }
        }
        return Storm(fleet, clients)
    }

    private init(_ fleet: Fleet, _ clients: [Participant]) {
        self.fleet = fleet
        nodes = Mutex(fleet.nodes)
        self.clients = clients
    }

    var books: Books { record.withLock { $0 } }

    /// Publishes fifty messages a second for so long, while `act` does its work; each is repeated with its key until
    /// somebody has stored it.
    func publish(for time: Duration, while act: @escaping @Sendable () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await act() }
            let start = ContinuousClock.now
            for number in 0..<Int(time / .milliseconds(20)) {
                try await ContinuousClock().sleep(until: start + .milliseconds(20) * number)
                group.addTask { try await self.store(number) }
            }
            try await group.waitForAll()
        }
    }

    private func store(_ number: Int) async throws {
        record.withLock { $0.published += 1 }
        let room = Storm.rooms[number % Storm.rooms.count]
        let body = #"{"to":{"rooms":["\#(room)"]},"payload":"\#(number)","idempotencyKey":"storm-\#(number)"}"#
        try await eventually("message \(number)'s acknowledgement", within: .seconds(60)) {
            let living = self.nodes.withLock { $0 }
            let node = living[Int.random(in: 0..<living.count)]
            // A node that is gone or drains is one more refusal.
            guard let answer = try? await node.request("POST", "/v1/broadcast", body: body), answer.status == 200,
                let place = (answer.json?["rooms"] as? [[String: Any]])?.first,
                let seq = place["seq"] as? Int
            else {
                self.record.withLock { $0.refused += 1 }
                return false
            }
            self.record.withLock { books in
                books.stored[room, default: []].append(Reckoning.Stored(seq: seq, message: number))
                let now = ContinuousClock.now
                if let last = books.lastStored[room] { books.longestSilence = max(books.longestSilence, now - last) }
                books.lastStored[room] = now
            }
            return true
        }
    }
}
