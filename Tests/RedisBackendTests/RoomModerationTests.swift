import GatewayCore
import RedisBackend
import RedisClient
import TestKit
import Testing
import TestSupport

/// Roles, mutes, bans and removals on a real Redis, as several nodes see them.
@Suite("Moderation")
struct RoomModerationTests {
    private func settings(_ change: (inout RoomSettings) -> Void = { _ in }) -> RoomSettings {
        var settings = RoomSettings()
        change(&settings)
        return settings
    }

    private func said(_ text: String, by user: String) -> Publication {
        var publication = Publication(room: room, userId: UserID(unchecked: user), payload: Array(text.utf8))
        publication.heedsSettings = true
        return publication
    }

    @discardableResult
    private func order(
        _ node: PresenceNode, _ act: RoomOrder.Act, _ user: String,
        by author: (user: String, connection: String)? = nil,
        reason: String = ""
    ) async throws(GovernError) -> Int64 {
        let author = author.map { RoomOrder.Author(user: UserID(unchecked: $0.user), connection: $0.connection) }
        return try await node.backend.roomGovernor.carryOut(
            RoomOrder(act, UserID(unchecked: user), in: room, by: author, reason: reason))
    }

    private func members(_ node: PresenceNode) async throws -> [String] {
        try await node.directory.members(of: room, limit: 100, cursor: nil).members.map(\.userId.string)
    }

    /// How the room is told one who begins to follow it.
    private func start(_ node: PresenceNode) async throws -> StreamStart {
        let sink = RecordingSink()
        node.backend.streams.follow(room, ticket: 1, hub: node.backend.streams.open(sink))
        try await eventually { sink.position(of: 1) != nil }
        return try #require(sink.start(of: 1))
    }

    private func putOut(_ node: PresenceNode) -> [String] {
        node.sink.deliveries.compactMap { if case .putOut(let id, _) = $0 { id } else { nil } }
    }

