import GatewayCore
import NIOPosix
import RedisBackend
import RedisClient
import TestKit
import Testing
import TestSupport

/// What becomes of presence where Redis has forgotten a part of it: nobody stays online whom nothing names any more.
@Suite("Presence keys that expire", .serialized)
struct PresenceExpiryTests {
    private let redis: RedisServerProcess
    private let observer: Observer
    private let loop = MultiThreadedEventLoopGroup.singleton.next()
    private let holder = Holder(node: "n1", incarnation: 100)
    private let alice = UserID(unchecked: "alice")
    private let room = RoomName(unchecked: "r")

    init() throws {
        redis = try RedisServerProcess()
        observer = try Observer(redis)
    }

    private func enter(_ id: String, _ settings: PresenceSettings) async throws {
        let connection = PresenceConnection(id: id, userId: alice, address: "")
        _ = try await observer.store.call(Connect(connection, by: holder, settings: settings))
        _ = try await observer.store.call(
            Join(
                room, connection: id, of: alice, info: Array("{}".utf8), holder: holder, mode: .new,
                settings: settings))
    }

    private func leave(_ id: String, _ departure: Departure, _ settings: PresenceSettings) async throws {
        let connection = PresenceConnection(id: id, userId: alice, address: "")
        _ = try await observer.store.call(
            Leave(room, connection: id, of: alice, holder: .node(holder), departure: departure, settings: settings))
        _ = try await observer.store.call(
            Disconnect(
                connection, session: SessionID(of: alice), holder: holder, departure: departure, settings: settings))
    }

    /// Milliseconds.
    private func life(_ key: Key) async throws -> Int64 {
        try #require(try await observer.link.send(["PTTL", .string(key.name)]).integer)
    }

    private func forget(_ keys: [Key]) async throws {
        _ = try await observer.link.send(["DEL"] + keys.map { .string($0.name) })
    }

    /// What names the connections of alice, and what is told of her.
    private var records: [Key] { [observer.keys.connections(of: alice), observer.keys.members(room)] }

