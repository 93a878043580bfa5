import Synchronization
import TestKit
import Testing
import TestSupport

/// What the ledger holds against what the receiver was told.
struct EventAccount: CustomStringConvertible {
    let transitions: Int
    let received: Int
    let repeats: Int
    /// Events that came first behind a later one of the same user or room.
    let outOfOrder: Int
    let lost: Int
    /// Ids that stood for two events.
    let ambiguous: Int

    init(ledger: [Transition], events: [HookServer.Event]) {
        transitions = ledger.count
        received = events.count
        var first: [HookServer.Event] = []
        var known: [String: HookServer.Event] = [:]
        var clashes = 0
        for event in events {
            if let earlier = known[event.id] {
                if earlier != event { clashes += 1 }
            } else {
                known[event.id] = event
                first.append(event)
            }
        }
        repeats = events.count - first.count
        ambiguous = clashes
        func key(_ type: String, _ user: String, _ room: String, _ cause: String, _ time: Int64) -> String {
            [type, user, room, cause, "\(time)"].joined(separator: " ")
        }
        var left: [String: Int] = [:]
        for one in ledger { left[key(one.type, one.user, one.room, one.cause, one.time), default: 0] += 1 }
        for event in first {
            left[
                key(event.type, event.userId ?? "", event.roomId ?? "", event.cause ?? "", event.timestamp),
                default: 0] -= 1
        }
        lost = left.values.filter { $0 > 0 }.reduce(0, +)
        var latest: [String: (time: Int64, number: Int64)] = [:]
        var late = 0
        for event in first {
            let parts = event.id.split(separator: "-").compactMap { Int64($0) }
            guard parts.count >= 3 else { continue }
            let place = (time: parts[1], number: parts[2])
            let name = event.roomId.map { "room \($0)" } ?? "user \(event.userId ?? "")"
            if let before = latest[name], place < before { late += 1 }
            latest[name] = place
        }
        outOfOrder = late
    }

    var description: String {
        "transitions \(transitions), events \(received), repeats \(repeats), out of order \(outOfOrder), lost \(lost)"
    }

    /// Waits until the receiver has every transition of the ledger, and compares.
    static func compare(
        _ fleet: Fleet, _ server: HookServer, _ what: String, within limit: Duration = .seconds(120)
    ) async throws {
        try await eventually("every event of \(what)", within: limit) {
            let ids = Set(server.events.map(\.id))
            return try await fleet.ledger().count <= ids.count
        }
        // What has happened since that look is awaited too: a grace may have ended in between.
        let ledger = try await fleet.ledger()
        try await eventually("the last events of \(what)", within: limit) {
            EventAccount(ledger: ledger, events: server.events).lost == 0
        }
        let account = EventAccount(ledger: ledger, events: server.events)
        print("\(what): \(account)")
        #expect(account.lost == 0)
        #expect(account.outOfOrder == 0)
        #expect(account.ambiguous == 0)
    }
}

extension Fleet {
    static let webhookSecret = "a secret of the end-to-end tests"

    /// What nodes are told of their receivers: a URL each, with types behind it.
    static func webhooks(_ urls: [String], _ more: [String: String] = [:]) -> [String: String] {
        [
            "MARTLET_WEBHOOKS_URL": urls.joined(separator: ","), "MARTLET_WEBHOOKS_SECRET": webhookSecret,
            "MARTLET_WEBHOOKS_ALLOW_PRIVATE": "true", "MARTLET_PRESENCE_GRACE": "1s",
        ].merging(more) { $1 }
    }

    static func webhooks(_ server: HookServer, _ more: [String: String] = [:]) -> [String: String] {
        webhooks([server.url], more)
    }

    /// Users come, join, and go again by one way or another, on all nodes.
    func churn(users: Int, rounds: Int) async throws {
        for round in 0..<rounds {
            _ = try await each((0..<users).map { $0 }, width: 20) { number in
                let client = try await WireClient.connect(
                    to: self.nodes[(number + round) % self.nodes.count], as: "user-\(number)")
                try await client.join("room-\(number % 7)")
                if number % 2 == 0 { client.close() } else { client.abort() }
                _ = await client.ended()
            }
        }
        // Those that were cut off are told offline after the grace; what a killed Redis brought back, at the latest once
        // `redis.failoverGrace` is over, which must be shorter then.
        let last = Mutex("")
        do {
            try await eventually("nobody to be online", within: .seconds(30)) {
                let answer = try await self.nodes[0].request("GET", "/v1/stats")
                last.withLock { $0 = "\(answer.status) \(answer.body)" }
                return answer.json?["users"] as? Int == 0
            }
        } catch {
            let ghosts = try await online((0..<users).map { "user-\($0)" }, by: nodes[0])
            for node in nodes { print(node.log.split(separator: "\n").filter { !$0.contains(" debug ") }.suffix(40)) }
            throw NeverHappened(description: "\(error): \(last.withLock { $0 }), online are \(ghosts)")
        }
    }
}
