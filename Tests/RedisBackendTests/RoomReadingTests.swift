import GatewayCore
import RedisBackend
import RedisClient
import Synchronization
import TestKit
import Testing
import TestSupport

/// What roles let clients read and take away on a real Redis, and what becomes of it while a node or a client is away.
@Suite("Reading in governed rooms")
struct RoomReadingTests {
    private let speaker = RoleName(unchecked: "speaker")
    private let ann = UserID(unchecked: "ann")
    private let ben = UserID(unchecked: "ben")

    private func blind(_ node: PresenceNode, at version: Int64 = 0) async throws -> Int64 {
        var settings = RoomSettings(text: Array(#"{"roles":{"member":["join","publish"]}}"#.utf8))
        settings.roles = [RoleRights(role: .member, rights: [.join, .publish])]
        return try await node.backend.roomGovernor.govern(room, by: settings, replacing: version)
    }

    @discardableResult
    private func give(_ role: RoleName, _ user: UserID, _ node: PresenceNode) async throws -> Int64 {
        try await node.backend.roomGovernor.carryOut(RoomOrder(.role(role), user, in: room))
    }

    private func join(_ node: PresenceNode, _ id: String) async throws -> RosterState {
        try await withCheckedThrowingContinuation { continuation in
            node.presence.join(room, connection: id, info: Array("{}".utf8)) { continuation.resume(with: $0) }
        }
    }

    private func follow(_ node: PresenceNode) async throws -> RecordingSink {
        let sink = RecordingSink()
        node.backend.streams.follow(room, ticket: 1, hub: node.backend.streams.open(sink))
        try await eventually { sink.position(of: 1) != nil }
        return sink
    }

    private func changes(_ sink: RecordingSink) -> [RoomChange] {
        sink.deliveries.compactMap { if case .room(let change) = $0 { change } else { nil } }
    }

    private func reading(_ user: UserID, _ node: PresenceNode) async throws -> RoomReading? {
        try await withCheckedThrowingContinuation { continuation in
            node.backend.roomGovernor.reading(by: user, in: room) { continuation.resume(with: $0) }
        }
    }

    private func redact(
        _ seq: Int, of epoch: String? = nil, by author: (user: UserID, connection: String), _ node: PresenceNode
    ) async throws(GovernError) -> Int64 {
        let order = RedactionOrder(
            room: room, seq: seq, epoch: epoch,
            by: RoomOrder.Author(user: author.user, connection: author.connection))
        let result: Result<Int64, GovernError> = await withCheckedContinuation { continuation in
            node.backend.roomGovernor.redact(order) { continuation.resume(returning: $0) }
        }
        return try result.get()
    }

    @Test func `whoever follows a room knows who is what there, however that came about`() async throws {
        try await withNodes(2) { redis, nodes in
            let early = try await follow(nodes[1])
            for number in 0..<300 {
                try await give(number % 2 == 0 ? speaker : .moderator, UserID(unchecked: "u\(number)"), nodes[0])
            }
            try await nodes[0].connect("c1", "ann")
            try await nodes[0].join(room.string, "c1")
            let last = try await give(.host, ann, nodes[0])
            try await eventually { changes(early).last?.state.version == last }
            let told = try #require(changes(early).last?.state.roles)
            let found = try await nodes[1].backend.roomGovernor.roles(in: room).roles
            #expect(told == found && told.count == 301)
            // One that comes later, on a node that has followed nothing.
            let late = try await follow(nodes[0])
            #expect(late.start(of: 1)?.settings?.roles == found)
            #expect(late.start(of: 1)?.settings?.version == last)
            // A ban takes the role, which is told.
            let banned = UserID(unchecked: "u1")
            _ = try await nodes[0].backend.roomGovernor.carryOut(RoomOrder(.ban(until: nil), banned, in: room))
            try await eventually { changes(early).last?.userId == banned }
            #expect(changes(early).last?.role == .member && changes(early).last?.state.roles[banned] == nil)
        }
    }

    @Test func `what changed while a node heard nothing it knows once it hears again, in whatever order`()
        async throws
    {
        try await withNodes(2) { redis, nodes in
            let version = try await blind(nodes[0])
            let sink = try await follow(nodes[1])
            try await nodes[1].cut()
            try await give(speaker, ann, nodes[0])
            try await give(.moderator, ben, nodes[0])
            try await nodes[1].heal()
            try await eventually { changes(sink).last?.state.version == version + 2 }
            #expect(changes(sink).last?.state.roles == [ann: speaker, ben: .moderator])
            // A change that has not come, and one that has.
            let keys = Keys(prefix: "m")
            let name = keys.settings(of: room).name
            _ = try await redis.cli("HSET", name, "role:cid", "moderator", "given", "3", "version", "\(version + 3)")
            try await give(.moderator, ann, nodes[0])
            try await eventually { changes(sink).last?.state.roles[UserID(unchecked: "cid")] == .moderator }
            #expect(changes(sink).last?.state.version == version + 4)
        }
    }

    @Test func `who has not the right reads nothing from outside`() async throws {
        try await withNodes(2) { _, nodes in
            #expect(try await reading(ann, nodes[0]) == nil)
            try await nodes[0].connect("c1", "ann")
            #expect(try await join(nodes[0], "c1").since == nil)
            _ = try await blind(nodes[0])
            #expect(
                try await reading(ann, nodes[1]) == RoomReading(role: .member, history: false, presence: false))
            try await give(speaker, ben, nodes[0])
            #expect(try await reading(ben, nodes[1]) == RoomReading(role: speaker))
            // A speaker has a right to all.
            try await nodes[1].connect("c3", "ben")
            #expect(try await join(nodes[1], "c3").since == nil)
        }
    }

    @Test func `a join tells up to which message its user was not there, also of who was first or is not seen`()
        async throws
    {
        try await withNodes(2) { redis, nodes in
            let keys = Keys(prefix: "m")
            let log = nodes[0].backend.messageLog
            func say() async throws { _ = try await log.publish(Publication(room, "1")) }
            try await say()
            try await nodes[0].connect("c1", "ann")
            _ = try await join(nodes[0], "c1")
            try await say()
            _ = try await blind(nodes[0])
            try await say()
            try await nodes[1].connect("c2", "ann")
            #expect(try await join(nodes[1], "c2").since == 2)
            try await nodes[0].connect("c3", "ben")
            #expect(try await join(nodes[0], "c3").since == 3)
            try await say()
            // The settings may change: who came before they were there came no earlier by that.
            _ = try await blind(nodes[0], at: nodes[0].backend.roomGovernor.state(of: room).version)
            try await nodes[1].connect("c4", "ben")
            #expect(try await join(nodes[1], "c4").since == 3)
            try await nodes[0].connect("c5", "dee")
            try await withCheckedThrowingContinuation { continuation in
                nodes[0].presence.setState(.invisible, connection: "c5") { continuation.resume(with: $0) }
            }
            #expect(try await join(nodes[0], "c5").since == 4)
            try await say()
            try await nodes[1].connect("c6", "dee")
            #expect(try await join(nodes[1], "c6").since == 4)
            // Seen again, it is no older than it is.
            try await withCheckedThrowingContinuation { continuation in
                nodes[0].presence.setState(.active, connection: "c5") { continuation.resume(with: $0) }
            }
            let came = try await redis.cli("HGET", keys.settings(of: room).name, "since:dee")
            #expect(Int(came.prefix { $0 != " " }) ?? 0 > 1_700_000_000_000)
            // In a head of another run of Redis the count goes on from where it stood.
            _ = try await redis.cli("HSET", keys.head(room).name, "term", "99")
            try await nodes[0].connect("c7", "eve")
            #expect(try await join(nodes[0], "c7").since == 5)
            // Who has left while the room was closed comes anew.
            let governor = nodes[0].backend.roomGovernor
            _ = try await governor.close(room, at: governor.state(of: room).version, withLog: false)
            try await nodes[0].connect("c8", "fay")
            _ = try await join(nodes[0], "c8")
            nodes[0].presence.leave(room, connection: "c8")
            try await eventually { try await nodes[0].directory.room(room)?.members ?? 0 == 0 }
            try await say()
            _ = try await blind(nodes[0])
            try await nodes[0].connect("c9", "fay")
            #expect(try await join(nodes[0], "c9").since == 6)
        }
    }

    @Test func `what a room remembers of those who were put out goes once it matters no more`() async throws {
        try await withNodes(1) { redis, nodes in
            let governor = nodes[0].backend.roomGovernor
            let out = Keys(prefix: "m").out(of: room).name
            let now = Int64(try await redis.cli("TIME").split(separator: "\n").first ?? "") ?? 0
            let (lately, stale) = ((now - 3600) * 1000, (now - 2 * 86_400) * 1000)
            func fields() async throws -> Set<String> {
                Set(try await redis.cli("HKEYS", out).split(separator: "\n").map(String.init))
            }
            func close() async throws {
                _ = try await governor.govern(room, by: RoomSettings(), replacing: 0)
                _ = try await governor.close(room, at: governor.state(of: room).version, withLog: false)
            }
            _ = try await redis.cli("HSET", out, "c3", "\(lately)", "@ann", "\(lately)", "+c1", "\(lately)")
            _ = try await redis.cli("HSET", out, "c2", "\(stale)", "@ben", "\(stale)")
            try await nodes[0].connect("c4", "dee")
            try await nodes[0].join(room.string, "c4")
            try await close()
            #expect(try await fields() == ["c3", "@ann", "c4", "@dee"])
            #expect(Int64(try await redis.cli("HGET", out, "c4")) ?? 0 >= now * 1000)
            // Very many take more than one closing, or removals.
            let many = "for i = 1, 25000 do redis.call('HSET', KEYS[1], 'x' .. i, ARGV[1]) end"
            _ = try await redis.cli("EVAL", many, "1", out, "\(stale)")
            try await close()
            let left = try await fields().count
            #expect(left > 4 && left < 20_004)
            for _ in 0..<3 { try await close() }
            #expect(try await fields() == ["c3", "@ann", "c4", "@dee"])
            // Nor does it grow where users are removed again and again.
            _ = try await redis.cli("HSET", out, "c2", "\(stale)")
            try await nodes[0].connect("c5", "eve")
            try await nodes[0].join(room.string, "c5")
            _ = try await governor.carryOut(RoomOrder(.remove, UserID(unchecked: "eve"), in: room))
            #expect(try await fields() == ["c3", "@ann", "c4", "@dee", "c5", "@eve", "+c5"])
        }
    }

    @Test func `a session goes on with since when its user has been in the room`() async throws {
        var settings = PresenceSettings.brisk()
        settings.roomGrace = .seconds(2)
        try await withNodes(2, settings: settings) { _, nodes in
            _ = try await blind(nodes[0])
            try await nodes[0].connect("c0", "ann")
            let session = try await nodes[0].connect("c1", "ann").session
            let came = try await join(nodes[0], "c1").since
            _ = try await nodes[0].backend.messageLog.publish(Publication(room, "1"))
            nodes[0].presence.disconnect("c1", .abrupt(.lost))
            let resumed = try await nodes[1].connect("c2", "ann", resuming: session).resumed
            #expect(resumed?.since == came.map { [room: $0] })
            // Once its grace is over the user has left, and comes anew.
            nodes[1].presence.disconnect("c2", .abrupt(.lost))
            try await eventually { try await nodes[0].directory.room(room)?.members ?? 0 == 0 }
            let again = try await nodes[1].connect("c3", "ann", resuming: session).resumed
            #expect(try #require(again?.since[room]) > came ?? .max)
        }
    }

    @Test func `a session that was in no room any more as that was closed does not come back to it`() async throws {
        try await withNodes(2) { redis, nodes in
            let governor = nodes[0].backend.roomGovernor
            _ = try await governor.govern(room, by: RoomSettings(), replacing: 0)
            for isOpened in [true, false] {
                let session = try await nodes[0].connect("c1\(isOpened)", "ann").session
                try await nodes[0].join(room.string, "c1\(isOpened)")
                nodes[0].presence.disconnect("c1\(isOpened)", .abrupt(.lost))
                try await eventually { try await nodes[0].directory.room(room)?.members ?? 0 == 0 }
                _ = try await governor.close(room, at: governor.state(of: room).version, withLog: false)
                if isOpened { _ = try await governor.govern(room, by: RoomSettings(), replacing: 0) }
                let resumed = try await nodes[1].connect("c2\(isOpened)", "ann", resuming: session).resumed
                #expect(resumed == ResumedSession(rooms: [], forbidden: [room]))
                #expect(try await nodes[1].directory.members(of: room, limit: 9, cursor: nil).members.isEmpty)
                // Joined anew it goes on like any other, over a break, and after another grace.
                let other = try await nodes[1].connect("c3\(isOpened)", "ann").session
                try await nodes[1].join(room.string, "c3\(isOpened)")
                nodes[1].presence.disconnect("c3\(isOpened)", .abrupt(.lost))
                try await eventually { try await nodes[0].directory.room(room)?.members ?? 0 == 0 }
                for id in ["c4\(isOpened)", "c5\(isOpened)"] {
                    #expect(try await nodes[0].connect(id, "ann", resuming: other).resumed?.rooms == [room])
                    nodes[0].presence.disconnect(id, .abrupt(.lost))
                    try await eventually { try await nodes[0].directory.room(room)?.members ?? 0 == 0 }
                }
            }
            let life = Int(try await redis.cli("PTTL", Keys(prefix: "m").out(of: room).name)) ?? 0
            #expect(life > 0)
        }
    }

    @Test func `a client takes a payload away where it is in the room and its role may moderate, and nobody else`()
        async throws
    {
        try await withNodes(2) { _, nodes in
            for (id, user) in [("c1", "ann"), ("c2", "ben")] {
                try await nodes[0].connect(id, user)
                try await nodes[0].join(room.string, id)
            }
            let log = nodes[1].backend.messageLog
            for number in 1...3 {
                _ = try await log.publish(Publication(room: room, userId: ben, payload: Array("\(number)".utf8)))
            }
            let sink = try await follow(nodes[1])
            await #expect(throws: GovernError.denied(.right)) { try await redact(2, by: (ann, "c1"), nodes[0]) }
            let version = try await give(.moderator, ann, nodes[1])
            await #expect(throws: GovernError.denied(.outside)) { try await redact(2, by: (ann, "c9"), nodes[0]) }
            await #expect(throws: GovernError.denied(.right)) { try await redact(2, by: (ben, "c2"), nodes[0]) }
            await #expect(throws: GovernError.unknownMessage) { try await redact(4, by: (ann, "c1"), nodes[0]) }
            await #expect(throws: GovernError.unknownMessage) {
                try await redact(2, of: "other", by: (ann, "c1"), nodes[0])
            }
            #expect(try await redact(2, by: (ann, "c1"), nodes[0]) == version)
            #expect(try await redact(2, by: (ann, "c1"), nodes[0]) == version)
            try await eventually { sink.redactions.map(\.seqs) == [[2]] }
            let page = try await log.history(of: room, range: HistoryRange(edge: .newest, limit: 9))
            #expect(page.messages.map { String(decoding: $0.payload, as: UTF8.self) } == ["1", "null", "3"])
            // In the grace of a lost connection one is not there.
            nodes[0].presence.disconnect("c1", .abrupt(.lost))
            try await eventually { try await nodes[1].directory.room(room)?.connections == 1 }
            await #expect(throws: GovernError.denied(.outside)) { try await redact(3, by: (ann, "c1"), nodes[0]) }
        }
    }
}
