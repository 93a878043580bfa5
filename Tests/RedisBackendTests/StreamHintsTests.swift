import GatewayCore
import RedisBackend
import TestKit
import Testing
import TestSupport

/// Listeners that go live by what the presence scripts have told of their stream.
@Suite("Going live without a question")
struct StreamHintsTests {
    private let keys = Keys(prefix: "m")
    private let alice = UserID(unchecked: "alice")
    private var inbox: RoomName { RoomName(inboxOf: alice) }

    private func connect(_ backend: Backend, _ id: String, _ user: UserID) async throws {
        try await withCheckedThrowingContinuation {
            (continuation: CheckedContinuation<Void, any Error>) in
            backend.presence.connect(PresenceConnection(id: id, userId: user, address: ""), resuming: nil) {
                continuation.resume(with: $0.map { _ in })
            }
        }
    }

    private func join(_ backend: Backend, _ id: String) async throws -> RosterState {
        try await withCheckedThrowingContinuation { continuation in
            backend.presence.join(room, connection: id, info: Array("{}".utf8)) {
                continuation.resume(with: $0)
            }
        }
    }

    private func calls(of name: String, _ fixture: RedisFixture) async throws -> Int {
        let digest = try #require(Scripts.all.first { $0.name == name }).digest
        return try await fixture.redis.cli("SLOWLOG", "GET", "-1").split(separator: digest).count - 1
    }

    /// A Redis that writes down every call.
    private func fixture() throws -> RedisFixture {
        var options = RedisServerProcess.Options()
        options.arguments = ["--slowlog-log-slower-than", "0", "--slowlog-max-len", "100000"]
        return try RedisFixture(options)
    }

    @Test func `an inbox that was never written to leaves nothing in Redis, and its first message begins an epoch`()
        async throws
    {
        let fixture = try fixture()
        try await fixture.withBackends([nil]) { backends in
            let sink = RecordingSink()
            let hub = backends[0].streams.open(sink)
            try await connect(backends[0], "c1", alice)
            backends[0].streams.follow(inbox, ticket: 1, hub: hub)
            try await eventually { sink.hasAnswer(to: 1) }
            #expect(sink.position(of: 1) == Position(epoch: "", seq: 0))
            #expect(try await fixture.redis.cli("KEYS", "m:*:inbox:*") == "")
            #expect(try await calls(of: "position", fixture) == 0)

            let first = try await backends[0].messageLog.publish(Publication(inbox, "1"))
            _ = try await backends[0].messageLog.publish(Publication(inbox, "2"))
            try await eventually { sink.sequence == [1, 2] }
            #expect(sink.epochs == [Position(epoch: first.position.epoch, seq: 0)] && sink.gaps.isEmpty)
            #expect(try await calls(of: "position", fixture) == 0)
            // Who was told the place before the first message gets all of it.
            let since = ClientPosition(epoch: "", seq: 0)
            backends[0].streams.follow(inbox, since: since, ticket: 2, hub: hub)
            try await eventually { sink.hasAnswer(to: 2) }
            #expect(
                sink.start(of: 2)?.missed.map(\.seq) == [1, 2] && sink.start(of: 2)?.recovered == true)
        }
        withExtendedLifetime(fixture) {}
    }

    @Test func `what comes for an inbox while its user's connection is being registered is kept for it`() async throws {
        let fixture = try fixture()
        try await fixture.withBackends([nil, nil]) { backends in
            let sink = RecordingSink()
            let hub = backends[0].streams.open(sink)
            for round in 0..<40 {
                let user = UserID(unchecked: "u\(round)")
                let own = RoomName(inboxOf: user)
                async let published: [Published] = publish(5, to: own, backends[1])
                try await connect(backends[0], "c\(round)", user)
                let ticket = FollowTicket(round)
                backends[0].streams.follow(own, ticket: ticket, hub: hub)
                try await eventually { sink.hasAnswer(to: ticket) }
                let start = try #require(sink.position(of: ticket))
                #expect(try await published.map(\.position.seq) == Array(1...5))
                let wanted = Array((start.seq + 1)..<6)
                try await eventually("all behind \(start.seq)") {
                    sink.messages.filter { $0.room == own && $0.seq > start.seq }.map(\.seq) == wanted
                }
            }
            #expect(sink.gaps.isEmpty)
        }
        withExtendedLifetime(fixture) {}
    }

    private func publish(_ count: Int, to room: RoomName, _ backend: Backend) async throws
        -> [Published]
    {
        var all: [Published] = []
        for number in 0..<count {
            all.append(try await backend.messageLog.publish(Publication(room, "\(number)")))
        }
        return all
    }

    @Test func `a room that is followed is asked about once, and each joiner stands where its own join has seen it`()
        async throws
    {
        let fixture = try fixture()
        try await fixture.withBackends([nil, nil]) { backends in
            let sink = RecordingSink()
            let hub = backends[0].streams.open(sink)
            for number in 1...20 {
                let user = UserID(unchecked: "u\(number)")
                try await connect(backends[0], "c\(number)", user)
                // Acknowledged by another node before the join: no part of what comes from now on.
                let latest = try await backends[1].messageLog.publish(Publication(room, "x")).position
                let roster = try await join(backends[0], "c\(number)")
                let ticket = FollowTicket(number)
                backends[0].streams.follow(room, ticket: ticket, hub: hub)
                try await eventually { sink.hasAnswer(to: ticket) }
                let start = try #require(sink.start(of: ticket))
                #expect(start.position == latest)
                #expect(start.roster?.version ?? 0 >= roster.version && start.roster?.members == number)
            }
            #expect(try await calls(of: "position", fixture) == 1)
        }
        withExtendedLifetime(fixture) {}
    }

    @Test func `an inbox whose user was elsewhere meanwhile is caught up when a connection comes back`() async throws {
        let fixture = try fixture()
        try await fixture.withBackends([nil]) { backends in
            let sink = RecordingSink()
            let hub = backends[0].streams.open(sink)
            try await connect(backends[0], "c1", alice)
            backends[0].streams.follow(inbox, ticket: 1, hub: hub)
            try await eventually { sink.hasAnswer(to: 1) }
            backends[0].presence.disconnect("c1", .farewell(.closed))
            backends[0].streams.unfollow(inbox, hub: hub)
            let conns = keys.connections(of: alice).name
            try await eventually { try await fixture.redis.cli("EXISTS", conns) == "0" }
            // No node is told of it, and the inbox is still followed for a little while.
            _ = try await backends[0].messageLog.publish(Publication(inbox, "1"))
            try await connect(backends[0], "c2", alice)
            backends[0].streams.follow(inbox, ticket: 2, hub: hub)
            try await eventually { sink.position(of: 2)?.seq == 1 }
        }
        withExtendedLifetime(fixture) {}
    }
}
