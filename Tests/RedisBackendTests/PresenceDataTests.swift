import GatewayCore
import RedisBackend
import TestKit
import Testing
import TestSupport

@Suite("What members show of themselves")
struct PresenceDataTests {
    private let room = RoomName(unchecked: "r")
    private let bob = UserID(unchecked: "bob")

    private func info(_ node: PresenceNode) async throws -> [String: String] {
        let page = try await node.directory.members(of: room, limit: 100, cursor: nil)
        return Dictionary(
            uniqueKeysWithValues: page.members.map { ($0.userId.string, String(decoding: $0.info, as: UTF8.self)) })
    }

    private func show(_ text: String, _ id: String, _ node: PresenceNode) async throws {
        try await withCheckedThrowingContinuation { continuation in
            node.presence.show(Array(text.utf8), in: [room], connection: id) { continuation.resume(with: $0) }
        }
    }

    private func updates(_ node: PresenceNode) -> [String] {
        node.sink.deliveries.flatMap { delivery -> [String] in
            guard case .presence(let change) = delivery else { return [] }
            return change.events.filter { $0.kind == .update }.map {
                "\($0.userId) \(String(decoding: $0.info ?? [], as: UTF8.self)) \(change.members)"
            }
        }
    }

    @Test func `a change is one step of the roster, told on every node, and what is shown already is none`()
        async throws
    {
        let redis = try RedisServerProcess()
        let settings = PresenceSettings.brisk()
        let nodes = [
            try await PresenceNode.start("n1", on: redis, settings: settings),
            try await PresenceNode.start("n2", on: redis, settings: settings),
        ]
        for (index, node) in nodes.enumerated() {
            try await node.connect("c\(index)", index == 0 ? "amy" : "bob")
            try await node.join("r", "c\(index)", info: #"{"from":"token"}"#)
            node.backend.streams.follow(
                room, since: nil, portion: .none, ticket: 1, hub: node.backend.streams.open(node.sink))
            try await eventually { node.sink.hasAnswer(to: 1) }
        }
        let before = try await nodes[0].directory.members(of: room, limit: 1, cursor: nil).rosterVersion
        try await show(#"{"mood":"glad"}"#, "c1", nodes[1])
        try await show(#"{"mood":"glad"}"#, "c1", nodes[1])
        for node in nodes { try await eventually { updates(node) == [#"bob {"mood":"glad"} 2"#] } }
        let page = try await nodes[0].directory.members(of: room, limit: 10, cursor: nil)
        #expect(page.rosterVersion == before + 1)
        #expect(try await info(nodes[0]) == ["amy": #"{"from":"token"}"#, "bob": #"{"mood":"glad"}"#])
        await #expect(throws: BackendError.self) { try await show("{}", "c9", nodes[1]) }
        for node in nodes { try await node.stop() }
    }

    @Test func `it outlasts a break of the connection, and what Redis loses of it comes back`() async throws {
        let redis = try RedisServerProcess()
        var settings = PresenceSettings.brisk()
        settings.comparison = .milliseconds(3)
        let nodes = [
            try await PresenceNode.start("n1", on: redis, settings: settings),
            try await PresenceNode.start("n2", on: redis, settings: settings),
        ]
        let session = try await nodes[0].connect("c1", "bob").session
        try await nodes[0].join("r", "c1", info: #"{"from":"token"}"#)
        try await show(#"{"mood":"glad"}"#, "c1", nodes[0])
        let keys = Keys(prefix: "m")
        let id = try #require(SessionID(shown: session))
        try await eventually("a session that remembers it") {
            try await redis.cli("HGET", keys.session(id).name, "r:r") == #"{"mood":"glad"}"#
        }
        nodes[0].presence.disconnect("c1", .abrupt(.lost))
        let resumed = try await nodes[1].connect("c2", "bob", resuming: session)
        #expect(resumed.resumed?.rooms == [room])
        #expect(try await info(nodes[0]) == ["bob": #"{"mood":"glad"}"#])
        // One that joins anew shows what it says.
        try await nodes[0].connect("c3", "bob")
        try await nodes[0].join("r", "c3", info: #"{"from":"token"}"#)
        #expect(try await info(nodes[0]) == ["bob": #"{"from":"token"}"#])
        try await show(#"{"mood":"sad"}"#, "c2", nodes[1])
        _ = try await redis.cli("DEL", keys.members(room).name)
        nodes[0].presence.disconnect("c3", .farewell(.closed))
        try await eventually("what was lost") { try await info(nodes[0]) == ["bob": #"{"mood":"sad"}"#] }
        for node in nodes { try await node.stop() }
    }
}
