import Foundation
import TestKit
import Testing
import TestSupport

/// Nodes whose wall clocks are wrong by a minute, one ahead and one behind: only Redis's clock counts.
@Suite("Nodes whose clocks are wrong", .serialized)
struct ClockFaults {
    @Test
    func `with clocks two minutes apart nothing is lost, nobody is told to go who stays, and all times are Redis's`()
        async throws
    {
        let startedAt = Date()
        let offsets: [Duration] = [.seconds(60), .seconds(-60), .zero]
        let fleet = try await Fleet.start(3, clocks: offsets)
        for (node, offset) in zip(fleet.nodes, offsets) {
            let seconds = TimeInterval(offset.components.seconds)
            let logged = try #require(Self.firstTime(in: node.log))
            // Lines have whole seconds.
            let earliest = startedAt.addingTimeInterval(seconds - 1)
            #expect(earliest <= logged && logged <= Date().addingTimeInterval(seconds))
        }

        let began = try await fleet.time()
        let storm = try await Storm.begin(on: fleet)
        // Longer than a lease and than a grace, so that whoever is to go by a wrong clock is gone.
        try await storm.publish(for: .seconds(10)) {
            for round in 1...20 {
                try await fleet.wait(.milliseconds(200))
                for index in 0..<3 { storm.clients[(round * 7 + index * 11) % 30].reset() }
            }
        }
        try await storm.judge("clocks apart")

        let answers = try await each(fleet.nodes) { node in
            try await node.request("POST", "/v1/broadcast", body: #"{"to":{"rooms":["red"]},"payload":"time"}"#)
        }
        let users = try await each(fleet.nodes) { try await $0.request("GET", "/v1/users/client-0") }
        let now = try await fleet.time()
        let connected = users.compactMap {
            ($0.json?["connections"] as? [[String: Any]])?.first?["connectedAt"] as? Int64
        }
        let named = answers.compactMap { $0.json?["timestamp"] as? Int64 }
        #expect(named.count == 3 && connected.count == 3)
        var times = named + connected
        for client in storm.clients {
            times += client.connections.map(\.timestamp)
            for room in Storm.rooms {
                times += client.messages(of: room).map(\.timestamp) + client.presence(of: room).map(\.timestamp)
            }
        }
        #expect(times.filter { !(began...now).contains($0) } == [])
    }

    @Test(arguments: [60, -60])
    func `a killed node's users are gone in time, each told once, whichever way the clocks are wrong`(offset: Int)
        async throws
    {
        let fleet = try await Fleet.start(3, clocks: [.seconds(offset), .seconds(-offset)])
        let watcher = try await WireClient.connect(to: fleet.nodes[1], as: "watcher")
        try await watcher.join("r")
        let users = (0..<30).map { "user-\($0)" }
        let clients = try await each(users) { user in
            let client = try await WireClient.connect(to: fleet.nodes[0], as: user)
            try await client.join("r")
            return client
        }
        // A cut connection and one that is back: their grace is Redis's as well.
        let cut = try await WireClient.connect(to: fleet.nodes[1], as: "cut")
        try await cut.join("r")
        let cutAt = try await fleet.time()
        cut.abort()
        try await watcher.frame("presence") { $0.steps.contains("leave cut") }
        let killedAt = try await fleet.time()
        fleet.nodes[0].kill9()
        try await eventually("the word of all") {
            Set(watcher.frames("presence").flatMap(\.steps).filter { $0.hasPrefix("leave user-") }).count == users.count
        }
        let gone = try await fleet.ledger().filter { $0.type == "user.offline" }
        #expect(gone.map(\.user).sorted() == (users + ["cut"]).sorted())
        let waited = gone.filter { $0.user != "cut" }.map { $0.time - killedAt }
        let grace = gone.filter { $0.user == "cut" }.map { $0.time - cutAt }
        print(
            "clocks off by \(offset) s: told \(waited.min() ?? 0) to \(waited.max() ?? 0) ms after the kill, \(grace)")
        #expect(waited.allSatisfy { (1_900...6_000).contains($0) })
        #expect(grace.allSatisfy { (4_900...8_000).contains($0) })
        #expect(watcher.frames("presence").flatMap(\.steps).filter { $0.hasPrefix("leave") }.count == users.count + 1)
        withExtendedLifetime(clients) {}
    }

    /// When the first line of a log was written, by the clock of who wrote it.
    private static func firstTime(in log: String) -> Date? {
        ISO8601DateFormatter().date(from: String(log.prefix { $0 != " " }))
    }
}
