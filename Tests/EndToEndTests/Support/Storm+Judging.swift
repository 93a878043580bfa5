import Foundation
import MartletClient
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
        var reckoning = Reckoning()
        for room in Storm.rooms {
            let log = try await log(of: room, by: try #require(living.first))
            let head = try #require(log.keys.max())
            var stored = books.stored[room] ?? []
            if mayLose { stored.removeAll { message in log[message.seq].map { "\"\($0)\"" } != message.payload } }
            for client in clients {
                try await eventually("\(client.user) in \(room) up to \(head)") { client.latest(of: room) >= head }
                reckoning.judge(client, in: room, upTo: head, log: log, stored: stored, allowsGaps: allowsGaps)
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
            for one in books.stored[room] ?? [] where held[one.seq].map({ "\"\($0)\"" }) != one.payload {
                lost.append("\(room) \(one.seq): \(one.payload)")
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

    /// What the log holds of a room, by number, as text.
    private func log(of room: String, by node: NodeProcess) async throws -> [Int: String] {
        var log: [Int: String] = [:]
        var (after, hasMore) = (0, true)
        while hasMore {
            let page = try await node.request("GET", "/v1/rooms/\(room)/messages?after=\(after)&limit=100")
            let messages = try #require(page.json?["messages"] as? [[String: Any]])
            for message in messages {
                after = try #require(message["seq"] as? Int)
                log[after] = message["payload"] as? String
            }
            hasMore = page.json?["more"] as? Bool == true && !messages.isEmpty
        }
        return log
    }
}

/// What came out of a storm: how much arrived, and all that is wrong with it.
private struct Reckoning {
    private(set) var faults: [String] = []
    private var (delivered, gaps, lost, doubled, outOfOrder, differing, presence) = (0, 0, 0, 0, 0, 0, 0)

    /// - Parameters:
    ///   - head: the number that the stream has to have come up to.
    ///   - log: what the gateway holds of the room, by number.
    ///   - stored: what was acknowledged to the backend.
    mutating func judge(
        _ client: Participant, in room: String, upTo head: Int, log: [Int: String], stored: [Storm.Stored],
        allowsGaps: Bool
    ) {
        let place = "\(client.user) \(room)"
        let told = client.gaps.filter { $0.room == room }
        delivered += client.messages(of: room).count
        gaps += told.count
        for fault in client.faults(of: room, upTo: head) {
            faults.append("\(place): \(fault)")
            switch fault {
            case .lost(let range): lost += range.count
            case .doubled: doubled += 1
            case .outOfOrder: outOfOrder += 1
            }
        }
        for message in client.messagesSinceGap(of: room) {
            guard let payload = log[message.seq], "\"\(payload)\"" != String(decoding: message.payload, as: UTF8.self)
            else { continue }
            faults.append("\(place): \(message.seq) is another message in the log")
            differing += 1
        }
        guard told.isEmpty else {
            if !allowsGaps { faults += told.map { "\(place): gap to \($0.position.seq)" } }
            return
        }
        let times = Dictionary(client.payloads(of: room).map { ($0, 1) }, uniquingKeysWith: +)
        for message in stored {
            switch times[message.payload] {
            case 1: continue
            case nil:
                faults.append("\(place): acknowledged \(message.seq) is missing")
                lost += 1
            case .some:
                faults.append("\(place): acknowledged \(message.seq) was stored more than once")
                doubled += 1
            }
        }
    }

    mutating func falsePresence(_ fault: String) {
        faults.append(fault)
        presence += 1
    }

    func line(_ books: Storm.Books) -> String {
        """
        published \(books.published), acknowledged \(books.acknowledged), refusals \(books.refused), \
        delivered \(delivered), gaps \(gaps), lost \(lost), doubled \(doubled), out of order \(outOfOrder), \
        differing \(differing), false presence \(presence), longest silence of a room \(books.longestSilence)
        """
    }
}
