import GatewayCore
import RedisBackend
import TestKit
import Testing

/// What is said of guests, each call made twice.
@Suite("Guests in Redis")
struct GuestScriptTests {
    private let redis: RedisServerProcess
    private let observer: Observer
    private var settings = PresenceSettings.brisk(grace: .seconds(60))
    private let holder = Holder(node: "n1", incarnation: 100)
    private let other = Holder(node: "n.1", incarnation: 7)
    private let alice = UserID(unchecked: "alice")
    private let room = RoomName(unchecked: "lesson-1")
    private var partition: Partition { Partition(of: room) }

    init() throws {
        redis = try RedisServerProcess()
        observer = try Observer(redis)
    }

    private func twice<Called: Script>(_ script: Called) async throws -> Called.Answer {
        _ = try await observer.store.call(script)
        return try await observer.store.call(script)
    }

    @discardableResult
    private func say(
        _ count: Int, _ departure: Departure? = nil, by holder: Holder, _ settings: PresenceSettings? = nil
    ) async throws -> CountGuests.Answer {
        let report = GuestCounts.Report(room, count: count, departure: departure)
        return try await twice(CountGuests(report, holder: holder, settings: settings ?? self.settings))
    }

    private func said() async throws -> String? {
        try await observer.store.send(.field("guests", of: observer.keys.head(room)))
    }

    private func join(_ id: String) async throws {
        _ = try await twice(
            Join(
                room, connection: id, of: alice, info: Array("{}".utf8), holder: holder, mode: .new, settings: settings)
        )
    }

    private func leave(_ id: String) async throws {
        _ = try await twice(
            Leave(
                room, connection: id, of: alice, holder: .node(holder), departure: .farewell(.closed),
                settings: settings))
    }

    /// As the coordinator of the partition.
    private func sweep(
        _ swept: Sweep.Of, _ entries: [HeldEntry], _ settings: PresenceSettings? = nil, isCounting: Bool = true
    ) async throws -> Sweep.Answer {
        let claimed = try await observer.store.call(ClaimPartition(partition, for: holder, live: [holder]))
        guard case .claimed(let token) = claimed else { throw CallError.unreadable(call: "claim") }
        return try await twice(
            Sweep(
                partition, token: token, of: swept, entries, settings: settings ?? self.settings, isCounting: isCounting
            ))
    }

    @Test func `a room is occupied by its first connection and vacated by its last, guests or not`()
        async throws
    {
        try await say(2, by: holder)
        try await join("c1")
        try await say(0, .farewell(.explicit), by: holder)
        #expect(try await observer.texts() == ["room.occupied  lesson-1", "member.joined alice lesson-1"])
        try await say(1, by: other)
        try await leave("c1")
        #expect(try await observer.texts().last == "member.left alice lesson-1 closed")
        try await say(0, .farewell(.closed), by: other)
        #expect(try await observer.texts().last == "room.vacated  lesson-1 closed")
        #expect(try await observer.texts().count == 4)
        #expect(try await said() == nil)
        #expect(try await redis.cli("KEYS", "*:node:*") == "")
    }

    @Test func `a number is what its node said last, of nodes that are called alike too`() async throws {
        for count in [3, 3, 7] { try await say(count, by: holder) }
        try await say(2, by: other)
        #expect(try await said() == " n1:100=7 n.1:7=2")
        // Registered again, its older incarnation is counted no more.
        try await say(5, by: Holder(node: "n1", incarnation: 101))
        #expect(try await said() == " n.1:7=2 n1:101=5")
        #expect(try await observer.texts() == ["room.occupied  lesson-1"])
    }

    @Test func `the grace of one that was lost keeps the room, whoever else is gone, and ends once`() async throws {
        try await say(2, by: holder)
        try await say(1, .abrupt(.drained), by: holder)
        try await say(0, .farewell(.explicit), by: holder)
        #expect(try await said() == " ~drained")
        #expect(try await sweep(.graces(dueBy: 0), [.guests(room)]) == .left(1))
        #expect(try await observer.texts() == ["room.occupied  lesson-1"])
        #expect(try await sweep(.graces(dueBy: .max), [.guests(room)]) == .left(0))
        #expect(try await observer.texts() == ["room.occupied  lesson-1", "room.vacated  lesson-1 drained"])
    }

    @Test func `one that was lost while its node was given up begins no grace`() async throws {
        try await say(1, by: holder)
        #expect(try await sweep(.node(holder), [.guests(room)]) == .left(0))
        try await say(0, .abrupt(.lost), by: Holder(node: "n1", incarnation: 101))
        #expect(try await said() == nil)
        #expect(try await observer.texts() == ["room.occupied  lesson-1", "room.vacated  lesson-1 node_lost"])
    }

    @Test func `those of a dead node go, and those of others stay`() async throws {
        try await say(300, by: holder)
        try await say(1, by: other)
        #expect(try await sweep(.node(holder), [.guests(room)]) == .left(0))
        #expect(try await said() == " n.1:7=1")
        #expect(try await say(4, by: holder) == .fenced(at: 101))
        #expect(try await sweep(.node(other), [.guests(room)]) == .left(0))
        #expect(try await observer.texts() == ["room.occupied  lesson-1", "room.vacated  lesson-1 node_lost"])
        #expect(try await redis.cli("SCARD", observer.keys.holders(partition).name) == "0")
    }

