import GatewayCore
import NIOPosix
import RedisBackend
import TestKit
import Testing
import TestSupport

@Suite("Who is online, read from any node")
struct PresenceDirectoryTests {
    /// Two nodes; what the first registers is read through the second.
    private func withNodes(
        _ body: (_ writer: PresenceNode, _ reader: any PresenceDirectory) async throws -> Void
    ) async throws {
        let redis = try RedisServerProcess()
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        var settings = PresenceSettings()
        settings.grace = .seconds(60)
        let writer = try await PresenceNode.start("n1", on: redis, settings: settings, loop: loop)
        let reader = try await PresenceNode.start("n2", on: redis, settings: settings, loop: loop)
        try await body(writer, reader.directory)
        try await writer.stop()
        try await reader.stop()
    }

    @Test(arguments: ["203.0.113.7", ""])
    func `what a connection's client speaks is told beside its address, or without one`(address: String) async throws {
        try await withNodes { writer, reader in
            try await writer.connect("c1", "a", address: address, dialect: .pusher)
            let record = try #require(try await reader.user(UserID(unchecked: "a"))?.connections.first)
            #expect(record.dialect == .pusher)
            #expect(record.remoteAddress == (address.isEmpty ? nil : address))
        }
    }

    @Test func `what a client speaks has a field of its own in its session, none for native ones, and may be unknown`()
        async throws
    {
        let redis = try RedisServerProcess()
        let node = try await PresenceNode.start(
            "n1", on: redis, settings: PresenceSettings(), loop: MultiThreadedEventLoopGroup.singleton.next())
        let keys = try Observer(redis).keys
        func record(_ user: String) async throws -> ConnectionRecord? {
            try await node.directory.user(UserID(unchecked: user))?.connections.first
        }
        for (user, dialect) in [("n", ClientDialect.native), ("p", .pusher)] {
            let registered = try await node.connect("c" + user, user, address: "203.0.113.7", dialect: dialect)
            let key = keys.session(try #require(SessionID(shown: registered.session))).name
            #expect(try await redis.cli("HGET", key, "a") == "203.0.113.7")
            #expect(try await redis.cli("HEXISTS", key, "d") == (dialect == .native ? "0" : "1"))
            #expect(try await record(user)?.dialect == dialect)
            _ = try await redis.cli("HSET", key, "d", "later")
            #expect(try await record(user)?.dialect == nil)
            #expect(try await record(user)?.remoteAddress == "203.0.113.7")
            _ = try await redis.cli("DEL", key)
            let left = try #require(try await record(user))
            #expect(left.dialect == nil && left.remoteAddress == nil)
        }
        try await node.stop()
    }

    @Test func `a user's connections are listed with node, time, address and rooms, those in their grace left out`()
        async throws
    {
        try await withNodes { writer, reader in
            #expect(try await reader.user(UserID(unchecked: "a|ice")) == nil)
            let since = try await writer.connect("c1", "a|ice", address: "2001:db8::1")
            try await writer.connect("c2", "a|ice")
            try await writer.join("r2", "c1")
            try await writer.join("r1", "c1")
            writer.presence.disconnect("c2", .abrupt(.lost))
            try await eventually { try await reader.user(UserID(unchecked: "a|ice"))?.connections.count == 1 }
            let record = try #require(try await reader.user(UserID(unchecked: "a|ice")))
            #expect(record.status.isOnline && record.status.lastSeen == nil)
            #expect(
                record.connections == [
                    ConnectionRecord(
                        connectionId: "c1", nodeId: "n1", connectedAt: since.timestamp,
                        rooms: [RoomName(unchecked: "r1"), RoomName(unchecked: "r2")], remoteAddress: "2001:db8::1")
                ])
            writer.presence.leave(RoomName(unchecked: "r2"), connection: "c1")
            try await eventually {
                try await reader.user(UserID(unchecked: "a|ice"))?.connections.first?.rooms.map(\.string) == ["r1"]
            }
        }
    }

