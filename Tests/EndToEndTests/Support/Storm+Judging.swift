import Foundation
import MartletClient
import StormJudge
import Synchronization
import TestKit
import Testing
import TestSupport

extension Storm {
    /// Waits until every client stands where its rooms stand, then judges all streams and rosters; prints the counts.
    ///
    /// - Parameters:
    ///   - ledger: the server whose ledger is read, where that is another than the fleet's by now.
    ///   - allowsGaps: whether the log may have lost something: then clients may be told a `gap`, and what is missing
    ///     has to be explained by one.
    ///   - mayLose: whether what was acknowledged and is not in the log may be missing without a gap too, with whoever was
    ///     not where it was stored.
    ///   - staying: whether nobody may be told to have left, in rooms or in the ledger.
    func judge(
        _ name: String, ledger: RedisServerProcess? = nil, allowsGaps: Bool = false, mayLose: Bool = false,
        staying: Bool = true
    ) async throws {
        let living = nodes.withLock { $0 }
        let books = books
        let mercy: Reckoning.Mercy = mayLose ? .losses : allowsGaps ? .gaps : .none
        var reckoning = Reckoning()
        for room in Storm.rooms {
            let log = try await log(of: room, by: try #require(living.first))
            let head = try #require(log.keys.max())
            for client in clients {
                try await eventually("\(client.user) in \(room) up to \(head)") { client.latest(of: room) >= head }
                reckoning.judge(
                    client.sight(of: room, upTo: head), log: log, stored: books.stored[room] ?? [], mercy: mercy)
                guard staying else { continue }
                for case .leave(let user) in client.presence(of: room).flatMap(\.steps) {
                    reckoning.falsePresence("\(client.user) \(room): told that \(user) left")
                }
            }
        }
        try await judgeRosters(living, &reckoning)
        if staying {
            let transitions = try await fleet.ledger(on: ledger)
            for transition in transitions where ["user.offline", "member.left"].contains(transition.type) {
                reckoning.falsePresence("the ledger has \(transition)")
            }
        }
        print("\(name): \(reckoning.line(books))")
        #expect(reckoning.faults.prefix(10) == [])
    }

    /// Acknowledged messages that their rooms' logs do not hold under the number that was acknowledged.
    func lost() async throws -> [String] {
        let node = try #require(nodes.withLock { $0.first })
        var lost: [String] = []
        for room in Storm.rooms {
            let held = try await log(of: room, by: node)
            for one in books.stored[room] ?? [] where held[one.seq] != one.message {
                lost.append("\(room) \(one.seq): \(one.message)")
            }
        }
        return lost
    }

    /// All clients are online and in every room, by every node and by what each client was told.
    private func judgeRosters(_ living: [NodeProcess], _ reckoning: inout Reckoning) async throws {
        let users = Set(clients.map(\.user))
        for node in living {
            try await eventually("everybody's being online") {
                try await self.fleet.online(Array(users), by: node) == users
            }
            for room in Storm.rooms {
                try await eventually("everybody's being in \(room)") { try await node.members(of: room) == users }
            }
        }
        for room in Storm.rooms {
            let read = try await each(clients, width: 8) { try await $0.readRoster(of: room) }
            for (client, members) in zip(clients, read) {
                if members != users {
                    reckoning.falsePresence("\(client.user) \(room): reads \(members.count) members")
                }
                for fault in client.rosterFaults(of: room, against: users) {
                    reckoning.falsePresence("\(client.user) \(room): \(fault)")
                }
            }
        }
    }

    /// Which message the log holds of a room, by number.
    private func log(of room: String, by node: NodeProcess) async throws -> [Int: Int] {
        var log: [Int: Int] = [:]
        var (after, hasMore) = (0, true)
        while hasMore {
            let page = try await node.request("GET", "/v1/rooms/\(room)/messages?after=\(after)&limit=100")
            let messages = try #require(page.json?["messages"] as? [[String: Any]])
            for message in messages {
                after = try #require(message["seq"] as? Int)
                log[after] = (message["payload"] as? String).flatMap { Int($0) }
            }
            hasMore = page.json?["more"] as? Bool == true && !messages.isEmpty
        }
        return log
    }
}

extension Participant {
    /// What this client saw of a room that has come up to this number; messages bear theirs as text.
    fileprivate func sight(of room: String, upTo head: Int) -> Reckoning.Sight {
        let messages = messages(of: room)
        return Reckoning.Sight(
            place: "\(user) \(room)", faults: faults(of: room, upTo: head),
            gaps: gaps.filter { $0.room == room }.map(\.position.seq),
            messages: messages.map { message in
                let text = String(decoding: message.payload, as: UTF8.self)
                return (seq: message.seq, message: Int(text.dropFirst().dropLast()))
            },
            beforeGap: messages.count - messagesSinceGap(of: room).count)
    }
}

extension Reckoning {
    fileprivate func line(_ books: Storm.Books) -> String {
        """
        published \(books.published), acknowledged \(books.acknowledged), refusals \(books.refused), \
        delivered \(delivered), gaps \(gaps), lost \(lost), doubled \(doubled), out of order \(outOfOrder), \
        differing \(differing), false presence \(falsePresence), longest silence of a room \(books.longestSilence)
        """
    }
}
