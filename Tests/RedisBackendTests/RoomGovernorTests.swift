import GatewayCore
import RedisBackend
import RedisClient
import TestKit
import Testing
import TestSupport

/// The settings of rooms on a real Redis, as several nodes see them.
@Suite("Governed rooms")
struct RoomGovernorTests {
    private func settings(_ text: String = "{}", _ change: (inout RoomSettings) -> Void = { _ in }) -> RoomSettings {
        var settings = RoomSettings(text: Array(text.utf8))
        change(&settings)
        return settings
    }

    private func changes(_ sink: RecordingSink) -> [RoomChange] {
        sink.deliveries.compactMap { if case .room(let change) = $0 { change } else { nil } }
    }

    private func enter(_ backend: Backend, _ id: String, _ user: String, _ room: RoomName) async throws -> RosterState {
        let connection = PresenceConnection(id: id, userId: UserID(unchecked: user), address: "")
        let registered: Result<Registration, RegistrationError> = await withCheckedContinuation { continuation in
            backend.presence.connect(connection, resuming: nil) { continuation.resume(returning: $0) }
        }
        _ = try registered.get()
        return try await withCheckedThrowingContinuation { continuation in
            backend.presence.join(room, connection: id, info: Array("{}".utf8)) { continuation.resume(with: $0) }
        }
    }

    private func said(_ text: String, by user: String) -> Publication {
        var publication = Publication(room: room, userId: UserID(unchecked: user), payload: Array(text.utf8))
        publication.heedsSettings = true
        return publication
    }

