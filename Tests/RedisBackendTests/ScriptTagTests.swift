import Foundation
import GatewayCore
import RedisBackend
import TestKit
import Testing

@Suite("What scripts touch")
struct ScriptTagTests {
    @Test("every script is called, and each call's keys and channel share one tag")
    func oneTagEach() async throws {
        var options = RedisServerProcess.Options()
        options.arguments = ["--slowlog-log-slower-than", "0", "--slowlog-max-len", "10000"]
        let fixture = try RedisFixture(options)
        try await fixture.withBackends([nil], renewalInterval: .milliseconds(50)) { backends in
            let sink = RecordingSink()
            let hub = backends[0].streams.open(sink)
            let rooms = [RoomName.everyone] + (0..<20).map { RoomName(unchecked: "room-\($0)") }
            for (ticket, name) in rooms.enumerated() {
                backends[0].streams.follow(name, ticket: FollowTicket(ticket), hub: hub)
                let mark = DedupeMark(owner: .user(UserID(unchecked: "{x}")), key: "{y}")
                _ = try await backends[0].messageLog.publish(Publication(name, "1", dedupe: mark))
                _ = try await backends[0].messageLog.history(of: name, range: HistoryRange(edge: .newest, limit: 1))
            }
            try await eventually("six scripts") { Set(try await calls(fixture).map(\.digest)).count == 6 }
            for call in try await calls(fixture) {
                #expect(call.tags.count == 1, "\(call)")
            }
        }
    }

    private struct Call {
        let digest: String
        var tags: Set<Substring>
    }

    /// The calls of scripts in Redis's slow log, which holds all commands here: a command's words are the fourth of its fields.
    private func calls(_ fixture: RedisFixture) async throws -> [Call] {
        let text = try await fixture.redis.cli("--json", "SLOWLOG", "GET", "10000")
        let entries = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [[Any]])
        return entries.compactMap { entry in
            guard entry.count > 3, let words = entry[3] as? [String], words.count > 2, words[0] == "EVALSHA" else {
                return nil
            }
            let tags = words.filter { $0.hasPrefix("m:{") }.map { $0.prefix { $0 != "}" } }
            return Call(digest: words[1], tags: Set(tags))
        }
    }
}