    @Test func `the lists of what must be taken away outlive what they name, a grace included`() async throws {
        var settings = PresenceSettings()
        settings.life = .seconds(120)
        settings.grace = .seconds(300)
        try await enter("c1", settings)
        let keys = observer.keys
        let own = Partition(of: "alice")
        let rooms = Partition(of: room)
        let named = records + [keys.online(own), keys.rooms(rooms), keys.connections(in: room)]
        let lists = [own, rooms].flatMap { [keys.holders($0), keys.held(by: holder, in: $0)] }
        for key in named { #expect((60_000...120_000).contains(try await life(key)), "\(key.name)") }
        for key in lists { #expect((180_000...240_000).contains(try await life(key)), "\(key.name)") }
        try await leave("c1", .abrupt(.lost), settings)
        for key in records { #expect((300_000...421_000).contains(try await life(key)), "\(key.name)") }
        for key in [keys.linger(own), keys.linger(rooms)] { #expect(try await life(key) > 421_000, "\(key.name)") }
    }

    @Test func `whoever holds anything in a partition gives what the partition shares a whole life again`() async throws
    {
        let settings = PresenceSettings()
        try await enter("c1", settings)
        let keys = observer.keys
        let own = Partition(of: "alice")
        let rooms = Partition(of: room)
        _ = try await observer.link.send(["ZADD", .string(keys.linger(own).name), "1", "u|c9|alice"])
        let shared = [keys.online(own), keys.holders(own), keys.linger(own), keys.rooms(rooms), keys.holders(rooms)]
        for key in shared { _ = try await observer.link.send(["PEXPIRE", .string(key.name), "5000"]) }
        for partition in Set([own, rooms]) {
            let renewal = RegistrationMachine.Renewal(
                partition: partition, holder: holder, users: partition == own ? [alice] : [], sessions: [],
                rooms: partition == rooms ? [room] : [])
            observer.store.renew(renewal, settings)
        }
        for key in shared { #expect(try await life(key) > 60_000, "\(key.name)") }
    }

    @Test func `a connection and a join give the keys that they write beside a whole life again`() async throws {
        let settings = PresenceSettings()
        try await enter("c1", settings)
        let keys = observer.keys
        let own = Partition(of: "alice")
        let rooms = Partition(of: room)
        let all =
            records + [keys.online(own), keys.rooms(rooms), keys.connections(in: room)]
            + [own, rooms].flatMap { [keys.holders($0), keys.held(by: holder, in: $0)] }
        for key in all { _ = try await observer.link.send(["PEXPIRE", .string(key.name), "5000"]) }
        try await enter("c2", settings)
        for key in all { #expect(try await life(key) > 60_000, "\(key.name)") }
    }

    /// Names of one partition.
    private func users(_ count: Int) -> [String] {
        var names: [String] = []
        var number = 0
        while names.count < count {
            number += 1
            if Partition(of: "u\(number)") == Partition(of: "u1") { names.append("u\(number)") }
        }
        return names
    }

    private func expiries() async throws -> Int {
        let text = try await redis.cli("INFO", "commandstats")
        let line = text.split(whereSeparator: \.isNewline).first { $0.hasPrefix("cmdstat_pexpire:") }
        let count = line?.split(separator: "=").dropFirst().first?.prefix(while: \.isNumber)
        return try #require(count.flatMap { Int($0) })
    }

    /// Those without an end that are none of the keys which have none, see `Keys`.
    private func endless() async throws -> [String] {
        let names = try await redis.cli("KEYS", "*").split(separator: "\n").map(String.init)
        let parts = ["state", "events", "seen", "webhooks", "bytes", "messages", "coordinator", "dead"]
        var found: [String] = []
        for name in names where !name.contains("{nodes}") {
            guard !parts.contains(where: { name.hasSuffix(":\($0)") }) else { continue }
            if try await redis.cli("PTTL", name) == "-1" { found.append(name) }
        }
        return found
    }

    @Test
    func `who comes beside others of its node begins only the lives of its own keys, and all keys end all the same`()
        async throws
    {
        let node = try await PresenceNode.start("n1", on: redis, settings: .brisk(), loop: loop)
        let names = users(40)
        try await node.connect("c0", names[0])
        try await node.join("r", "c0")
        let before = try await expiries()
        for (number, name) in names.enumerated().dropFirst() {
            try await node.connect("c\(number)", name)
            try await node.join("r", "c\(number)")
        }
        // The record and the session of each, and the node's beats beside.
        let begun = try await expiries() - before
        #expect(begun < 4 * 39, "\(begun)")
        #expect(try await endless() == [])
        // The last ones go, and others come to what is empty by then.
        for number in names.indices { node.presence.disconnect("c\(number)", .farewell(.closed)) }
        try await eventually { try await redis.cli("EXISTS", observer.keys.members(room).name) == "0" }
        try await node.connect("d1", names[1])
        try await node.join("r", "d1")
        try await node.connect("d2", names[2])
        try await node.join("r", "d2")
        #expect(try await endless() == [])
        try await node.kill()
    }

    @Test func `a key that was left without an end is given one by whoever renews it`() async throws {
        try await enter("c1", PresenceSettings())
        let keys = observer.keys
        let (own, rooms) = (Partition(of: "alice"), Partition(of: room))
        let all = records + [keys.online(own), keys.rooms(rooms), keys.held(by: holder, in: own), keys.holders(rooms)]
        for key in all { _ = try await observer.link.send(["PERSIST", .string(key.name)]) }
        for partition in Set([own, rooms]) {
            let renewal = RegistrationMachine.Renewal(
                partition: partition, holder: holder, users: partition == own ? [alice] : [], sessions: [],
                rooms: partition == rooms ? [room] : [])
            observer.store.renew(renewal, PresenceSettings())
        }
        for key in all { #expect(try await life(key) > 60_000, "\(key.name)") }
    }

    @Test func `a dead node's users whose records have expired are told offline, and its rooms vacated, once`()
        async throws
    {
        let settings = PresenceSettings.brisk()
        try await enter("c1", settings)
        try await forget(records)
        for partition in Partition.all {
            _ = try await observer.link.send(["SET", .string(observer.keys.coordinator(partition).name), "n9:1 1"])
        }
        for _ in 0..<2 {
            for partition in Partition.all {
                let outcome = await withCheckedContinuation { continuation in
                    Sweeper(store: observer.store, settings: settings).sweep(
                        partition, dead: [holder], due: [], by: 0, token: "n9:1 1"
                    ) {
                        continuation.resume(returning: $0)
                    }
                }
                #expect(outcome == .swept)
            }
        }
        let told = try await observer.texts()
        #expect(told.filter { $0.hasPrefix("user.offline") } == ["user.offline alice node_lost"])
        #expect(told.filter { $0.hasPrefix("room.vacated") } == ["room.vacated  r node_lost"])
        #expect(try await redis.cli("KEYS", "*:online") == "")
        #expect(try await redis.cli("KEYS", "*:rooms") == "")
    }

    @Test func `a connection whose record has expired still takes its user offline, and its room with it`() async throws
    {
        let settings = PresenceSettings.brisk()
        try await enter("c1", settings)
        try await forget(records)
        for _ in 0..<2 { try await leave("c1", .farewell(.closed), settings) }
        let told = try await observer.texts()
        #expect(told.filter { $0.hasPrefix("user.offline") } == ["user.offline alice closed"])
        #expect(told.filter { $0.hasPrefix("room.vacated") } == ["room.vacated  r closed"])
    }

    @Test func `when all nodes died long ago, one that starts leaves nobody online, whatever has expired by then`()
        async throws
    {
        var dead: [PresenceNode] = []
        for name in ["n1", "n2"] {
            dead.append(try await PresenceNode.start(name, on: redis, settings: .brisk(), loop: loop))
        }
        for number in 0..<40 {
            try await dead[number % 2].connect("c\(number)", "u\(number)")
            try await dead[number % 2].join("r\(number % 4)", "c\(number)")
        }
        for node in dead { try await node.kill() }
        // As the turns of the renewal leave it: some of it a while before the rest.
        for number in 0..<20 { try await forget([observer.keys.connections(of: UserID(unchecked: "u\(number)"))]) }
        for number in 0..<2 { try await forget([observer.keys.members(RoomName(unchecked: "r\(number)"))]) }
        let late = try await PresenceNode.start("n3", on: redis, settings: .brisk(), loop: loop)
        try await eventually("nobody") { try await late.directory.users(limit: 1, cursor: nil).total == 0 }
        try await eventually("no room") { try await late.directory.rooms(limit: 1, cursor: nil).total == 0 }
        try await eventually("no holder") { try await observer.holders().isEmpty }
        let gone = try await observer.ledger().filter { $0.type == "user.offline" }
        #expect(gone.count == 40 && Set(gone.map(\.user)).count == 40 && gone.allSatisfy { $0.cause == "node_lost" })
        try await late.stop()
    }

    @Test func `a grace that is longer than the life of the keys ends with the user and the member told`() async throws
    {
        var settings = PresenceSettings.brisk(grace: .seconds(3))
        settings.life = .seconds(2)
        settings.renewal = .milliseconds(200)
        let node = try await PresenceNode.start("n1", on: redis, settings: settings, loop: loop)
        try await node.connect("c1", "alice")
        try await node.join("r", "c1")
        node.presence.disconnect("c1", .abrupt(.lost))
        try await eventually("the end of the grace") {
            let ended = try await observer.ledger().filter { $0.cause == "lost" }.map(\.type)
            return Set(ended) == ["user.offline", "member.left", "room.vacated"] && ended.count == 3
        }
        try await node.stop()
    }
}
