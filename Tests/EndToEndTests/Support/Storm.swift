import Foundation
import MartletClient
import Synchronization
import TestKit
import Testing

/// Thirty clients in three rooms and fifty messages a second from a backend, while something breaks; then the reckoning.
final class Storm: Sendable {
    static let rooms = ["red", "green", "blue"]

    /// A message that was stored: which, and what the gateway said of it.
    private struct Stored {
        var epoch: String
        var seq: Int
        var payload: String
    }

    private struct Books {
        var published = 0
        var stored: [String: [Stored]] = [:]
        var refused = 0
    }

    /// Kept until the reckoning is done: nodes and Redis end with it.
    private let fleet: Fleet
    /// Those that take messages.
    let nodes: Mutex<[NodeProcess]>
    let clients: [Participant]
    private let books = Mutex(Books())

    /// Thirty clients, each in every room, spread over the nodes and free to move to any.
    static func begin(on fleet: Fleet) async throws -> Storm {
        let urls = fleet.nodes.map(\.clientURL)
        let clients = try await each(Array(0..<30), width: 8) { number in
            let home = number % urls.count
            let client = try await Participant.connect(to: urls[home], as: "client-\(number)") {
                $0.otherURLs = urls.enumerated().filter { $0.offset != home }.map(\.element)
                $0.firstDelay = .milliseconds(200)
                $0.maxDelay = .seconds(1)
            }
            for room in rooms { try await client.join(room) }
            return client
        }
        return Storm(fleet, clients)
    }

    private init(_ fleet: Fleet, _ clients: [Participant]) {
        self.fleet = fleet
        nodes = Mutex(fleet.nodes)
        self.clients = clients
    }

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
        books.withLock { $0.published += 1 }
        let room = Storm.rooms[number % Storm.rooms.count]
        let body = #"{"to":{"rooms":["\#(room)"]},"payload":"\#(number)","idempotencyKey":"storm-\#(number)"}"#
        try await eventually("message \(number)'s acknowledgement", within: .seconds(60)) {
            let living = self.nodes.withLock { $0 }
            let node = living[Int.random(in: 0..<living.count)]
            // A node that is gone or drains is one more refusal.
            guard let answer = try? await node.request("POST", "/v1/broadcast", body: body), answer.status == 200,
                let place = (answer.json?["rooms"] as? [[String: Any]])?.first,
                let epoch = place["epoch"] as? String, let seq = place["seq"] as? Int
            else {
                self.books.withLock { $0.refused += 1 }
                return false
            }
            self.books.withLock {
                $0.stored[room, default: []].append(Stored(epoch: epoch, seq: seq, payload: "\"\(number)\""))
            }
            return true
        }
    }

    /// Acknowledged messages that their rooms' logs do not hold under the number that was acknowledged.
    func lost() async throws -> [String] {
        let node = try #require(nodes.withLock { $0.first })
        var lost: [String] = []
        for room in Storm.rooms {
            let page = try await node.request("GET", "/v1/rooms/\(room)/messages?after=0&limit=1000")
            let entries = try #require(page.json?["messages"] as? [[String: Any]])
            var held: [Int: String] = [:]
            for entry in entries {
                if let seq = entry["seq"] as? Int, let text = entry["payload"] as? String { held[seq] = "\"\(text)\"" }
            }
            for one in books.withLock({ $0.stored[room] ?? [] }) where held[one.seq] != one.payload {
                lost.append("\(room) \(one.seq): \(one.payload)")
            }
        }
        return lost
    }

    /// Waits until every client stands where its rooms stand, then judges all streams and rosters; prints the counts.
    ///
    /// - Parameters:
    ///   - allowsGaps: whether the log may have lost something: then clients may be told a `gap`, and what is missing
    ///     has to be explained by one.
    ///   - staying: whether nobody may be told to have left.
    func judge(_ name: String, allowsGaps: Bool = false, staying: Bool = true) async throws {
        let node = try #require(nodes.withLock { $0.first })
        var (delivered, gaps, faults) = (0, 0, [String]())
        for room in Storm.rooms {
            let page = try await node.request("GET", "/v1/rooms/\(room)/messages?limit=1")
            let head = try #require((page.json?["messages"] as? [[String: Any]])?.last?["seq"] as? Int)
            let stored = books.withLock { $0.stored[room] ?? [] }
            for client in clients {
                try await eventually("\(client.user) in \(room) up to \(head)", within: .seconds(60)) {
                    client.latest(of: room) >= head
                }
                let seen = Set(client.payloads(of: room))
                let told = client.gaps.filter { $0.room == room }
                delivered += client.messages(of: room).count
                gaps += told.count
                faults += client.faults(of: room, upTo: head).map { "\(client.user) \(room): \($0)" }
                let missing = stored.filter { !seen.contains($0.payload) }
                if told.isEmpty {
                    faults += missing.map { "\(client.user) \(room): acknowledged \($0.seq) is missing" }
                }
                if !allowsGaps { faults += told.map { "\(client.user) \(room): gap to \($0.position.seq)" } }
                if staying {
                    for case .leave(let user) in client.presence(of: room).flatMap(\.steps) {
                        faults.append("\(client.user) \(room): told that \(user) left")
                    }
                }
            }
        }
        let (published, refused) = books.withLock { ($0.published, $0.refused) }
        print(
            "\(name): published \(published), acknowledged \(books.withLock { $0.stored.values.reduce(0) { $0 + $1.count } }),",
            "refusals \(refused), delivered \(delivered), gaps \(gaps), lost, doubled, out of order or false: \(faults.count)"
        )
        #expect(faults.prefix(10) == [])
    }
}