    @Test
    func
        `who shares a room with a user is found in small rooms and large ones, and only where the user is in them too`()
        async throws
    {
        try await withNodes { writer, reader in
            for (index, user) in ["alice", "bob", "carol", "dave", "erin"].enumerated() {
                try await writer.connect("c\(index)", user)
            }
            for (room, connections) in [("pair", [0, 1]), ("all", [0, 1, 2, 3, 4]), ("others", [1, 2, 3])] {
                for index in connections { try await writer.join(room, "c\(index)") }
            }
            @Sendable func ask(_ rooms: [String], _ users: [String]) async throws -> [String] {
                let found = try await reader.sharers(
                    of: UserID(unchecked: "alice"), in: rooms.map { RoomName(unchecked: $0) },
                    among: users.map { UserID(unchecked: $0) })
                return found.map(\.string).sorted()
            }
            let everybody = ["alice", "bob", "carol", "dave", "erin", "nobody"]
            #expect(try await ask(["pair"], everybody) == ["alice", "bob"])
            #expect(try await ask(["others"], everybody) == [])
            #expect(try await ask(["pair", "others", "nowhere"], everybody) == ["alice", "bob"])
            // Larger than what is asked about, and smaller.
            #expect(try await ask(["all", "pair"], ["carol", "nobody"]) == ["carol"])
            #expect(try await ask(["all"], everybody) == ["alice", "bob", "carol", "dave", "erin"])
            writer.presence.leave(RoomName(unchecked: "all"), connection: "c2")
            try await eventually { try await ask(["all"], ["carol"]) == [] }
            let many = (0..<999).map { "u\($0)" } + ["bob"]
            #expect(try await ask(["all", "pair"], many) == ["bob"])
        }
    }

