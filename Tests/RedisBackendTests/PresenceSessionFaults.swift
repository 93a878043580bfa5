import GatewayCore
import NIOPosix
import RedisBackend
import TestKit
import Testing
import TestSupport

@Suite("Sessions that go on elsewhere", .serialized)
struct PresenceSessionFaults {
    private let redis: RedisServerProcess
    private let observer: Observer
    private let loop = MultiThreadedEventLoopGroup.singleton.next()
    private let alice = UserID(unchecked: "alice")

    init() throws {
        redis = try RedisServerProcess()
        observer = try Observer(redis)
    }

    private func start(_ name: String, _ settings: PresenceSettings = .brisk()) async throws -> PresenceNode {
        try await PresenceNode.start(name, on: redis, settings: settings, loop: loop)
    }

    /// Two nodes and a session of alice in the rooms `r1` and `r2` on the first; `body` resumes.
    private func withSession(
        _ settings: PresenceSettings = .brisk(),
        _ body: (_ first: PresenceNode, _ second: PresenceNode, _ session: String) async throws -> Void
    ) async throws {
        let first = try await start("n1", settings)
        let second = try await start("n2", settings)
        let session = try await first.connect("c1", "alice", address: "10.0.0.1").session
        for room in ["r1", "r2"] { try await first.join(room, "c1") }
        try await remembered(session, ["r:r1", "r:r2"])
        try await body(first, second, session)
        try await first.stop()
        try await second.stop()
    }

    private func remembered(_ session: String, _ fields: Set<String>) async throws {
        let key = observer.keys.session(try #require(SessionID(shown: session))).name
        try await eventually("rooms in the session") { [redis] in
            let keys = try await redis.cli("HKEYS", key).split(separator: "\n").map(String.init)
            return Set(keys).isSuperset(of: fields)
        }
    }

    /// Waits until all graces are over.
    private func calm() async throws {
        try await eventually("no grace") { [redis] in try await redis.cli("KEYS", "*linger").isEmpty }
    }

    private func rooms(of id: String, _ node: PresenceNode) async throws -> [String]? {
        let record = try await node.directory.user(alice)
        return record?.connections.first { $0.connectionId == id }?.rooms.map(\.string)
    }

    @Test func `a session that was lost and goes on within the grace is no event, and brings its rooms`() async throws {
        try await withSession { first, second, session in
            let before = try await observer.texts()
            let version = try await second.directory.members(of: RoomName(unchecked: "r1"), limit: 1, cursor: nil)
            first.presence.disconnect("c1", .abrupt(.lost))
            let registration = try await second.connect("c2", "alice", address: "10.0.0.2", resuming: session)
            #expect(registration.session == session)
            #expect(registration.resumed?.rooms.map(\.string).sorted() == ["r1", "r2"])
            #expect(registration.resumed?.forbidden == [])
            try await calm()
            #expect(try await observer.texts() == before)
            #expect(try await rooms(of: "c2", second) == ["r1", "r2"])
            let after = try await second.directory.members(of: RoomName(unchecked: "r1"), limit: 10, cursor: nil)
            #expect(after.rosterVersion == version.rosterVersion)
            #expect(after.members.map(\.connections) == [1])
            #expect(
                try await redis.cli("SMEMBERS", observer.keys.connections(in: RoomName(unchecked: "r1")).name) == "c2")
        }
    }

    @Test func `a session goes on while its old socket seems open: that one is closed, and its farewell ends nothing`()
        async throws
    {
        try await withSession { first, second, session in
            let before = try await observer.texts()
            _ = try await second.connect("c2", "alice", resuming: session)
            try await eventually("the old socket's end") { first.closed.contains("c1") }
            first.presence.disconnect("c1", .farewell(.replaced))
            try await calm()
            #expect(try await observer.texts() == before)
            #expect(try await rooms(of: "c2", second) == ["r1", "r2"])
            #expect(try await second.directory.user(alice)?.connections.count == 1)
            try await eventually("no mark") { [redis] in try await redis.cli("KEYS", "*}:marks").isEmpty }
        }
    }

    @Test func `a farewell that reaches Redis between the session's move and its rooms' tells nobody`() async throws {
        try await withSession { first, second, session in
            let before = try await observer.texts()
            let resumed = Task { try await second.connect("c2", "alice", resuming: session) }
            // On the same loop: the farewell goes out right behind the resume.
            first.presence.disconnect("c1", .farewell(.closed))
            let registration = try await resumed.value
            try await calm()
            // Either the farewell was first, and this is a new session, or it was late, and nothing has happened.
            if registration.resumed != nil {
                #expect(try await observer.texts() == before)
                #expect(try await rooms(of: "c2", second) == ["r1", "r2"])
            }
        }
    }

