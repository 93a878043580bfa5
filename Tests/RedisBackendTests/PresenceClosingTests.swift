import GatewayCore
import NIOPosix
import RedisBackend
import TestKit
import Testing
import TestSupport

@Suite("Connections that others close", .serialized)
struct PresenceClosingTests {
    private let redis: RedisServerProcess
    private let observer: Observer
    private let loop = MultiThreadedEventLoopGroup.singleton.next()
    private let alice = UserID(unchecked: "alice")

    init() throws {
        redis = try RedisServerProcess()
        observer = try Observer(redis)
    }

    private func withNodes(
        _ settings: PresenceSettings = .brisk(),
        _ body: (_ first: PresenceNode, _ second: PresenceNode) async throws -> Void
    ) async throws {
        let first = try await PresenceNode.start("n1", on: redis, settings: settings, loop: loop)
        let second = try await PresenceNode.start("n2", on: redis, settings: settings, loop: loop)
        try await body(first, second)
        try await first.stop()
        try await second.stop()
    }

    @Test func `a user's connections are closed on all nodes, with the code and the reason given`() async throws {
        try await withNodes { first, second in
            try await first.connect("c1", "alice")
            try await second.connect("c2", "alice")
            try await second.connect("c3", "bob")
            #expect(try await first.directory.disconnect(alice, code: 4403, reason: "out you go") == 2)
            try await eventually { Set(first.closed) == ["c1"] && Set(second.closed) == ["c2"] }
            let told = first.sink.deliveries.compactMap { delivery -> String? in
                if case .close(_, let reason, let text) = delivery { "\(reason.code) \(text)" } else { nil }
            }
            #expect(told == ["4403 out you go"])
            #expect(try await first.directory.disconnect(UserID(unchecked: "nobody"), code: 4403, reason: "") == 0)
        }
    }

    @Test func `a mark is obeyed though the word about it was lost, and is gone with its connection`() async throws {
        try await withNodes { first, second in
            try await second.connect("c1", "alice")
            // What the script does, without what it says over the channel.
            let key = observer.keys.marks(Partition(of: "alice")).name
            _ = try await redis.cli("HSET", key, "c1", "n2 4403 out you go")
            _ = try await redis.cli("HINCRBY", observer.keys.marked.name, "n2", "1")
            try await eventually("a closing", within: .seconds(3)) { second.closed.contains("c1") }
            #expect(first.closed.isEmpty)
            second.presence.disconnect("c1", .farewell(.kicked))
            try await eventually("no mark") { [redis] in try await redis.cli("EXISTS", key) == "0" }
            #expect(try await observer.texts() == ["user.online alice", "user.offline alice kicked"])
        }
    }

    @Test func `marks, and the count of them, are forgotten by themselves where no node takes them away`() async throws
    {
        try await withNodes { first, second in
            try await second.connect("c1", "alice")
            #expect(try await first.directory.disconnect(alice, code: 4403, reason: "out") == 1)
            try await eventually("a closing") { second.closed.contains("c1") }
            let keys = observer.keys
            let mark = try await observer.link.send(["PTTL", .string(keys.marks(Partition(of: "alice")).name)])
            #expect((60_000...150_000).contains(try #require(mark.integer)))
            // Raised after the mark is written, and so maybe after the closing too.
            try await eventually("a count that ends") { [observer] in
                let count = try await observer.link.send(["PTTL", .string(keys.marked.name)])
                return (80_000_000...86_400_000).contains(count.integer ?? 0)
            }
        }
    }

    @Test func `with one connection a user the oldest is closed for the newest, on whatever node`() async throws {
        var settings = PresenceSettings.brisk()
        settings.maxConnectionsPerUser = 1
        settings.surplus = .closeOldest
        try await withNodes(settings) { first, second in
            try await first.connect("c1", "alice")
            try await second.connect("c2", "alice")
            // Before the first has gone.
            try await first.connect("c3", "alice")
            try await eventually { first.closed.contains("c1") && second.closed.contains("c2") }
            #expect(!first.closed.contains("c3"))
            first.presence.disconnect("c1", .farewell(.replaced))
            second.presence.disconnect("c2", .farewell(.replaced))
            try await eventually { try await first.directory.user(alice)?.connections.map(\.connectionId) == ["c3"] }
            #expect(try await observer.texts() == ["user.online alice"])
        }
    }

    @Test func `or the newest is refused, where neither a grace nor the session's own old connection counts`()
        async throws
    {
        var settings = PresenceSettings.brisk(grace: .seconds(30))
        settings.maxConnectionsPerUser = 1
        settings.surplus = .refuseNewest
        try await withNodes(settings) { first, second in
            let session = try await first.connect("c1", "alice").session
            await #expect(throws: RegistrationError.tooManyConnections) { try await second.connect("c2", "alice") }
            #expect(try await second.connect("c3", "alice", resuming: session).resumed != nil)
            await #expect(throws: RegistrationError.tooManyConnections) { try await second.connect("c4", "alice") }
            second.presence.disconnect("c3", .abrupt(.lost))
            try await second.connect("c5", "alice")
            await #expect(throws: RegistrationError.tooManyConnections) {
                try await first.connect("c6", "alice", resuming: session)
            }
            #expect(try await observer.texts() == ["user.online alice"])
        }
    }

    @Test func `a signal reaches the other's connections in the room on all nodes, from members to members only`()
        async throws
    {
        try await withNodes { first, second in
            try await first.connect("c1", "alice")
            try await first.connect("b1", "bob")
            try await second.connect("b2", "bob")
            try await first.join("r", "c1")
            let signal = Signal(
                room: RoomName(unchecked: "r"), from: alice, to: UserID(unchecked: "bob"),
                payload: Array(#"{"sdp":"v=0 x"}"#.utf8))
            await #expect(throws: SignalError.notFound) { try await first.signal(signal, "c1") }
            try await first.join("r", "b1")
            try await second.join("r", "b2")
            await #expect(throws: SignalError.notMember) {
                try await second.signal(Signal(room: signal.room, from: signal.to, to: alice, payload: []), "b9")
            }
            try await first.signal(signal, "c1")
            try await eventually { first.signals == [signal] && second.signals == [signal] }
            second.presence.disconnect("b2", .abrupt(.lost))
            first.presence.disconnect("b1", .farewell(.closed))
            try await eventually { try await second.directory.user(signal.to)?.connections.isEmpty == true }
            await #expect(throws: SignalError.notFound) { try await first.signal(signal, "c1") }
        }
    }
}