    @Test func `a thousand users are asked for at once and answered in their order, with when they were last seen`()
        async throws
    {
        try await withNodes { writer, reader in
            for number in stride(from: 0, to: 100, by: 2) { try await writer.connect("c\(number)", "u\(number)") }
            writer.presence.disconnect("c0", .farewell(.closed))
            let users = (0..<1000).map { UserID(unchecked: "u\($0)") }
            try await eventually { try await reader.statuses(of: users).first?.isOnline == false }
            let statuses = try await reader.statuses(of: users)
            #expect(statuses.map(\.userId) == users)
            #expect(
                statuses.indices.filter { statuses[$0].isOnline } == Array(stride(from: 2, to: 100, by: 2)))
            #expect(statuses.indices.filter { statuses[$0].lastSeen != nil } == [0])
        }
    }

    @Test func `rooms of one span are found among many others, which count for nothing`() async throws {
        let redis = try RedisServerProcess()
        let node = try await PresenceNode.start(
            "n1", on: redis, settings: PresenceSettings(), loop: MultiThreadedEventLoopGroup.singleton.next())
        let observer = try Observer(redis)
        // More than one look holds, ten of each score; and some in other partitions.
        let own = observer.keys.rooms(Partition.all[5]).name
        let fill = """
            for i = 1, 3500 do
              local name = (i % 7 == 0 and ':2:r' or i % 7 == 1 and ':22:r' or 'r') .. i
              redis.call('ZADD', KEYS[1], math.floor(i / 10), name)
            end
            """
        _ = try await redis.cli("EVAL", fill, "1", own)
        for number in [6, 63] {
            _ = try await redis.cli("ZADD", observer.keys.rooms(Partition.all[number]).name, "1", ":2:x\(number)")
        }
        let directory = node.directory
        @Sendable func search(
            _ prefix: String, alone: Bool = false, upTo limit: Int = 3502, among most: Int = 3502
        ) async throws -> SpannedRooms {
            let span = RoomSpan(prefix: prefix, isWithoutForeign: alone)
            return try await directory.rooms(in: span, upTo: limit, among: most)
        }
        func rooms(_ prefix: String, alone: Bool = false, upTo limit: Int = 3502) async throws -> [String]? {
            guard case .all(let rooms) = try await search(prefix, alone: alone, upTo: limit) else { return nil }
            return rooms.map(\.string).sorted()
        }
        let second = try #require(try await rooms(":2:", upTo: 502))
        #expect(second == ((1...500).map { ":2:r\($0 * 7)" } + [":2:x6", ":2:x63"]).sorted())
        #expect(try await rooms(":2:", upTo: 501) == nil)
        #expect(try await rooms(":2:x") == [":2:x6", ":2:x63"])
        #expect(try await rooms("")?.count == 3502)
        #expect(try await rooms("", alone: true)?.count == 2500)
        let all = try #require(try await rooms(""))
        #expect(try await rooms("r35", alone: true) == all.filter { $0.hasPrefix("r35") })
        #expect(try await rooms("nothing") == [])
        #expect(try await search(":2:", upTo: 501) == .tooMany)
        #expect(try await search(":2:x", among: 3501) == .amongTooMany)
        let abandoned = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await search(":2:x")
        }
        #expect(try await abandoned.value == .abandoned)
        try await node.stop()
    }

    @Test(arguments: [1, 7, 100])
    func `pages over users and rooms hold each one once while others come and go`(limit: Int) async throws {
        try await withNodes { writer, reader in
            for number in 0..<60 {
                try await writer.connect("c\(number)", "u\(number)")
                try await writer.join("r\(number % 30)", "c\(number)")
            }
            var users: [String] = []
            var cursor: String?
            var coming = 100
            repeat {
                let page = try await reader.users(limit: limit, cursor: cursor)
                #expect(page.users.count <= limit)
                users += page.users.map(\.string)
                cursor = page.next
                // Between two pages others come, and the one read last goes.
                try await writer.connect("c\(coming)", "x\(coming)")
                if limit == 7, let last = page.users.last?.string.dropFirst() {
                    writer.presence.disconnect("c\(last)", .farewell(.closed))
                }
                coming += 1
            } while cursor != nil
            #expect(Set(users).count == users.count)
            #expect(Set(users).isSuperset(of: (0..<60).map { "u\($0)" }))

            var rooms: [String] = []
            if limit != 7 {
                repeat {
                    let page = try await reader.rooms(limit: limit, cursor: cursor)
                    #expect(page.total == 30)
                    rooms += page.rooms.map(\.string)
                    cursor = page.next
                } while cursor != nil
                #expect(rooms.count == 30 && Set(rooms) == Set((0..<30).map { "r\($0)" }))
            }
        }
    }

    @Test func `a cursor that no page has given is refused`() async throws {
        try await withNodes { _, reader in
            await #expect(throws: DirectoryError.badCursor) { try await reader.users(limit: 5, cursor: "x") }
            await #expect(throws: DirectoryError.badCursor) {
                try await reader.members(of: RoomName(unchecked: "r"), limit: 5, cursor: "x")
            }
        }
    }

    @Test(arguments: [3, 50, 1000])
    func `members come in pages, each with what the latest joined connection shows`(limit: Int) async throws {
        try await withNodes { writer, reader in
            let room = RoomName(unchecked: "r")
            #expect(try await reader.room(room) == nil)
            var state = RosterState(members: 0, version: 0, timestamp: 0)
            for number in 0..<300 {
                try await writer.connect("c\(number)", "u\(number)")
                state = try await writer.join("r", "c\(number)", info: #"{"n":\#(number)}"#)
            }
            try await writer.connect("d", "u7")
            try await writer.join("r", "d", info: #"{"n":"two"}"#)
            var members: [Member] = []
            var cursor: String?
            repeat {
                let page = try await reader.members(of: room, limit: limit, cursor: cursor)
                #expect(page.members.count <= limit)
                #expect(page.count == 300 && page.rosterVersion == state.version)
                members += page.members
                cursor = page.next
            } while cursor != nil
            #expect(members.count == 300)
            let seventh = try #require(members.first { $0.userId.string == "u7" })
            #expect(seventh.connections == 2 && String(decoding: seventh.info, as: UTF8.self) == #"{"n":"two"}"#)
            let record = try #require(try await reader.room(room))
            #expect(record.members == 300 && record.connections == 301 && record.head == nil)
        }
    }
}
