import GatewayCore
import NIOCore
import NIOPosix
import RedisBackend
import TestKit
import Testing
import TestSupport

@Suite("A node that is killed", .serialized)
struct PresenceKillFaults {
    @Test func `its 300 users are told offline within a lease and two seconds, each once, and nobody else is`()
        async throws
    {
        let redis = try RedisServerProcess()
        let observer = try Observer(redis)
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let settings = PresenceSettings()
        let survivors = [
            try await PresenceNode.start("n1", on: redis, settings: settings, loop: loop),
            try await PresenceNode.start("n2", on: redis, settings: settings, loop: loop),
        ]
        let victim = try await PresenceNode.start("n3", on: redis, settings: settings, loop: loop)
        for number in 0..<300 {
            try await victim.connect("c\(number)", "u\(number)")
            try await victim.join("lesson-\(number % 10)", "c\(number)")
            // Every tenth is connected elsewhere as well.
            if number % 10 == 0 { try await survivors[number / 10 % 2].connect("d\(number)", "u\(number)") }
        }
        // A node may declare others dead once it has beaten for a lease.
        let ripe = ContinuousClock.now + settings.lease + .seconds(1)
        try await eventually { ContinuousClock.now > ripe }

        let before = try await redis.cli("TIME").split(separator: "\n").compactMap { Int64($0) }
        let killed = before[0] * 1000 + before[1] / 1000
        try await victim.kill()
        try await eventually { try await observer.ledger().filter { $0.type == "user.offline" }.count >= 270 }
        // What comes behind the last one comes with the next beats.
        let quiet = ContinuousClock.now + .seconds(1)
        try await eventually { ContinuousClock.now > quiet }

        let gone = try await observer.ledger().filter { $0.type == "user.offline" }
        let expected = Set((0..<300).filter { $0 % 10 != 0 }.map { "u\($0)" })
        let times = gone.map { $0.timestamp - killed }.sorted()
        let missed = expected.subtracting(gone.map(\.user)).count
        let wrong = gone.filter { !expected.contains($0.user) || $0.cause != "node_lost" }.count
        print(
            "ghosts in ms: longest \(times.last ?? -1), median \(times[times.count / 2]), doubled",
            "\(gone.count - Set(gone.map(\.user)).count), missed \(missed), wrong \(wrong)")
        #expect(gone.count == 270 && Set(gone.map(\.user)) == expected && wrong == 0)
        #expect(try #require(times.last) <= 5000)
        let left = try await observer.ledger().filter { $0.type == "member.left" }
        #expect(left.count == 300 && Set(left.map(\.user)).count == 300)
        for survivor in survivors {
            #expect(try await survivor.directory.users(limit: 1, cursor: nil).total == 30)
            #expect(try await survivor.directory.rooms(limit: 1, cursor: nil).total == 0)
            try await survivor.stop()
        }
    }

    @Test func `when all nodes die at once, one that starts soon sweeps what they left, and tells each user once`()
        async throws
    {
        let redis = try RedisServerProcess()
        let observer = try Observer(redis)
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        var dead: [PresenceNode] = []
        for name in ["n1", "n2"] {
            dead.append(try await PresenceNode.start(name, on: redis, settings: .brisk(), loop: loop))
        }
        for number in 0..<40 {
            try await dead[number % 2].connect("c\(number)", "u\(number)")
            try await dead[number % 2].join("r", "c\(number)")
        }
        for node in dead { try await node.kill() }
        let late = try await PresenceNode.start("n3", on: redis, settings: .brisk(), loop: loop)
        try await eventually { try await late.directory.users(limit: 1, cursor: nil).total == 0 }
        try await eventually { try await late.directory.room(RoomName(unchecked: "r")) == nil }
        try await eventually { try await observer.holders().isEmpty }
        let ledger = try await observer.ledger()
        #expect(ledger.filter { $0.type == "user.offline" && $0.cause == "node_lost" }.count == 40)
        #expect(ledger.filter { $0.type == "member.left" && $0.cause == "node_lost" }.count == 40)
        try await late.stop()
    }

    @Test func `what live nodes hold outlives the life of its keys, and Redis forgets it when all nodes are dead`()
        async throws
    {
        let redis = try RedisServerProcess()
        var settings = PresenceSettings.brisk()
        settings.life = .seconds(2)
        settings.renewal = .milliseconds(200)
        settings.sessionTTL = .seconds(2) - settings.renewal
        let node = try await PresenceNode.start("n1", on: redis, settings: settings)
        for number in 0..<30 {
            try await node.connect("c\(number)", "u\(number)")
            try await node.join("r\(number % 3)", "c\(number)")
        }
        let later = ContinuousClock.now + .seconds(5)
        try await eventually { ContinuousClock.now > later }
        #expect(try await node.directory.users(limit: 1, cursor: nil).total == 30)
        #expect(try await node.directory.rooms(limit: 10, cursor: nil).rooms.count == 3)
        let record = try await node.directory.user(UserID(unchecked: "u7"))
        #expect(record?.connections.first?.rooms.map(\.string) == ["r1"])
        try await node.kill()
        for pattern in ["*:conns", "*:online", "*:members", "*:rooms", "*:node:*", "*:holders", "*:session:*"] {
            try await eventually(pattern) { try await redis.cli("KEYS", pattern) == "" }
        }
    }
}
