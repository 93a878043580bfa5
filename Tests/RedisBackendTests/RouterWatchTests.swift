import GatewayCore
import RedisBackend
import TestKit
import Testing
import TestSupport

@Suite("Users that are watched")
struct RouterWatchTests {
    private let keys = Keys(prefix: "m")

    /// Does to Redis what the presence scripts do as a user comes or goes.
    private func set(_ fixture: RedisFixture, _ user: UserID, isOnline: Bool, at timestamp: Int, tells: Bool = true)
        async throws
    {
        let partition = Partition(of: user.string)
        if isOnline {
            _ = try await fixture.redis.cli("ZADD", keys.online(partition).name, "\(timestamp)", user.string)
        } else {
            _ = try await fixture.redis.cli("ZREM", keys.online(partition).name, user.string)
            _ = try await fixture.redis.cli("ZADD", keys.seen(partition).name, "\(timestamp)", user.string)
        }
        guard tells else { return }
        let payload = "s \(isOnline ? 1 : 0) \(timestamp)"
        _ = try await fixture.redis.cli("PUBLISH", keys.status(of: user).name, payload)
    }

    @Test func `the states of many users come in the order asked, then each change once`() async throws {
        let fixture = try RedisFixture()
        try await fixture.withBackends([nil]) { backends in
            let users = (0..<200).map { UserID(unchecked: "user \($0)") }
            try await set(fixture, users[7], isOnline: true, at: 1000)
            try await set(fixture, users[9], isOnline: false, at: 900)
            let sinks = [RecordingSink(), RecordingSink()]
            let hubs = sinks.map { backends[0].streams.open($0) }
            backends[0].streams.watch(users, ticket: 1, hub: hubs[0])
            backends[0].streams.watch([users[9], users[7], users[9]], ticket: 2, hub: hubs[1])
            try await eventually { sinks[0].watched(1) != nil && sinks[1].watched(2) != nil }
            let all = try #require(sinks[0].watched(1))
            #expect(all.map(\.userId) == users)
            #expect(all.filter(\.isOnline).map(\.userId) == [users[7]])
            #expect(all[9].lastSeen == 900 && all[7].lastSeen == nil && all[0].lastSeen == nil)
            #expect(sinks[1].watched(2)?.map(\.isOnline) == [false, true, false])

            try await set(fixture, users[7], isOnline: false, at: 2000)
            try await set(fixture, users[0], isOnline: true, at: 2001)
            // Told twice, and told late.
            _ = try await fixture.redis.cli("PUBLISH", keys.status(of: users[0]).name, "s 1 2001")
            _ = try await fixture.redis.cli("PUBLISH", keys.status(of: users[7]).name, "s 1 1000")
            try await set(fixture, users[0], isOnline: false, at: 2002)
            try await eventually { sinks[0].statuses.count == 3 }
            #expect(
                sinks[0].statuses == [
                    StatusChange(userId: users[7], isOnline: false, timestamp: 2000),
                    StatusChange(userId: users[0], isOnline: true, state: .active, timestamp: 2001),
                    StatusChange(userId: users[0], isOnline: false, timestamp: 2002),
                ])
            #expect(sinks[1].statuses.map(\.userId) == [users[7]])
            // One who is watched already is answered from memory.
            backends[0].streams.watch([users[7]], ticket: 3, hub: hubs[1])
            try await eventually { sinks[1].watched(3)?.first?.lastSeen == 2000 }
        }
    }

    @Test func `nobody is told of users no longer watched, and their channels are left`() async throws {
        let fixture = try RedisFixture()
        try await fixture.withBackends([nil]) { backends in
            let (amy, bob) = (UserID(unchecked: "amy"), UserID(unchecked: "bob"))
            let sink = RecordingSink()
            let hub = backends[0].streams.open(sink)
            backends[0].streams.watch([amy, bob], ticket: 1, hub: hub)
            // Taken back before the answer.
            backends[0].streams.unwatch(amy, hub: hub)
            try await eventually { sink.hasAnswer(to: 1) }
            try await set(fixture, amy, isOnline: true, at: 1)
            try await set(fixture, bob, isOnline: true, at: 2)
            try await eventually { sink.statuses.map(\.userId) == [bob] }
            backends[0].streams.unwatch(bob, hub: hub)
            try await eventually { try await !fixture.redis.cli("PUBSUB", "CHANNELS").contains("status") }
            backends[0].streams.watch([bob], ticket: 2, hub: hub)
            try await eventually { sink.watched(2)?.first?.isOnline == true }
        }
    }

    @Test func `users that are watched no longer make way at once for others where room is scarce`() async throws {
        try await RedisFixture().withBackends([nil], maxWatched: 64) { backends in
            let sink = RecordingSink()
            let hub = backends[0].streams.open(sink)
            for ticket in FollowTicket(1)...20 {
                let users = (0..<40).map { UserID(unchecked: "user \(ticket) \($0)") }
                backends[0].streams.watch(users, ticket: ticket, hub: hub)
                try await eventually { sink.hasAnswer(to: ticket) }
                #expect(sink.watched(ticket)?.count == 40)
                for user in users { backends[0].streams.unwatch(user, hub: hub) }
            }
        }
    }

    @Test func `the last room is for those that watch few, and whoever is watched already takes none`() async throws {
        try await RedisFixture().withBackends([nil], maxWatched: 1000) { backends in
            let sink = RecordingSink()
            let hub = backends[0].streams.open(sink)
            let users = (0..<900).map { UserID(unchecked: "user \($0)") }
            for (ticket, (part, held)) in [(0..<800, 800), (800..<813, 13), (800..<805, 5), (0..<800, 800)].enumerated()
            {
                backends[0].streams.watch(
                    Array(users[part]), held: held, ticket: FollowTicket(ticket), hub: hub)
                try await eventually { sink.hasAnswer(to: FollowTicket(ticket)) }
            }
            #expect((0..<4).map { sink.watched($0)?.count } == [800, nil, 5, 800])
        }
    }

    @Test func `two changes within one millisecond are told apart by asking Redis`() async throws {
        let fixture = try RedisFixture()
        try await fixture.withBackends([nil]) { backends in
            let amy = UserID(unchecked: "amy")
            let sink = RecordingSink()
            backends[0].streams.watch([amy], ticket: 1, hub: backends[0].streams.open(sink))
            try await eventually { sink.hasAnswer(to: 1) }
            try await set(fixture, amy, isOnline: true, at: 50)
            try await eventually { sink.statuses.count == 1 }
            // The channel brings an end that lies within the same millisecond; Redis holds that she stayed.
            _ = try await fixture.redis.cli("PUBLISH", keys.status(of: amy).name, "s 0 50")
            try await eventually { sink.statuses.map(\.isOnline) == [true, false, true] }
        }
    }
}
