import GatewayCore
import NIOPosix
import RedisBackend
import TestKit
import Testing
import TestSupport

@Suite("Presence that is registered again", .serialized)
struct PresenceRepairTests {
    private let redis: RedisServerProcess
    private let observer: Observer
    private let loop = MultiThreadedEventLoopGroup.singleton.next()
    private let alice = UserID(unchecked: "alice")
    private let room = RoomName(unchecked: "r")

    init() throws {
        redis = try RedisServerProcess()
        observer = try Observer(redis)
    }

    private func start(_ name: String, _ settings: PresenceSettings) async throws -> PresenceNode {
        try await PresenceNode.start(name, on: redis, settings: settings, loop: loop)
    }

    /// Each beat compares all partitions.
    private var comparing: PresenceSettings {
        var settings = PresenceSettings.brisk()
        settings.renewal = .milliseconds(200)
        settings.comparison = .milliseconds(3)
        return settings
    }

    @Test func `a node alone that was away until its keys had expired registers all of it again`() async throws {
        var settings = PresenceSettings.brisk()
        settings.life = .seconds(2)
        settings.renewal = .milliseconds(200)
        settings.comparison = .seconds(3600)
        let node = try await start("n1", settings)
        for number in 0..<20 {
            try await node.connect("c\(number)", "u\(number)")
            try await node.join("r\(number % 3)", "c\(number)")
        }
        let before = try await observer.holders()
        try await node.cut()
        for pattern in ["*:conns", "*:online", "*:members", "*:rooms"] {
            try await eventually("the end of \(pattern)") { try await redis.cli("KEYS", pattern) == "" }
        }
        try await node.heal()
        try await eventually("everybody's return") {
            let users = try? await node.directory.users(limit: 1, cursor: nil).total
            let rooms = try? await node.directory.rooms(limit: 1, cursor: nil).total
            let members = try? await node.directory.room(RoomName(unchecked: "r1"))?.members
            return users == 20 && rooms == 3 && members == 7
        }
        try await eventually("the old incarnation's end") { try await observer.holders().isDisjoint(with: before) }
        #expect(node.closed.isEmpty)
        try await node.stop()
    }

