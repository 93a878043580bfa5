import GatewayCore
import Logging
import NIOCore
import NIOPosix
import RedisBackend
import RedisClient
import Synchronization
import TestKit
import Testing
import TestSupport

/// The scripts by themselves, each called twice.
@Suite("Presence scripts")
struct PresenceTransitionTests {
    private let redis: RedisServerProcess
    private let observer: Observer
    private let settings = PresenceSettings.brisk(grace: .seconds(60))
    private let holder = Holder(node: "n1", incarnation: 100)
    private let alice = UserID(unchecked: "alice")
    private let room = RoomName(unchecked: "lesson-1")

    init() throws {
        redis = try RedisServerProcess()
        observer = try Observer(redis)
    }

    private func connection(_ id: String) -> PresenceConnection {
        PresenceConnection(id: id, userId: alice, address: "::1")
    }

    private func session(_ id: String) throws -> SessionID {
        let secret = "\(id.suffix(1))" + String(repeating: "A", count: 21)
        return try #require(SessionID("\(Partition(of: "alice").number)-\(secret)"))
    }

    /// Calls a script twice, as a retry after a lost reply does; answers what the second one said.
    private func twice<Called: Script>(_ script: Called) async throws -> Called.Answer {
        _ = try await observer.store.call(script)
        return try await observer.store.call(script)
    }

    private func connect(_ id: String, _ holder: Holder) async throws -> Connect.Answer {
        try await twice(Connect(connection(id), session: try session(id), by: holder, settings: settings))
    }

    private func disconnect(_ id: String, _ departure: Departure) async throws -> Disconnect.Answer {
        try await twice(
            Disconnect(
                connection(id), session: try session(id), holder: holder, departure: departure, settings: settings))
    }

    private func join(
        _ id: String, _ holder: Holder, info: String = "{}", mode: Join.Mode = .new
    ) async throws -> Join.Answer {
        try await twice(
            Join(
                room, connection: id, of: alice, info: Array(info.utf8), holder: holder, mode: mode,
                settings: settings))
    }

    private func leave(_ id: String, _ departure: Departure) async throws -> Leave.Answer {
        try await twice(
            Leave(room, connection: id, of: alice, holder: .node(holder), departure: departure, settings: settings))
    }

    @Test func `a second connection of the same user announces nothing, nor does the first of two to go`() async throws
    {
        let first = try await connect("c1", holder)
        #expect(first.isRegistered)
        _ = try await connect("c2", holder)
        #expect(try await observer.texts() == ["user.online alice"])
        #expect(try await disconnect("c1", .farewell(.closed)) == .notHeld)
        #expect(try await observer.texts() == ["user.online alice"])
        _ = try await disconnect("c2", .farewell(.kicked))
        #expect(try await observer.texts() == ["user.online alice", "user.offline alice kicked"])
        #expect(try await redis.cli("KEYS", "*user:alice*") == "")
        #expect(try await redis.cli("KEYS", "*session*") == "")
        #expect(try await redis.cli("KEYS", "*:node:*") == "")
    }

    @Test func `a member is told with the first connection in a room and with the last, and each event is one version`()
        async throws
    {
        let joined = try await join("c1", holder, info: #"{"a":"1 2"}"#)
        let first = try #require(joined.roster)
        #expect(first.members == 1)
        let second = try await join("c2", holder, info: "{}")
        #expect(second.roster?.members == 1 && second.roster?.version == first.version)
        _ = try await leave("c1", .farewell(.explicit))
        _ = try await leave("c2", .farewell(.explicit))
        #expect(
            try await observer.texts() == [
                "room.occupied  lesson-1", "member.joined alice lesson-1", "member.left alice lesson-1 explicit",
                "room.vacated  lesson-1 explicit",
            ])
        let again = try await join("c3", holder)
        #expect(again.roster?.version == first.version + 2)
        #expect(try await redis.cli("SCARD", observer.keys.connections(in: room).name) == "1")
    }