    @Test func `resumed twice, by two nodes at once, the session ends up with one connection and no event`()
        async throws
    {
        try await withSession { first, second, session in
            let before = try await observer.texts()
            async let one = first.connect("c2", "alice", resuming: session)
            async let other = second.connect("c3", "alice", resuming: session)
            #expect(try await [one, other].allSatisfy { $0.session == session && $0.resumed?.rooms.count == 2 })
            for (node, ids) in [(first, ["c1", "c2"]), (second, ["c3"])] {
                for id in ids where node.closed.contains(id) { node.presence.disconnect(id, .farewell(.replaced)) }
            }
            try await eventually("one connection") {
                for (node, ids) in [(first, ["c1", "c2"]), (second, ["c3"])] {
                    for id in ids where node.closed.contains(id) { node.presence.disconnect(id, .farewell(.replaced)) }
                }
                return try await second.directory.user(alice)?.connections.count == 1
            }
            try await calm()
            #expect(try await observer.texts() == before)
            let members = try await second.directory.members(of: RoomName(unchecked: "r1"), limit: 10, cursor: nil)
            #expect(members.members.map(\.connections) == [1])
        }
    }

    @Test func `resumed on the node that holds it, as on one that drains, the session moves there as well`()
        async throws
    {
        try await withSession { first, _, session in
            let before = try await observer.texts()
            _ = try await first.connect("c2", "alice", resuming: session)
            try await eventually("the old socket's end") { first.closed.contains("c1") }
            first.presence.disconnect("c1", .farewell(.replaced))
            try await calm()
            #expect(try await observer.texts() == before)
            #expect(try await rooms(of: "c2", first) == ["r1", "r2"])
        }
    }

    @Test func `unknown, foreign and ended sessions begin a new one`() async throws {
        try await withSession { first, second, session in
            let foreign = try await second.connect("d1", "bob", resuming: session)
            #expect(foreign.resumed == nil && foreign.session != session)
            let unknown = try await second.connect("d2", "alice", resuming: SessionID(of: alice).string)
            #expect(unknown.resumed == nil)
            let nonsense = try await second.connect("d3", "alice", resuming: "x y")
            #expect(nonsense.resumed == nil)
            first.presence.disconnect("c1", .farewell(.closed))
            try await eventually { try await rooms(of: "c1", second) == nil }
            let ended = try await second.connect("d4", "alice", resuming: session)
            #expect(ended.resumed == nil && ended.session != session)
        }
    }

    @Test func `a room that is no longer allowed is left, and named`() async throws {
        try await withSession { first, second, session in
            first.presence.disconnect("c1", .abrupt(.lost))
            let registration = try await second.connect("c2", "alice", resuming: session, forbidden: ["r2"])
            #expect(registration.resumed?.rooms.map(\.string) == ["r1"])
            #expect(registration.resumed?.forbidden.map(\.string) == ["r2"])
            try await eventually("a leave") { [observer] in
                try await observer.texts().contains("member.left alice r2 explicit")
            }
            try await eventually { try await rooms(of: "c2", second) == ["r1"] }
        }
    }

