import GatewayCore
import NIOPosix
import RedisBackend
import TestKit
import Testing
import TestSupport

@Suite("Users who are thrown out", .serialized)
struct PresenceBanTests {
    private let redis: RedisServerProcess
    private let observer: Observer
    private let loop = MultiThreadedEventLoopGroup.singleton.next()
    private let alice = UserID(unchecked: "alice")

    init() throws {
        redis = try RedisServerProcess()
        observer = try Observer(redis)
    }

    private func withNodes(
        _ settings: PresenceSettings = .brisk(grace: .seconds(60)),
        _ body: (_ first: PresenceNode, _ second: PresenceNode) async throws -> Void
    ) async throws {
        let first = try await PresenceNode.start("n1", on: redis, settings: settings, loop: loop)
        let second = try await PresenceNode.start("n2", on: redis, settings: settings, loop: loop)
        try await body(first, second)
        try await first.stop()
        try await second.stop()
    }

    private func expulsion(ban: Duration? = nil, tokensBefore: Int64? = nil) -> Expulsion {
        Expulsion(text: "out", ban: ban, tokensBefore: tokensBefore)
    }

    @Test func `a banned user is closed, and let in by no node until the ban is lifted`() async throws {
        try await withNodes { first, second in
            let session = try await second.connect("c1", "alice").session
            let expelled = try await first.directory.disconnect(alice, expulsion(ban: .seconds(60)))
            #expect(expelled.connections == 1)
            let now = try await redis.cli("TIME").split(separator: "\n").first.flatMap { Int64($0) } ?? 0
            let end = try #require(expelled.bannedUntil)
            #expect(((now + 50) * 1000...(now + 61) * 1000).contains(end))
            // By the hint, and by the beat that finds the mark as well.
            try await eventually { Set(second.closed) == ["c1"] }
            second.presence.disconnect("c1", .farewell(.kicked))
            for node in [first, second] {
                await #expect(throws: RegistrationError.banned) { try await node.connect("c2", "alice") }
                await #expect(throws: RegistrationError.banned) {
                    try await node.connect("c3", "alice", resuming: session)
                }
            }
            #expect(try await second.directory.user(alice)?.bannedUntil == end)
            try await first.connect("d1", "bob")
            #expect(try await second.directory.pardon(alice))
            #expect(try await second.directory.pardon(alice) == false)
            #expect(try await first.directory.user(alice)?.bannedUntil == nil)
            #expect(try await second.connect("c4", "alice", resuming: session).resumed == nil)
        }
    }

    @Test func `a ban ends by itself, is replaced by a later one, and is shown of a user who was never seen`()
        async throws
    {
        try await withNodes { first, second in
            #expect(try await first.directory.disconnect(alice, expulsion(ban: .seconds(600))).connections == 0)
            #expect(try await second.directory.user(alice)?.bannedUntil != nil)
            // One that says nothing of it leaves it as it is.
            #expect(try await first.directory.disconnect(alice, expulsion()).bannedUntil != nil)
            await #expect(throws: RegistrationError.banned) { try await second.connect("c1", "alice") }
            #expect(try await first.directory.disconnect(alice, expulsion(ban: .milliseconds(300))).bannedUntil != nil)
            try await eventually("the end of the ban") {
                do {
                    try await second.connect("c2", "alice")
                    return true
                } catch RegistrationError.banned {
                    return false
                }
            }
            #expect(try await first.directory.disconnect(alice, expulsion(ban: .zero)).bannedUntil == nil)
            #expect(try await second.directory.user(alice)?.bannedUntil == nil)
        }
    }

    @Test func `tokens from before a moment are void, and those that do not say when; whoever needs none is let in`()
        async throws
    {
        try await withNodes { first, second in
            let moment: Int64 = 1_700_000_000_000
            let session = try await second.connect("c1", "alice", issuedAt: 5).session
            #expect(try await first.directory.disconnect(alice, expulsion(tokensBefore: moment)).bannedUntil == nil)
            // An earlier moment does not bring back what is void.
            _ = try await first.directory.disconnect(alice, expulsion(tokensBefore: 7))
            for (issued, admission) in [(0, Clearance.tokenVoid), (moment - 1, .tokenVoid), (moment, .admitted)] {
                let told = await withCheckedContinuation { continuation in
                    second.presence.admits(alice, issuedAt: issued) { continuation.resume(returning: $0) }
                }
                #expect(told == admission)
            }
            for issued in [0, moment - 1] {
                await #expect(throws: RegistrationError.tokenVoid) {
                    try await second.connect("c2", "alice", issuedAt: issued)
                }
                await #expect(throws: RegistrationError.tokenVoid) {
                    try await second.connect("c3", "alice", issuedAt: issued, resuming: session)
                }
            }
            try await second.connect("c4", "alice", issuedAt: moment)
            try await second.connect("c5", "alice")
            try await second.connect("d1", "bob", issuedAt: 0)
            #expect(try await first.directory.pardon(alice))
            try await second.connect("c6", "alice", issuedAt: 0)
        }
    }

    @Test func `a session in its grace ends with the disconnection of its user, who is offline at once`() async throws {
        try await withNodes { first, second in
            let session = try await first.connect("c1", "alice").session
            try await first.join("r", "c1")
            first.presence.disconnect("c1", .abrupt(.lost))
            try await eventually("the grace") { try await first.directory.user(alice)?.connections.isEmpty == true }
            #expect(try await second.directory.disconnect(alice, expulsion()).connections == 0)
            #expect(try await first.directory.user(alice)?.status.isOnline == false)
            #expect(
                try await observer.texts().last { $0.contains("alice") && !$0.contains(" r") }
                    == "user.offline alice kicked")
            try await eventually("the end in the room") {
                try await observer.texts().contains("member.left alice r kicked")
            }
            #expect(try await second.connect("c2", "alice", resuming: session).resumed == nil)
        }
    }

    @Test func `a session goes on that began after the disconnection, though the clock was set back in between`()
        async throws
    {
        try await withNodes { first, second in
            _ = try await second.directory.disconnect(alice, expulsion())
            let verdict = Keys(prefix: "m").verdict(on: alice).name
            let now = try await redis.cli("TIME").split(separator: "\n").first.flatMap { Int64($0) } ?? 0
            _ = try await redis.cli("SET", verdict, "0 0 \((now + 60) * 1000)")
            let session = try await first.connect("c1", "alice").session
            let again = try await second.connect("c2", "alice", resuming: session)
            #expect(again.session == session && again.resumed != nil)
        }
    }

    @Test func `a session goes on that began after the disconnection`() async throws {
        try await withNodes { first, second in
            _ = try await second.directory.disconnect(alice, expulsion())
            // Perhaps in the same millisecond.
            let session = try await first.connect("c1", "alice").session
            let again = try await first.connect("c2", "alice", resuming: session)
            let third = try await second.connect("c3", "alice", resuming: again.session)
            #expect(third.session == again.session && third.resumed != nil)
        }
    }

    @Test func `a connection that is lost while its user is thrown out has no grace`() async throws {
        try await withNodes { first, second in
            let session = try await first.connect("c1", "alice").session
            _ = try await second.directory.disconnect(alice, expulsion())
            // The socket broke before the word to close it came, or with it.
            first.presence.disconnect("c1", .abrupt(.lost))
            try await first.connect("d1", "bob")
            #expect(try await second.directory.user(alice)?.status.isOnline == false)
            #expect(try await second.connect("c2", "alice", resuming: session).resumed == nil)
        }
    }

    @Test func `whoever is thrown out is offline at once, though the node of the connection does not hear of it`()
        async throws
    {
        try await withNodes { first, second in
            let session = try await first.connect("c1", "alice").session
            try await first.cut()
            #expect(try await second.directory.disconnect(alice, expulsion()).connections == 1)
            #expect(try await second.directory.statuses(of: [alice])[0].isOnline == false)
            #expect(try await second.connect("c2", "alice", resuming: session).resumed == nil)
            try await first.heal()
            try await eventually("a closing") { first.closed.contains("c1") }
            first.presence.disconnect("c1", .farewell(.kicked))
            #expect(
                try await observer.texts() == ["user.online alice", "user.offline alice kicked", "user.online alice"])
        }
    }

    @Test func `a connection that began by a clock that has gone back since is ended like any other`() async throws {
        try await withNodes { first, _ in
            let connection = PresenceConnection(id: "c1", userId: alice, address: "")
            let holder = Holder(node: "n9", incarnation: 5)
            let now = try await redis.cli("TIME").split(separator: "\n").first.flatMap { Int64($0) } ?? 0
            _ = try await first.directory.disconnect(alice, expulsion())
            let again = Connect(
                connection, session: SessionID(of: alice), by: holder, again: (now + 60) * 1000,
                settings: PresenceSettings())
            #expect(try await observer.store.call(again) == .ended)
        }
    }

    @Test(arguments: [nil, Duration.seconds(60)])
    func `a node that was cut off brings nobody back who was thrown out meanwhile`(ban: Duration?) async throws {
        try await withNodes(.brisk()) { first, second in
            try await first.connect("c1", "alice", issuedAt: 5)
            try await first.connect("d1", "bob", issuedAt: 5)
            try await first.cut()
            _ = try await second.directory.disconnect(alice, expulsion(ban: ban))
            // The mark does not outlive a longer cut.
            _ = try await redis.cli("DEL", observer.keys.marks(Partition(of: "alice")).name)
            try await eventually("the death of the node") {
                try await observer.texts().contains("user.offline bob node_lost")
            }
            try await first.heal()
            try await eventually("a closing") { first.closed.contains("c1") }
            try await eventually("the other's return") {
                try await second.directory.statuses(of: [UserID(unchecked: "bob")])[0].isOnline
            }
            #expect(!first.closed.contains("d1"))
            #expect(try await second.directory.statuses(of: [alice])[0].isOnline == false)
        }
    }
}