    @Test func `a loss keeps user and member for the grace, under nobody's name`() async throws {
        _ = try await connect("c1", holder)
        _ = try await join("c1", holder)
        _ = try await leave("c1", .abrupt(.lost))
        _ = try await disconnect("c1", .abrupt(.lost))
        #expect(try await observer.texts().filter { $0.contains("off") || $0.contains("left") } == [])
        #expect(try await redis.cli("KEYS", "*:node:*") == "")
        #expect(try await redis.cli("EXISTS", observer.keys.connections(in: room).name) == "0")
        #expect(try await redis.cli("ZCARD", observer.keys.linger(Partition(of: "alice")).name) == "1")
        // A farewell that comes late finds nothing that the node holds.
        #expect(try await disconnect("c1", .farewell(.closed)) == .notHeld)
        #expect(try await observer.texts().filter { $0.contains("off") } == [])
    }

    @Test func `a fenced node registers nothing, and may still take away what it held`() async throws {
        _ = try await connect("c1", holder)
        let partition = Partition(of: "alice")
        _ = try await twice(
            Renounce(partition, holder: Holder(node: "n1", incarnation: 101), settings: settings))
        let refused = try await connect("c2", holder)
        #expect(refused == .fenced(at: 101))
        _ = try await twice(
            Renounce(Partition(of: room), holder: Holder(node: "n1", incarnation: 101), settings: settings))
        #expect(try await join("c1", holder) == .fenced(at: 101))
        #expect(try await disconnect("c1", .farewell(.closed)) == .notHeld)
        #expect(try await observer.texts() == ["user.online alice", "user.offline alice closed"])
    }

    @Test
    func `a node registers again under a new incarnation without a word, and sweeping the old one takes nothing away`()
        async throws
    {
        _ = try await connect("c1", holder)
        _ = try await join("c1", holder)
        let newer = Holder(node: "n1", incarnation: 101)
        let session = try session("c1")
        _ = try await twice(Connect(connection("c1"), session: session, by: newer, again: 5, settings: settings))
        _ = try await join("c1", newer, info: "", mode: .again(settled: 100))
        let before = try await observer.texts()
        try await appoint()
        for partition in Set([Partition(of: "alice"), Partition(of: room)]) {
            try await sweep(partition, [holder])
        }
        #expect(try await observer.texts() == before)
        #expect(try await observer.holders() == ["n1:101"])
    }

    @Test func `a sweep takes away all of a dead node, in several batches, and each user once`() async throws {
        try await appoint()
        for number in 0..<450 {
            let user = UserID(unchecked: "u\(number)")
            let connection = PresenceConnection(id: "c\(number)", userId: user, address: "")
            observer.store.call(Connect(connection, by: holder, settings: settings)) { _ in }
            let info = Array("{}".utf8)
            let join = Join(
                room, connection: connection.id, of: user, info: info, holder: holder, mode: .new, settings: settings)
            observer.store.call(join) { _ in }
        }
        for partition in Partition.all { try await sweep(partition, [holder]) }
        let ledger = try await observer.ledger()
        #expect(ledger.filter { $0.type == "user.offline" && $0.cause == "node_lost" }.count == 450)
        #expect(ledger.filter { $0.type == "member.left" && $0.cause == "node_lost" }.count == 450)
        #expect(ledger.filter { $0.type == "room.vacated" }.count == 1)
        #expect(try await observer.holders() == [])
        #expect(try await redis.cli("KEYS", "*:members") == "")
        #expect(try await redis.cli("KEYS", "*:node:*") == "")
    }

