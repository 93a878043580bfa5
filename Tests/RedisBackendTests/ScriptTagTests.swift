import Foundation
import GatewayCore
import RedisBackend
import Synchronization
import TestKit
import Testing
import TestSupport

@Suite("What scripts touch")
struct ScriptTagTests {
    /// Those that receivers of events and readers of pages call, a sweep, bans of addresses, the ledger of calls, and a search
    /// for a connection on other nodes (`notify`) have tests of their own; what is registered again, or read or found where
    /// nothing may be written, is so with the keys of the first time.
    private static let elsewhere: Set<String> = [
        "gather", "settle", "trim", "backlog", "replay", "page", "sweep", "yield", "connect", "join_again",
        "ban", "lift", "audit", "audited", "prolong", "position_unwritten", "history_unwritten", "published",
        "settings_unwritten", "notify",
    ]

    @Test func `every script is called, and each call's keys and channel share one tag`() async throws {
        var options = RedisServerProcess.Options()
        options.arguments = ["--slowlog-log-slower-than", "0", "--slowlog-max-len", "1000000"]
        let redis = try RedisServerProcess(options)
        var settings = PresenceSettings()
        settings.renewal = .seconds(1)
        settings.comparison = .milliseconds(1)
        let node = try await PresenceNode.start("n1", on: redis, settings: settings, renewalInterval: .seconds(1))
        try await node.connect("stays", "{s}")
        let hub = node.backend.streams.open(RecordingSink())
        let rooms = [RoomName.everyone] + (0..<20).map { RoomName(unchecked: "room-\($0)") }
        for (ticket, name) in rooms.enumerated() {
            node.backend.streams.follow(name, since: nil, ticket: FollowTicket(ticket), hub: hub)
            let mark = DedupeMark(owner: .user(UserID(unchecked: "{x}")), key: "{y}")
            _ = try await node.backend.messageLog.publish(Publication(name, "1", dedupe: mark))
            _ = try await node.backend.messageLog.history(of: name, range: HistoryRange(edge: .newest, limit: 1))
            _ = try await node.backend.messageErasure.redact(1, of: nil, in: name)
        }
        node.backend.streams.watch([UserID(unchecked: "{x}")], ticket: 100, hub: hub)
        for (index, name) in rooms.dropFirst().enumerated() {
            let user = UserID(unchecked: "{u}\(index)")
            let governed = try await node.backend.roomGovernor.state(of: name)
            _ = try await node.backend.roomGovernor.govern(name, by: RoomSettings(), replacing: governed.version)
            _ = try? await node.backend.roomGovernor.carryOut(RoomOrder(.mute(until: 1), user, in: name))
            _ = try await node.backend.roomGovernor.roles(in: name)
            _ = try await node.backend.roomGovernor.invite(user, to: name)
            let session = try await node.connect("c\(index)", user.string).session
            try await node.connect("d\(index)", user.string, resuming: session)
            try await node.join(name.string, "d\(index)")
            _ = try await node.backend.roomGovernor.carryOut(RoomOrder(.role(.host), user, in: name))
            try? await node.signal(Signal(room: name, from: user, to: user, payload: []), "d\(index)")
            _ = try await node.directory.disconnect(user, code: 4403, reason: "{mm}")
            _ = try await node.directory.pardon(user)
            node.presence.admits(user, issuedAt: 1) { _ in }
            node.presence.leave(name, connection: "d\(index)")
            node.presence.disconnect("d\(index)", .abrupt(.lost))
        }
        _ = try await node.backend.messageErasure.erase(UserID(unchecked: "{z}"))
        try await node.join("room-0", "stays")
        node.presence.show(Array(#"{"a":1}"#.utf8), in: [RoomName(unchecked: "room-0")], connection: "stays") { _ in }
        node.presence.setState(.invisible, connection: "stays") { _ in }
        node.presence.connectVisitor("guest")
        node.presence.attend(RoomName(unchecked: "room-0"), connection: "guest")
        node.presence.noteMiss(in: RoomName(unchecked: "room-0"))
        _ = try await node.directory.rooms(in: RoomSpan(prefix: "{r}", isWithoutForeign: true), upTo: 1, among: 100)
        _ = try await node.directory.members(of: RoomName(unchecked: "room-0"), limit: 1, cursor: "1-1")
        // What is compared after the subscriptions were away is asked for once they stand again.
        try await node.proxy.cutAll()
        let names = Dictionary(uniqueKeysWithValues: Scripts.all.map { ($0.digest, $0.name) })
        let called = Mutex<Set<String>>([])
        for name in Set(names.values).subtracting(ScriptTagTests.elsewhere).sorted() {
            try await eventually("a call of \(name)") { [redis] in
                guard !called.withLock({ $0.contains(name) }) else { return true }
                for call in try await ScriptTagTests.newCalls(redis) {
                    let name = names[call.digest] ?? "?"
                    #expect(call.tags.count == 1, "\(name): \(call)")
                    called.withLock { _ = $0.insert(name) }
                }
                return called.withLock { $0.contains(name) }
            }
        }
        try await node.stop()
    }

    private struct Call {
        let digest: String
        var tags: Set<Substring>
    }

    /// The calls of scripts since the last time, of Redis's slow log, which holds all commands here: a command's words are
    /// the fourth of its fields.
    private static func newCalls(_ redis: RedisServerProcess) async throws -> [Call] {
        let taking = "local all = redis.call('SLOWLOG', 'GET', '-1') redis.call('SLOWLOG', 'RESET') return all"
        let text = try await redis.cli("--json", "EVAL", taking, "0")
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