    @Test func `a session whose node was killed goes on before the sweep and after it, and is swept by neither`()
        async throws
    {
        for waits in [false, true] {
            let names = waits ? ["n3", "n4"] : ["n1", "n2"]
            let victim = try await start(names[0])
            let survivor = try await start(names[1])
            let user = waits ? "bob" : "alice"
            let session = try await victim.connect("c1", user).session
            try await victim.join("r1", "c1")
            try await remembered(session, ["r:r1"])
            let before = try await observer.texts()
            try await victim.kill()
            if waits {
                try await eventually("a sweep") { [observer] in
                    try await observer.texts().contains("user.offline bob node_lost")
                }
            }
            let resumed = try await survivor.connect("c2", user, resuming: session)
            #expect(resumed.resumed?.rooms.map(\.string) == ["r1"])
            try await eventually("the dead node's end") { [observer] in
                try await observer.holders().allSatisfy { !$0.hasPrefix(names[0]) }
            }
            if !waits { #expect(try await observer.texts() == before) }
            let record = try await survivor.directory.user(UserID(unchecked: user))
            #expect(record?.status.isOnline == true && record?.connections.map(\.connectionId) == ["c2"])
            let members = try await survivor.directory.members(of: RoomName(unchecked: "r1"), limit: 10, cursor: nil)
            #expect(members.members.map(\.connections) == [1])
            survivor.presence.disconnect("c2", .farewell(.closed))
            try await eventually { try await survivor.directory.room(RoomName(unchecked: "r1")) == nil }
            try await survivor.stop()
        }
    }

    @Test
    func `a node that was cut off finds its connection's session elsewhere, registers nothing of it, and closes it`()
        async throws
    {
        try await withSession { first, second, session in
            try await first.cut()
            _ = try await second.connect("c2", "alice", resuming: session)
            second.presence.leave(RoomName(unchecked: "r1"), connection: "c2")
            try await eventually("a leave") { [observer] in
                try await observer.texts().contains("member.left alice r1 explicit")
            }
            try await eventually("the cut node's end") { [observer] in
                try await observer.holders().allSatisfy { !$0.hasPrefix("n1") }
            }
            let before = try await observer.texts()
            try await first.heal()
            try await eventually("the old socket's end") { first.closed.contains("c1") }
            first.presence.disconnect("c1", .farewell(.replaced))
            try await calm()
            #expect(try await observer.texts() == before)
            #expect(try await rooms(of: "c2", second) == ["r2"])
        }
    }

    @Test func `nor does it register one whose session went on elsewhere and has ended there`() async throws {
        try await withSession { first, second, session in
            try await first.cut()
            try await eventually("the cut node's end") { [observer] in
                try await observer.holders().allSatisfy { !$0.hasPrefix("n1") }
            }
            #expect(try await second.connect("c2", "alice", resuming: session).resumed != nil)
            second.presence.disconnect("c2", .farewell(.closed))
            // Told by three partitions, in any order.
            try await eventually("an end") { [observer] in
                try await observer.texts().filter { $0.hasSuffix(" closed") && !$0.hasPrefix("room") }.count == 3
            }
            let before = try await observer.texts()
            try await first.heal()
            try await eventually("the old socket's end") { first.closed.contains("c1") }
            #expect(try await second.connect("c3", "alice", resuming: session).resumed == nil)
            #expect(try await observer.texts().count == before.count + 1)
        }
    }

    /// What a failover leaves of a session that `c1` was lost of and that `c2` resumed, where it has lost so many resumes.
    private func forget(_ session: String, resumes: Int) async throws {
        let key = observer.keys.session(try #require(SessionID(shown: session))).name
        _ = try await redis.cli("HSET", key, "c", "c\(3 - resumes)")
        let before = 2 - resumes
        _ = try await redis.cli("HSET", key, "n", "\(before)")
        if before == 0 { _ = try await redis.cli("HDEL", key, "n", "b") }
        _ = try await redis.cli("HDEL", observer.keys.connections(of: alice).name, "c3")
    }

    @Test(arguments: [1, 2])
    func `a resume that a failover has lost is no reason to close who resumed`(resumes: Int) async throws {
        try await withSession { first, second, session in
            let key = observer.keys.session(try #require(SessionID(shown: session))).name
            first.presence.disconnect("c1", .abrupt(.lost))
            _ = try await second.connect("c2", "alice", resuming: session)
            second.presence.disconnect("c2", .abrupt(.lost))
            _ = try await second.connect("c3", "alice", resuming: session)
            try await calm()
            let before = try await observer.texts()
            try await forget(session, resumes: resumes)
            _ = try await redis.cli("HDEL", observer.keys.index.name, "n2")
            try await eventually("what was lost") { [redis] in try await redis.cli("HGET", key, "c") == "c3" }
            try await eventually("the record") { try await second.directory.user(alice)?.connections.count == 1 }
            try await calm()
            #expect(second.closed == [])
            #expect(try await observer.texts() == before)
            #expect(try await rooms(of: "c3", second) == ["r1", "r2"])
            // And it goes on from there.
            second.presence.disconnect("c3", .abrupt(.lost))
            #expect(try await first.connect("c4", "alice", resuming: session).resumed != nil)
            try await calm()
            #expect(try await observer.texts() == before)
        }
    }

    @Test func `of two resumes, one lost in a failover and one made after it, the later holds`() async throws {
        try await withSession { first, second, session in
            first.presence.disconnect("c1", .abrupt(.lost))
            _ = try await second.connect("c2", "alice", resuming: session)
            try await calm()
            let key = observer.keys.session(try #require(SessionID(shown: session))).name
            _ = try await redis.cli("HSET", key, "c", "c1")
            _ = try await redis.cli("HDEL", key, "n", "b")
            _ = try await first.connect("c3", "alice", resuming: session)
            _ = try await redis.cli("HDEL", observer.keys.index.name, "n2")
            try await eventually("the end of the earlier") { second.closed.contains("c2") }
            #expect(try await redis.cli("HGET", key, "c") == "c3")
            #expect(first.closed == [])
        }
    }

    @Test func `rooms without a roster come back with the session, and are told to nobody`() async throws {
        try await withSession { first, second, session in
            let quiet = RoomName(unchecked: "quiet")
            first.presence.joinQuietly(quiet, connection: "c1")
            first.presence.joinQuietly(RoomName(unchecked: "quiet-too"), connection: "c1")
            first.presence.leave(RoomName(unchecked: "quiet-too"), connection: "c1")
            try await remembered(session, ["r:quiet"])
            first.presence.disconnect("c1", .abrupt(.lost))
            let resumed = try await second.connect("c2", "alice", resuming: session)
            #expect(resumed.resumed?.rooms.map(\.string).sorted() == ["quiet", "r1", "r2"])
        }
    }
}