    @Test func `settings are changed on the version that was seen, told to followers, and read on any node`()
        async throws
    {
        try await RedisFixture().withBackends([nil, nil]) { backends in
            let (one, other) = (backends[0].roomGovernor, backends[1].roomGovernor)
            let sink = RecordingSink()
            backends[1].streams.follow(room, ticket: 1, hub: backends[1].streams.open(sink))
            try await eventually { sink.position(of: 1) != nil }
            #expect(sink.start(of: 1)?.settings == nil)
            #expect(try await one.state(of: room).version == 0)

            let first = try await one.govern(room, by: settings(#"{"title":"A"}"#), replacing: 0)
            let second = try await other.govern(room, by: settings(#"{"title":"B"}"#), replacing: first)
            #expect(second == first + 1)
            for version in [0, first, second + 1] {
                await #expect(throws: GovernError.moved(to: second)) {
                    try await one.govern(room, by: settings(), replacing: version)
                }
            }
            #expect(try await one.state(of: room).settings == Array(#"{"title":"B"}"#.utf8))
            try await eventually { changes(sink).count == 2 }
            #expect(changes(sink).map(\.state.version) == [first, second])
            // Whoever comes later is told them as it comes.
            let late = RecordingSink()
            backends[0].streams.follow(room, ticket: 1, hub: backends[0].streams.open(late))
            try await eventually { late.position(of: 1) != nil }
            #expect(late.start(of: 1)?.settings?.version == second)

            let closed = try await one.close(room, at: second, withLog: false)
            #expect(closed == second + 1)
            try await eventually { changes(sink).last?.event == .closed }
            #expect(try await other.state(of: room).isClosed)
            await #expect(throws: GovernError.moved(to: 0)) {
                try await one.govern(room, by: settings(), replacing: closed)
            }
            // A room that is opened again goes on from there.
            #expect(try await one.govern(room, by: settings(), replacing: 0) == closed + 1)
        }
    }

    @Test func `ten writers in conflict change each exactly once`() async throws {
        try await RedisFixture().withBackends([nil, nil, nil]) { backends in
            let begun = try await backends[0].roomGovernor.govern(room, by: settings("[]"), replacing: 0)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for writer in 0..<10 {
                    let governor = backends[writer % 3].roomGovernor
                    group.addTask {
                        while true {
                            let state = try await governor.state(of: room)
                            let text = String(decoding: state.settings, as: UTF8.self)
                            let next = settings(text.dropLast() + "\(text == "[]" ? "" : ",")\(writer)]")
                            do {
                                _ = try await governor.govern(room, by: next, replacing: state.version)
                                return
                            } catch GovernError.moved {
                                continue
                            }
                        }
                    }
                }
                try await group.waitForAll()
            }
            let state = try await backends[1].roomGovernor.state(of: room)
            #expect(state.version == begun + 10)
            let written = String(decoding: state.settings, as: UTF8.self).split { !$0.isNumber }.compactMap { Int($0) }
            #expect(written.sorted() == Array(0..<10))
        }
    }

    @Test func `of two hundred who join at once through three nodes exactly fifty come in`() async throws {
        try await RedisFixture().withBackends([nil, nil, nil]) { backends in
            _ = try await backends[0].roomGovernor.govern(room, by: settings { $0.maxMembers = 50 }, replacing: 0)
            let outcomes = await withTaskGroup(of: Result<RosterState, any Error>.self) { group in
                for number in 0..<200 {
                    group.addTask {
                        do {
                            return .success(try await enter(backends[number % 3], "c\(number)", "u\(number)", room))
                        } catch {
                            return .failure(error)
                        }
                    }
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
            let refused = outcomes.compactMap {
                if case .failure(let error) = $0 { error as? BackendError } else { nil }
            }
            #expect(refused.count == 150)
            #expect(refused.allSatisfy { $0 == .barred(.full) })
            let record = try await backends[2].presenceDirectory.room(room)
            #expect(record?.members == 50 && record?.connections == 50)
            // A second tab of a member is no further member.
            let page = try await backends[2].presenceDirectory.members(of: room, limit: 1, cursor: nil)
            let member = try #require(page.members.first).userId.string
            #expect(try await enter(backends[1], "tab", member, room).members == 50)
        }
    }

    @Test func `a locked room and one whose roles may not keep a newcomer out, and let a member be`()
        async throws
    {
        try await RedisFixture().withBackends([nil, nil]) { backends in
            let governor = backends[0].roomGovernor
            _ = try await enter(backends[0], "c1", "alice", room)
            var version = try await governor.govern(room, by: settings { $0.isLocked = true }, replacing: 0)
            await #expect(throws: BackendError.barred(.locked)) { try await enter(backends[1], "c2", "bob", room) }
            #expect(try await enter(backends[1], "c3", "alice", room).members == 1)
            version = try await governor.govern(
                room, by: settings { $0.join = [RoleName(unchecked: "guest-7")] }, replacing: version)
            await #expect(throws: BackendError.barred(.role)) { try await enter(backends[1], "c4", "bob", room) }
            version = try await governor.govern(room, by: settings { $0.join = [.member] }, replacing: version)
            #expect(try await enter(backends[1], "c5", "bob", room).members == 2)
            _ = try await governor.close(room, at: version, withLog: false)
            #expect(try await enter(backends[1], "c6", "carol", room).members == 1)
        }
    }

    @Test func `who may send and how often is decided in Redis, for clients and not for backends`() async throws {
        try await RedisFixture().withBackends([nil, nil]) { backends in
            let governor = backends[0].roomGovernor
            let logs = backends.map(\.messageLog)
            // With a head that was written to, and without.
            _ = try await logs[0].publish(said("1", by: "alice"))
            var version = try await governor.govern(
                room, by: settings { $0.publish = [RoleName(unchecked: "speaker")] }, replacing: 0)
            for log in logs {
                await #expect(throws: BackendError.barred(.role)) { try await log.publish(said("2", by: "alice")) }
            }
            #expect(try await logs[1].publish(Publication(room, "2")).position.seq == 2)
            version = try await governor.govern(
                room,
                by: settings { $0.roles = [RoleRights(role: .member, rights: [.join, .history])] }, replacing: version)
            await #expect(throws: BackendError.barred(.role)) { try await logs[0].publish(said("3", by: "alice")) }
            version = try await governor.govern(room, by: settings { $0.slowMode = 3600 }, replacing: version)
            #expect(try await logs[0].publish(said("3", by: "alice")).position.seq == 3)
            let slow = await #expect(throws: BackendError.self) {
                try await logs[1].publish(said("4", by: "alice"))
            }
            #expect(slow?.request.code == .rateLimited)
            let wait = try #require(slow?.request.retryAfterMilliseconds)
            #expect(wait > 3_590_000 && wait <= 3_600_000)
            #expect(try await logs[1].publish(said("4", by: "bob")).position.seq == 4)
            version = try await governor.govern(room, by: settings(), replacing: version)
            #expect(try await logs[1].publish(said("5", by: "alice")).position.seq == 5)
        }
    }

    @Test func `a room that was governed before its first message is so after it, and when its head was forgotten`()
        async throws
    {
        let fixture = try RedisFixture()
        try await fixture.withBackends([nil]) { backends in
            let keys = Keys(prefix: "m")
            _ = try await backends[0].roomGovernor.govern(room, by: settings { $0.publish = [] }, replacing: 0)
            await #expect(throws: BackendError.barred(.role)) {
                try await backends[0].messageLog.publish(said("1", by: "alice"))
            }
            _ = try await backends[0].messageLog.publish(Publication(room, "1"))
            _ = try await fixture.redis.cli("DEL", keys.head(room).name)
            _ = try await backends[0].messageLog.publish(Publication(room, "1"))
            await #expect(throws: BackendError.barred(.role)) {
                try await backends[0].messageLog.publish(said("2", by: "alice"))
            }
        }
    }