    @Test func `a connection that waits to go on with a session is not registered with another one meanwhile`()
        async throws
    {
        let node = try await start("n1", .brisk())
        let session = try await node.connect("c1", "alice").session
        try await node.join("r", "c1")
        let name = observer.keys.session(try #require(SessionID(shown: session))).name
        try await eventually("the room in the session") { [redis] in
            try await redis.cli("HEXISTS", name, "r:r") == "1"
        }
        // What the resume meets: the node takes another incarnation, and registers all that it holds, right behind it.
        let old = try #require(try await observer.holders().first.flatMap { Holder($0) })
        let fence = observer.keys.fence(Partition(of: "alice")).name
        _ = try await redis.cli("HSET", fence, "n1", "\(old.incarnation + 5)")
        let resumed = try await node.connect("c2", "alice", resuming: session)
        #expect(resumed.session == session && resumed.resumed?.rooms == [room])
        try await eventually("the new incarnation alone") {
            let holders = try await observer.holders()
            return holders.count == 1 && holders != [old.description]
        }
        #expect(try await redis.cli("KEYS", "*:session:*") == name)
        let record = try await node.directory.user(alice)?.connections.first { $0.connectionId == "c2" }
        #expect(record?.rooms == [room])
        try await node.stop()
    }

    @Test func `a session whose rooms a failover lost, or brought back, is told what its connection is in`()
        async throws
    {
        let nodes = [try await start("n1", .brisk()), try await start("n2", .brisk())]
        let session = try await nodes[0].connect("c1", "alice").session
        try await nodes[0].join("r", "c1")
        nodes[0].presence.joinQuietly(RoomName(unchecked: "quiet"), connection: "c1")
        let name = observer.keys.session(try #require(SessionID(shown: session))).name
        try await eventually("both rooms in the session") { [redis] in
            let fields = try await redis.cli("HKEYS", name).split(separator: "\n")
            return fields.contains("r:quiet") && fields.contains("r:r")
        }
        // What a replica has that was promoted without the last writes; then all is registered again.
        _ = try await redis.cli("HDEL", name, "r:r", "r:quiet")
        _ = try await redis.cli("HSET", name, "r:left", "")
        let old = try #require(try await observer.holders().first { $0.hasPrefix("n1:") }.flatMap { Holder($0) })
        let fence = observer.keys.fence(Partition(of: "bob")).name
        _ = try await redis.cli("HSET", fence, "n1", "\(old.incarnation + 5)")
        try await nodes[0].connect("d1", "bob")
        try await eventually("the new incarnation alone") {
            try await observer.holders().allSatisfy { $0 != old.description }
        }
        nodes[0].presence.disconnect("c1", .abrupt(.lost))
        let resumed = try await nodes[1].connect("c2", "alice", resuming: session)
        #expect(resumed.resumed?.rooms.map(\.string).sorted() == ["quiet", "r"])
        for node in nodes { try await node.stop() }
    }

    @Test(arguments: [true, false])
    func `what is joined before the registration is answered is in the session`(isKnown: Bool) async throws {
        let node = try await start("n1", .brisk())
        let known = try await node.connect("c1", "alice").session
        let shown = isKnown ? known : SessionID(of: alice).string
        let registered = loop.makePromise(of: Registration.self)
        try await loop.submit {
            // Each waits for the loop, so all three are on their way before the first answer.
            node.presence.connect(
                PresenceConnection(id: "c2", userId: alice, address: ""),
                resuming: SessionResumption(session: shown, info: Array("{}".utf8)) { _ in true }
            ) { registered.completeWith($0.mapError { $0 }) }
            node.presence.joinQuietly(RoomName(unchecked: "quiet"), connection: "c2")
            node.presence.join(room, connection: "c2", info: Array("{}".utf8)) { _ in }
        }.get()
        let session = try await registered.futureResult.get().session
        #expect((session == known) == isKnown)
        let name = observer.keys.session(try #require(SessionID(shown: session))).name
        try await eventually("both rooms in the session") { [redis] in
            let fields = try await redis.cli("HKEYS", name).split(separator: "\n")
            return fields.contains("r:quiet") && fields.contains("r:r")
        }
        try await node.stop()
    }

    @Test(arguments: 0..<8)
    func `whichever key of a living node vanishes, the comparison brings it back`(which: Int) async throws {
        let nodes = [try await start("n1", comparing), try await start("n2", comparing)]
        let session = try await nodes[0].connect("c1", "alice").session
        try await nodes[1].connect("c2", "alice")
        for (number, node) in nodes.enumerated() { try await node.join("r", "c\(number + 1)") }
        let keys = observer.keys
        let (own, rooms) = (Partition(of: "alice"), Partition(of: room))
        let holder = try #require(
            try await observer.holders().first { $0.hasPrefix("n1:") }.flatMap { Holder($0) })
        let sessionKey = keys.session(try #require(SessionID(shown: session)))
        let set = keys.held(by: holder, in: own)
        let vanishing = [
            keys.connections(of: alice), keys.online(own), sessionKey, set, keys.members(room),
            keys.connections(in: room), keys.rooms(rooms), keys.head(room),
        ][which]
        try await eventually("the room in the session") { [redis] in
            try await redis.cli("HEXISTS", sessionKey.name, "r:r") == "1"
        }
        _ = try await redis.cli("DEL", vanishing.name)
        let directory = nodes[1].directory
        try await eventually("the return of \(vanishing.name)") { [redis] in
            guard let record = try await directory.user(alice), record.status.isOnline else { return false }
            guard record.connections.map(\.connectionId) == ["c1", "c2"], record.connections[0].rooms == [room] else {
                return false
            }
            let page = try await directory.members(of: room, limit: 10, cursor: nil)
            guard page.members.first?.connections == 2, page.rosterVersion > 0 else { return false }
            guard try await directory.room(room)?.connections == 2 else { return false }
            guard try await directory.rooms(limit: 10, cursor: nil).rooms == [room] else { return false }
            return try await redis.cli("SISMEMBER", set.name, "u|c1|alice") == "1"
        }
        for node in nodes {
            #expect(node.closed.isEmpty)
            try await node.stop()
        }
    }

    @Test
    func `the list of holders, when it vanishes, comes back with the comparison, so that the dead are still swept`()
        async throws
    {
        let nodes = [try await start("n1", comparing), try await start("n2", comparing)]
        try await nodes[0].connect("c1", "alice")
        try await nodes[1].connect("c2", "bob")
        let holders = observer.keys.holders(Partition(of: "alice")).name
        _ = try await redis.cli("DEL", holders)
        try await eventually("the holder") { [redis] in
            try await redis.cli("SMEMBERS", holders).contains("n1:")
        }
        try await nodes[0].kill()
        try await eventually("the sweep") { try await observer.texts().contains("user.offline alice node_lost") }
        try await nodes[1].stop()
    }
}