    @Test func `a role is kept for the user, told by the join, and never gives or takes more than its giver has`()
        async throws
    {
        try await withNodes(2) { _, nodes in
            for (id, user) in [("c1", "ann"), ("c2", "ben"), ("c3", "cid"), ("c4", "dee")] {
                try await nodes[0].connect(id, user)
                try await nodes[0].join(room.string, id)
            }
            let first = try await order(nodes[1], .role(.host), "ann")
            #expect(try await order(nodes[1], .role(.moderator), "ben") == first + 1)
            let speaker = RoleName(unchecked: "speaker")
            #expect(try await order(nodes[0], .role(speaker), "cid", by: ("ben", "c2")) == first + 2)
            // Nothing has changed.
            #expect(try await order(nodes[0], .role(speaker), "cid") == first + 2)
            // A role that gives itself more, or its likes; or takes from one who has more.
            await #expect(throws: GovernError.denied(.rank)) {
                try await order(nodes[0], .role(.host), "ben", by: ("ben", "c2"))
            }
            await #expect(throws: GovernError.denied(.rank)) {
                try await order(nodes[0], .role(.member), "ann", by: ("ben", "c2"))
            }
            for act in [RoomOrder.Act.remove, .ban(until: nil), .mute(until: nil)] {
                await #expect(throws: GovernError.denied(.rank)) {
                    try await order(nodes[0], act, "ann", by: ("ben", "c2"))
                }
                await #expect(throws: GovernError.denied(.right)) {
                    try await order(nodes[0], act, "dee", by: ("cid", "c3"))
                }
                await #expect(throws: GovernError.denied(.outside)) {
                    try await order(nodes[0], act, "dee", by: ("ben", "c9"))
                }
            }
            // The chair goes to one who is in the room, from one to the other.
            await #expect(throws: GovernError.absent) { try await order(nodes[0], .role(.host), "eve") }
            try await order(nodes[0], .role(.host), "cid", by: ("ann", "c1"))
            let roles = try await nodes[1].backend.roomGovernor.roles(in: room)
            #expect(roles.host?.string == "cid")
            #expect(
                Set(roles.roles.map { "\($0.key) \($0.value.string)" }) == ["ben moderator", "cid host"])
            // Who comes back is what it was.
            nodes[0].presence.leave(room, connection: "c2")
            try await eventually { try await members(nodes[1]).count == 3 }
            try await nodes[1].connect("c5", "ben")
            try await nodes[1].join(room.string, "c5")
            let start = try await start(nodes[1])
            #expect(start.settings?.roles == [UserID(unchecked: "ben"): .moderator, UserID(unchecked: "cid"): .host])
            #expect(try await nodes[0].backend.roomGovernor.state(of: room).settings == Array("{}".utf8))
        }
    }

    @Test func `once a mute is answered nothing of the user is stored or signalled, on whatever node`() async throws {
        try await withNodes(2) { _, nodes in
            for (id, user) in [("c1", "ann"), ("c2", "ben")] {
                try await nodes[0].connect(id, user)
                try await nodes[0].join(room.string, id)
            }
            let log = nodes[1].backend.messageLog
            _ = try await log.publish(said("0", by: "ann"))
            // Many are on their way as the mute comes.
            async let stream = withTaskGroup(of: (isStored: Bool, asked: ContinuousClock.Instant).self) { group in
                for number in 0..<500 {
                    group.addTask {
                        let asked = ContinuousClock.now
                        return ((try? await log.publish(said("\(number)", by: "ann"))) != nil, asked)
                    }
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
            try await order(nodes[0], .mute(until: nil), "ann")
            let muted = ContinuousClock.now
            let late = await stream.filter { $0.asked > muted && $0.isStored }
            #expect(late.isEmpty)
            let head = try await log.history(of: room, range: HistoryRange(edge: .newest, limit: 1)).head
            await #expect(throws: BackendError.barred(.muted)) { try await log.publish(said("1", by: "ann")) }
            #expect(try await log.history(of: room, range: HistoryRange(edge: .newest, limit: 1)).head == head)
            let signal = Signal(
                room: room, from: UserID(unchecked: "ann"), to: UserID(unchecked: "ben"), payload: Array("1".utf8))
            await #expect(throws: SignalError.backend(.barred(.muted))) { try await nodes[0].signal(signal, "c1") }
            _ = try await log.publish(said("1", by: "ben"))
            // A backend is bound by nothing.
            _ = try await log.publish(
                Publication(room: room, userId: UserID(unchecked: "ann"), payload: Array("2".utf8)))
            try await order(nodes[1], .unmute, "ann")
            _ = try await log.publish(said("3", by: "ann"))
            try await nodes[0].signal(signal, "c1")
            // One that has ended binds nobody.
            try await order(nodes[1], .mute(until: 1000), "ann")
            _ = try await log.publish(said("4", by: "ann"))
        }
    }

    @Test
    func `who is removed is out with three tabs on three nodes, in its grace and with its session; may join anew`()
        async throws
    {
        try await withNodes(3, settings: .brisk(lease: .seconds(10))) { _, nodes in
            for number in 0..<3 {
                try await nodes[number].connect("t\(number)", "ann")
                try await nodes[number].join(room.string, "t\(number)")
            }
            let session = try await nodes[0].connect("t3", "ann").session
            try await nodes[0].join(room.string, "t3")
            try await nodes[0].connect("c1", "ben")
            try await nodes[0].join(room.string, "c1")
            nodes[0].presence.disconnect("t3", .abrupt(.lost))
            try await eventually {
                try await nodes[1].directory.room(room)?.connections == 4
            }
            try await order(nodes[1], .remove, "ann", reason: "enough")
            #expect(try await members(nodes[2]) == ["ben"])
            for number in 0..<3 {
                try await eventually { putOut(nodes[number]) == ["t\(number)"] }
            }
            let told = nodes[1].sink.deliveries.compactMap {
                if case .putOut(_, let change) = $0 { change } else { nil }
            }
            #expect(told.first?.event == .removed && told.first?.reason == "enough")
            // The session goes on without the room.
            let resumed = try await nodes[2].connect("t4", "ann", resuming: session).resumed
            #expect(resumed == ResumedSession(rooms: [], forbidden: [room]))
            #expect(try await members(nodes[2]) == ["ben"])
            await #expect(throws: GovernError.absent) { try await order(nodes[1], .remove, "ann") }
            try await nodes[2].join(room.string, "t4")
            try await nodes[1].join(room.string, "t1")
            #expect(try await Set(members(nodes[0])) == ["ann", "ben"])
        }
    }

    @Test func `a banned user is out and stays out until the ban ends, also one who joins in the same instant`()
        async throws
    {
        try await withNodes(2) { _, nodes in
            try await nodes[0].connect("c1", "ann")
            try await nodes[0].join(room.string, "c1")
            async let ban: Void = {
                for number in 0..<20 { try await order(nodes[1], .ban(until: nil), "u\(number)") }
            }()
            await withTaskGroup(of: Void.self) { group in
                for number in 0..<20 {
                    group.addTask {
                        _ = try? await nodes[0].connect("d\(number)", "u\(number)")
                        _ = try? await nodes[0].join(room.string, "d\(number)")
                    }
                }
            }
            try await ban
            try await eventually { try await members(nodes[1]) == ["ann"] }
            for number in 0..<20 {
                await #expect(throws: BackendError.barred(.banned)) {
                    try await nodes[0].join(room.string, "d\(number)")
                }
            }
            try await order(nodes[1], .ban(until: 1000), "u1")
            try await nodes[0].join(room.string, "d1")
            try await order(nodes[0], .unban, "u2")
            try await nodes[0].join(room.string, "d2")
            #expect(try await Set(members(nodes[1])) == ["ann", "u1", "u2"])
            let roles = try await nodes[0].backend.roomGovernor.roles(in: room)
            #expect(roles.banned.count == 18)
        }
    }

    @Test func `closing a room puts out those in their grace, who resume and who join in the same instant`()
        async throws
    {
        try await withNodes(2) { redis, nodes in
            let version = try await nodes[0].backend.roomGovernor.govern(room, by: settings(), replacing: 0)
            let session = try await nodes[0].connect("c1", "ann").session
            try await nodes[0].join(room.string, "c1")
            try await nodes[1].connect("c2", "ben")
            try await nodes[1].join(room.string, "c2")
            nodes[0].presence.disconnect("c1", .abrupt(.lost))
            try await eventually { try await nodes[1].directory.room(room)?.connections == 1 }
            let closed = try await nodes[0].backend.roomGovernor.close(room, at: version, withLog: false)
            #expect(try await members(nodes[0]) == [])
            // It follows no stream, so that its node's own channel alone tells it.
            try await eventually { putOut(nodes[1]) == ["c2"] }
            let resumed = try await nodes[1].connect("c3", "ann", resuming: session).resumed
            #expect(resumed?.forbidden == [room])
            let keys = Keys(prefix: "m")
            let events = try await redis.cli("XRANGE", keys.events(Partition(of: room)).name, "-", "+")
            #expect(events.contains("room.vacated") && events.contains(#"{"version":\#(closed),"closed":true}"#))
        }
    }

    @Test func `who was put out while its node heard nothing is out once that hears again`() async throws {
        try await withNodes(2) { redis, nodes in
            let governor = nodes[0].backend.roomGovernor
            let version = try await governor.govern(room, by: settings(), replacing: 0)
            try await nodes[1].connect("c1", "ann")
            try await nodes[1].join(room.string, "c1")
            try await nodes[1].connect("c2", "ben")
            try await nodes[1].join(room.string, "c2")
            let ticket: FollowTicket = 1
            let sink = RecordingSink()
            nodes[1].backend.streams.follow(room, ticket: ticket, hub: nodes[1].backend.streams.open(sink))
            try await eventually { sink.position(of: ticket) != nil }
            // A break that spans closing and opening again.
            try await nodes[1].cut()
            let closed = try await governor.close(room, at: version, withLog: false)
            let opened = try await governor.govern(room, by: settings(), replacing: 0)
            #expect(opened == closed + 1)
            try await nodes[1].heal()
            try await eventually { Set(putOut(nodes[1])) == ["c1", "c2"] }
            @Sendable func changes() -> [RoomChange] {
                sink.deliveries.compactMap { if case .room(let change) = $0 { change } else { nil } }
            }
            try await eventually { changes().map(\.event) == [.closed, .updated] }
            #expect(changes().map(\.state.version) == [closed, opened])
            #expect(try await members(nodes[0]) == [])
            try await nodes[1].join(room.string, "c1")
            #expect(try await members(nodes[0]) == ["ann"])
        }
    }

    @Test(arguments: [true, false])
    func `who is put out while its node counts as dead stays out once that is back`(isClosed: Bool) async throws {
        try await withNodes(2) { _, nodes in
            let governor = nodes[0].backend.roomGovernor
            let version = try await governor.govern(room, by: settings(), replacing: 0)
            try await nodes[1].connect("c1", "ann")
            try await nodes[1].join(room.string, "c1")
            try await nodes[0].connect("c2", "ben")
            try await nodes[0].join(room.string, "c2")
            try await nodes[1].cut()
            try await eventually { try await members(nodes[0]) == ["ben"] }
            if isClosed {
                _ = try await governor.close(room, at: version, withLog: false)
                _ = try await governor.govern(room, by: settings(), replacing: 0)
                try await eventually { putOut(nodes[0]) == ["c2"] }
                try await nodes[0].join(room.string, "c2")
            } else {
                await #expect(throws: GovernError.absent) { try await order(nodes[0], .remove, "ann") }
            }
            try await nodes[1].heal()
            try await eventually { putOut(nodes[1]) == ["c1"] }
            #expect(try await members(nodes[0]) == ["ben"])
            try await nodes[1].join(room.string, "c1")
            #expect(try await Set(members(nodes[0])) == ["ann", "ben"])
        }
    }

    @Test func `a change that is repeated after others were made is answered as the first time`() async throws {
        let redis = try RedisServerProcess()
        let observer = try Observer(redis)
        let keys = Keys(prefix: "m")
        func send(_ script: any Script, _ number: Int, attempt: RedisArgument = 0) async throws -> RedisReply {
            let call = script.spelled(with: keys)
            let arguments = call.arguments.map { argument in
                switch argument {
                case .attempt: attempt
                case .numbered: RedisArgument.string("link0001\(number)")
                default: argument
                }
            }
            return try await observer.link.call(script.file, keys: call.keys.map(\.name), arguments: arguments)
        }
        let ann = UserID(unchecked: "ann")
        let first = Govern(room, .set(settings()), replacing: 0, link: "link0001")
        let version = try #require(try await send(first, 1)[1].integer)
        for number in 2..<9 {
            let mute = Moderate(RoomOrder(.mute(until: Int64(number)), ann, in: room), link: "link0001")
            #expect(try await send(mute, number)[1].integer == version + Int64(number - 1))
        }
        let again = try await send(first, 1, attempt: 1)
        #expect(again[0].string == "ok" && again[1].integer == version)
        let mute = Moderate(RoomOrder(.mute(until: 3), ann, in: room), link: "link0001")
        #expect(try await send(mute, 3, attempt: 1)[1].integer == version + 2)
        #expect(try await send(first, 1)[0].string == "moved")
    }

    @Test func `a Redis that comes back empty knows no role, and one without the last change goes on above it`()
        async throws
    {
        try await withNodes(1) { redis, nodes in
            let keys = Keys(prefix: "m")
            try await nodes[0].connect("c1", "ann")
            try await nodes[0].join(room.string, "c1")
            try await order(nodes[0], .role(.moderator), "ann")
            let version = try await order(nodes[0], .mute(until: nil), "ann")
            // As a replica that was promoted without the last change.
            _ = try await redis.cli("HSET", keys.settings(of: room).name, "version", "\(version - 1)", "mutes", "0")
            _ = try await redis.cli("HDEL", keys.settings(of: room).name, "mute:ann")
            _ = try await redis.cli("HSET", keys.state(Partition(of: room)).name, "run", "another", "was", "")
            #expect(try await order(nodes[0], .unban, "ben") > version + 1)
            #expect(try await nodes[0].backend.roomGovernor.roles(in: room).roles.count == 1)
            let last = try await nodes[0].backend.roomGovernor.state(of: room).version
            _ = try await redis.cli("FLUSHALL")
            try await eventually { nodes[0].backend.problem == nil }
            try await eventually { try await members(nodes[0]) == ["ann"] }
            #expect(try await nodes[0].backend.roomGovernor.roles(in: room).isEmpty)
            #expect(try await order(nodes[0], .role(.moderator), "ann") > last)
        }
    }

    @Test func `a backend puts a user past a lock, and not past a ban`() async throws {
        try await withNodes(2) { _, nodes in
            _ = try await nodes[0].backend.roomGovernor.govern(
                room, by: settings { $0.isLocked = true }, replacing: 0)
            try await nodes[1].connect("c1", "ann")
            await #expect(throws: BackendError.barred(.locked)) { try await nodes[1].join(room.string, "c1") }
            #expect(try await nodes[0].backend.roomGovernor.invite(UserID(unchecked: "ann"), to: room) == 1)
            try await eventually {
                nodes[1].sink.deliveries.contains {
                    if case .invited(let user, let into) = $0 { user.string == "ann" && into == room } else { false }
                }
            }
            try await nodes[1].join(room.string, "c1")
            // Once.
            nodes[1].presence.leave(room, connection: "c1")
            try await eventually { try await members(nodes[0]) == [] }
            await #expect(throws: BackendError.barred(.locked)) { try await nodes[1].join(room.string, "c1") }
            try await order(nodes[0], .ban(until: nil), "ann")
            #expect(try await nodes[0].backend.roomGovernor.invite(UserID(unchecked: "ann"), to: room) == 1)
            await #expect(throws: BackendError.barred(.banned)) { try await nodes[1].join(room.string, "c1") }
        }
    }

    @Test func `who may signal, and a role that may not send, are held against the room's roles`() async throws {
        try await withNodes(1) { _, nodes in
            for (id, user) in [("c1", "ann"), ("c2", "ben")] {
                try await nodes[0].connect(id, user)
                try await nodes[0].join(room.string, id)
            }
            let speaker = RoleName(unchecked: "speaker")
            _ = try await nodes[0].backend.roomGovernor.govern(
                room,
                by: settings {
                    $0.roles = [
                        RoleRights(role: .member, rights: [.join]),
                        RoleRights(role: speaker, rights: [.join, .publish, .signal]),
                    ]
                }, replacing: 0)
            let log = nodes[0].backend.messageLog
            let signal = Signal(
                room: room, from: UserID(unchecked: "ann"), to: UserID(unchecked: "ben"), payload: Array("1".utf8))
            await #expect(throws: BackendError.barred(.role)) { try await log.publish(said("1", by: "ann")) }
            await #expect(throws: SignalError.backend(.barred(.role))) { try await nodes[0].signal(signal, "c1") }
            try await order(nodes[0], .role(speaker), "ann")
            _ = try await log.publish(said("1", by: "ann"))
            try await nodes[0].signal(signal, "c1")
            await #expect(throws: BackendError.barred(.role)) { try await log.publish(said("1", by: "ben")) }
        }
    }
}