    @Test func `versions go on from the clock where another Redis holds older settings, and all are told`()
        async throws
    {
        let fixture = try RedisFixture()
        try await fixture.withBackends([nil]) { backends in
            let governor = backends[0].roomGovernor
            let sink = RecordingSink()
            backends[0].streams.follow(room, ticket: 1, hub: backends[0].streams.open(sink))
            try await eventually { sink.position(of: 1) != nil }
            var version = try await governor.govern(room, by: settings(#"{"title":"kept"}"#), replacing: 0)
            version = try await governor.govern(room, by: settings(#"{"title":"lost"}"#), replacing: version)
            try await eventually { changes(sink).count == 2 }
            // As a replica that was promoted without the last change.
            let keys = Keys(prefix: "m")
            let names = [keys.settings(of: room).name, keys.head(room).name]
            for (name, field) in [(names[0], "version"), (names[1], "settings")] {
                _ = try await fixture.redis.cli("HSET", name, field, "\(version - 1)")
            }
            _ = try await fixture.redis.cli("HSET", names[0], "text", #"{"title":"kept"}"#)
            _ = try await fixture.redis.cli("HSET", keys.state(Partition(of: room)).name, "run", "another", "was", "")
            #expect(try await governor.state(of: room).version > version)
            _ = try await backends[0].messageLog.publish(Publication(room, "1"))
            try await eventually { sink.epochs.count == 1 }
            try await eventually { changes(sink).count == 3 }
            let told = try #require(changes(sink).last)
            #expect(told.event == .updated && told.state.settings == Array(#"{"title":"kept"}"#.utf8))
            #expect(try await governor.state(of: room).version == told.state.version && told.state.version > version)
        }
    }

    @Test func `a Redis that comes back empty has the members told that the settings are gone`() async throws {
        let fixture = try RedisFixture()
        try await fixture.withBackends([nil]) { backends in
            let governor = backends[0].roomGovernor
            let sink = RecordingSink()
            backends[0].streams.follow(room, ticket: 1, hub: backends[0].streams.open(sink))
            try await eventually { sink.position(of: 1) != nil }
            let version = try await governor.govern(room, by: settings(#"{"title":"gone"}"#), replacing: 0)
            try await eventually { changes(sink).count == 1 }
            _ = try await fixture.redis.cli("FLUSHALL")
            try await eventually { changes(sink).last?.event == .restored }
            #expect(changes(sink).last?.state == .absent)
            // Until the node has registered again, nobody is said to be of an earlier release.
            try await eventually {
                do {
                    return try await governor.govern(room, by: settings(), replacing: 0) > version
                } catch GovernError.backend {
                    return false
                }
            }
        }
    }

    @Test func `settings that expire outlive whoever is in the room, and a closed room's version its members`()
        async throws
    {
        let fixture = try RedisFixture()
        try await fixture.withBackends([nil], renewalInterval: .milliseconds(600)) { backends in
            let key = Keys(prefix: "m").settings(of: room).name
            let governor = backends[0].roomGovernor
            let sink = RecordingSink()
            backends[0].streams.follow(room, ticket: 1, hub: backends[0].streams.open(sink))
            try await eventually { sink.position(of: 1) != nil }
            var version = try await governor.govern(room, by: settings { $0.expires = .seconds(60) }, replacing: 0)
            try await eventually { changes(sink).count == 1 }
            _ = try await fixture.redis.cli("PEXPIRE", key, "30000")
            try await eventually { Int(try await fixture.redis.cli("PTTL", key)) ?? 0 > 50_000 }
            version = try await governor.govern(room, by: settings(), replacing: version)
            #expect(try await fixture.redis.cli("PTTL", key) == "-1")
            _ = try await governor.close(room, at: version, withLog: true)
            #expect(Int(try await fixture.redis.cli("PTTL", key)) ?? 0 > 86_000_000)
        }
    }

    @Test func `a change that is repeated after a break is made once`() async throws {
        let redis = try RedisServerProcess()
        let observer = try Observer(redis)
        let script = Govern(room, .set(settings()), replacing: 0, link: "link0001")
        let call = script.spelled(with: Keys(prefix: "m"))
        func send(attempt: RedisArgument) async throws -> RedisReply {
            let arguments = call.arguments.map { argument in
                switch argument {
                case .attempt: attempt
                case .numbered: RedisArgument.string("link00017")
                default: argument
                }
            }
            return try await observer.link.call(script.file, keys: call.keys.map(\.name), arguments: arguments)
        }
        let first = try await send(attempt: 0)
        let again = try await send(attempt: 1)
        #expect(first[0].string == "ok" && again[0].string == "ok" && first[1].integer == again[1].integer)
        #expect(try await send(attempt: 0)[0].string == "moved")
    }

    @Test func `with a node of an earlier release beside them no settings are given`() async throws {
        let fixture = try RedisFixture()
        try await fixture.withBackends([nil]) { backends in
            let keys = Keys(prefix: "m")
            // As long as it is in the index no beat raises the format again.
            _ = try await fixture.redis.cli("HSET", keys.index.name, "n9", "other 5 9 1000 format=2 reads=2 version=v")
            _ = try await fixture.redis.cli("HSET", keys.deployment.name, "format", "2")
            await #expect(throws: GovernError.nodesDiffer) {
                try await backends[0].roomGovernor.govern(room, by: settings(), replacing: 0)
            }
        }
    }

    @Test func `settings that keep somebody out are refused where a room keeps no roster`() async throws {
        let pattern = try #require(RoomPattern("lesson-*"))
        let rule = RoomRule(pattern: pattern, presence: .off, log: LogLimits(size: 10, age: .seconds(60)))
        try await RedisFixture(rules: RoomRules(rules: [rule])).withBackends([nil]) { backends in
            await #expect(throws: GovernError.noRoster) {
                try await backends[0].roomGovernor.govern(room, by: settings { $0.maxMembers = 5 }, replacing: 0)
            }
            _ = try await backends[0].roomGovernor.govern(room, by: settings { $0.slowMode = 5 }, replacing: 0)
        }
    }
}