    @Test func `a comparison finds another number, and what somebody has deleted`() async throws {
        func lacks(_ count: Int) async throws -> Bool {
            let entries = [Compare.Entry.guests(room, count: count)]
            return try await !observer.store.call(Compare(entries, in: partition, holder: holder)).lacking.isEmpty
        }
        try await say(12, by: holder)
        #expect(try await !lacks(12))
        for count in [1, 2, 13, 121] { #expect(try await lacks(count)) }
        _ = try await redis.cli("ZREM", observer.keys.rooms(partition).name, room.string)
        #expect(try await lacks(12))
        try await say(12, by: holder)
        _ = try await redis.cli("DEL", observer.keys.head(room).name)
        #expect(try await lacks(12))
    }

    // MARK: How many there are

    private var counting: PresenceSettings {
        var counting = settings
        counting.counting = { _ in RoomCounting(isToldSubscribers: true, isNoted: true) }
        return counting
    }

    /// The numbers that the ledger was told, in their order.
    private func noted() async throws -> [Int] {
        let key = observer.keys.events(partition).name
        return try await redis.cli("XRANGE", key, "-", "+").matches(of: /subscription_count":(\d+)/).compactMap {
            Int($0.1)
        }
    }

    private func owed() async throws -> String {
        try await redis.cli("ZSCORE", observer.keys.linger(partition).name, "n|lesson-1")
    }

    private func toldBefore(_ text: String) async throws {
        _ = try await redis.cli("HSET", observer.keys.head(room).name, "counted", text)
    }

    @Test func `how many connections there are is told where somebody is to know it, of many every five seconds`()
        async throws
    {
        try await join("c1")
        // Who has come since is told by the answer, of what the channel does not tell again.
        #expect(try await say(2, by: holder, counting) == .counted(3))
        #expect(try await noted() == [3])
        #expect(try await say(100, by: holder, counting) == .counted(101))
        #expect(try await noted() == [3])
        try await toldBefore("3 5 3")
        #expect(try await say(100, by: holder, counting) == .counted(101))
        #expect(try await noted() == [3, 101])
        // By a clock that has gone back since, or as nothing of ours writes it.
        for told in ["7 99999999999999 7", "?"] {
            try await toldBefore(told)
            #expect(try await say(100, by: holder, counting) == .counted(101))
        }
        #expect(try await say(0, .farewell(.closed), by: holder, counting) == .counted(1))
        #expect(try await noted() == [3, 101, 101, 101, 1])
    }

    @Test func `what is left untold for a while is owed in Redis, and told by whoever coordinates then`() async throws {
        try await say(150, by: holder, counting)
        try await say(151, by: holder, counting)
        #expect(try await noted() == [150])
        #expect(try await !owed().isEmpty)
        let owing = [HeldEntry.count(room)]
        #expect(try await sweep(.graces(dueBy: 0), owing, counting) == .left(1))
        #expect(try await noted() == [150])
        // A sweep that comes too early by Redis's clock owes it still.
        #expect(try await sweep(.graces(dueBy: .max), owing, counting) == .left(1))
        #expect(try await noted() == [150])
        try await toldBefore("150 5 150")
        #expect(try await sweep(.graces(dueBy: .max), owing, counting) == .left(0))
        #expect(try await noted() == [150, 151])
    }

    @Test func `what a later change has told is owed no longer`() async throws {
        try await say(150, by: holder, counting)
        try await say(151, by: holder, counting)
        #expect(try await say(50, by: holder, counting) == .counted(50))
        #expect(try await owed().isEmpty)
        #expect(try await noted() == [150, 50])
    }

    @Test func `those of a dead node that go in batches are one number`() async throws {
        try await say(150, by: holder, counting)
        for node in 1...5 { try await say(100, by: Holder(node: "d\(node)", incarnation: 1), counting) }
        for node in 1...5 {
            #expect(
                try await sweep(.node(Holder(node: "d\(node)", incarnation: 1)), [.guests(room)], counting) == .left(0))
        }
        #expect(try await noted() == [150])
        try await toldBefore("150 5 150")
        try await say(149, by: holder, counting)
        #expect(try await noted() == [150, 149])
    }

    @Test func `beside nodes of an earlier release no sweep tells a number`() async throws {
        try await say(3, by: holder)
        try await say(2, by: other)
        #expect(try await sweep(.node(holder), [.guests(room)], counting, isCounting: false) == .left(0))
        #expect(try await noted() == [])
        #expect(try await redis.cli("HGET", observer.keys.head(room).name, "counted") == "")
    }

    @Test func `while a receiver is far behind it is told no numbers, and the last one once it is not`() async throws {
        let key = observer.keys.events(partition).name
        try await say(1, by: holder, counting)
        _ = try await redis.cli("XGROUP", "CREATE", key, "far", "0")
        let more = "for _ = 1, 500 do redis.call('XADD', KEYS[1], '*', 't', 'other') end"
        _ = try await redis.cli("EVAL", more, "1", key)
        for count in 2...9 { #expect(try await say(count, by: holder, counting) == .counted(count)) }
        #expect(try await noted() == [1])
        #expect(try await sweep(.graces(dueBy: .max), [.count(room)], counting) == .left(1))
        _ = try await redis.cli("XGROUP", "DESTROY", key, "far")
        #expect(try await sweep(.graces(dueBy: .max), [.count(room)], counting) == .left(0))
        #expect(try await noted() == [1, 9])
    }
}