    @Test func `a coordinator that comes lets no grace last longer than one that begins now, and begins none anew`()
        async throws
    {
        _ = try await connect("c1", holder)
        _ = try await disconnect("c1", .abrupt(.lost))
        try await appoint()
        let partition = Partition(of: "alice")
        let (list, entry) = (observer.keys.linger(partition).name, "u|c1|alice")
        let begun = try #require(Int64(try await redis.cli("ZSCORE", list, entry)))
        // As after a step of the clock back by hours, which no coordinator has lived to see.
        _ = try await redis.cli("ZADD", list, "\(begun + 36_000_000)", entry)
        let bound = Prolong(.bound, partition, token: "n9:1 1", settings: settings)
        #expect(try await twice(bound) == .prolonged(1))
        let end = try #require(Int64(try await redis.cli("ZSCORE", list, entry)))
        #expect(begun <= end && end < begun + 36_000_000)
        _ = try await redis.cli("ZADD", list, "\(begun - 1000)", entry)
        #expect(try await twice(bound) == .prolonged(1))
        #expect(try await redis.cli("ZSCORE", list, entry) == "\(begun - 1000)")
    }

    @Test func `a sweep under a token that another has taken over does nothing`() async throws {
        _ = try await connect("c1", holder)
        let partition = Partition(of: "alice")
        let outcome = await withCheckedContinuation { continuation in
            Sweeper(store: observer.store, settings: settings).sweep(
                partition, dead: [holder], due: [], by: 0, token: "n9:1 1"
            ) {
                continuation.resume(returning: $0)
            }
        }
        #expect(outcome == .refused)
        #expect(try await observer.texts() == ["user.online alice"])
    }

    @Test func `a full Redis still takes logins, leaves, losses and sweeps`() async throws {
        _ = try await connect("c1", holder)
        _ = try await join("c1", holder)
        _ = try await connect("c2", holder)
        try await appoint()
        _ = try await redis.cli("CONFIG", "SET", "maxmemory", "1")
        #expect(try await connect("c3", holder).isRegistered)
        await #expect(throws: CallError.self) { try await join("c3", holder) }
        #expect(try await disconnect("c1", .farewell(.closed)) == .notHeld)
        for partition in Partition.all { try await sweep(partition, [holder]) }
        #expect(try await observer.texts().contains("user.offline alice node_lost"))
        #expect(try await observer.texts().contains("member.left alice lesson-1 node_lost"))
    }

    @Test func `what goes over a room's channel says who came and went, and by which connection`() async throws {
        let heard = Mutex<[PresenceMessage?]>([])
        let listener = ChannelListener { bytes in heard.withLock { $0.append(PresenceMessage(bytes)) } }
        let subscriber = RedisSubscriber(
            configuration: try RedisConfiguration(url: redis.url), eventLoop: observer.link.eventLoop,
            logger: Logger(label: "test"), handler: listener)
        subscriber.subscribe([observer.keys.channel(room).name])
        subscriber.start()
        try await eventually { listener.subscriptions == 1 }
        _ = try await join("c1", holder, info: #"{"name":"A b"}"#)
        _ = try await leave("c1", .farewell(.explicit))
        try await eventually { heard.withLock { $0.count } == 2 }
        let messages = heard.withLock { $0.compactMap { $0 } }
        #expect(
            messages.flatMap(\.events) == [
                .init(change: .join(info: Array(#"{"name":"A b"}"#.utf8)), userId: alice, connection: "c1"),
                .init(change: .leave, userId: alice, connection: "c1"),
            ])
        #expect(messages.map(\.members) == [1, 0])
        #expect(messages.count == 2 && messages[1].version == messages[0].version + 1)
        try await subscriber.shutdown().get()
    }

    /// Makes `n9` the coordinator of all partitions.
    private func appoint() async throws {
        for partition in Partition.all {
            _ = try await observer.link.send(["SET", .string(observer.keys.coordinator(partition).name), "n9:1 1"])
        }
    }

    private func sweep(_ partition: Partition, _ dead: [Holder]) async throws {
        let outcome = await withCheckedContinuation { continuation in
            Sweeper(store: observer.store, settings: settings).sweep(
                partition, dead: dead, due: [], by: 0, token: "n9:1 1"
            ) {
                continuation.resume(returning: $0)
            }
        }
        #expect(outcome == .swept)
    }
}
