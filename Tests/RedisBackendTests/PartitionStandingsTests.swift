import RedisClient
import Testing

import RedisBackend

/// What a node stands on, by the map and its links.
@Suite("The servers that partitions stand on")
struct PartitionStandingsTests {
    private typealias Place = RedisConfiguration.Endpoint
    private typealias Change = PartitionStandings.Change

    private let a = Place.tcp(host: "a", port: 1)
    private let b = Place.tcp(host: "b", port: 2)
    private let d = Place.tcp(host: "d", port: 4)
    private let serverA = ServerID(runID: "A", replicationID: "1")
    private let serverB = ServerID(runID: "B", replicationID: "1")
    private let serverD = ServerID(runID: "D", replicationID: "1")
    private var standings = PartitionStandings()

    /// Partitions by their numbers.
    private func some(_ numbers: Range<Int>) -> PartitionSet { PartitionSet(Partition.all[numbers]) }

    /// Each of these ranges at its place, and the index at one.
    private func table(_ places: [(Range<Int>, Place)], index: Place?, primaries: [Place]? = nil) -> SlotTable {
        var found: [KeySlot: Place] = [:]
        for (numbers, place) in places { for partition in Partition.all[numbers] { found[partition.slot] = place } }
        found[Keys.indexSlot] = index
        return SlotTable(places: found, primaries: primaries ?? [a, b])
    }

    private var halves: SlotTable { table([(0..<32, a), (32..<64, b)], index: a) }

    private func stands(_ arrival: PartitionStandings.Arrival, _ numbers: Range<Int>) -> Change {
        var change = Change()
        change.stands[arrival] = some(numbers)
        return change
    }

    private func lost(_ numbers: Range<Int>, index: Bool = false) -> Change {
        var change = Change()
        change.lost = some(numbers)
        change.hasLostIndex = index
        return change
    }

    /// Half of all on either of two servers, the index on the first.
    private mutating func settle() {
        _ = standings.mapped(halves)
        _ = standings.connected(a, to: serverA)
        _ = standings.connected(b, to: serverB)
    }

    @Test mutating func `partitions stand once their server is known and reached, whichever comes first`() {
        #expect(standings.mapped(halves).isEmpty)
        var first = stands(.first, 0..<32)
        first.index = .first
        #expect(standings.connected(a, to: serverA) == first)
        #expect(standings.standing == some(0..<32) && standings.hasIndex)
        #expect(standings.connected(a, to: serverA).isEmpty)
        #expect(standings.connected(b, to: serverB) == stands(.first, 32..<64))
        #expect(standings.standing == .all)

        standings = PartitionStandings()
        #expect(standings.connected(a, to: serverA).isEmpty)
        #expect(standings.mapped(halves) == first)
        #expect(standings.mapped(halves).isEmpty)
    }

    @Test mutating func `each server has its partitions, the servers in the order of their addresses`() {
        #expect(standings.groups.isEmpty)
        _ = standings.mapped(table([(0..<1, b), (1..<64, a)], index: nil))
        #expect(standings.groups.map(\.place) == [a, b])
        #expect(standings.groups.map(\.partitions) == [some(1..<64), some(0..<1)])
    }

    @Test mutating func `a server that comes back as it was is the same, and one with other data another`() {
        settle()
        #expect(standings.disconnected(a) == lost(0..<32, index: true))
        #expect(!standings.hasIndex && standings.standing == some(32..<64))
        #expect(standings.disconnected(a).isEmpty)
        var same = stands(.same, 0..<32)
        same.index = .same
        #expect(standings.connected(a, to: serverA) == same)
        _ = standings.disconnected(a)
        var another = stands(.another, 0..<32)
        another.index = .another
        #expect(standings.connected(a, to: ServerID(runID: "A", replicationID: "2")) == another)
        // Without a word of the loss between.
        #expect(standings.connected(a, to: serverA) == another)
        #expect(standings.disconnected(d).isEmpty)
    }

    @Test mutating func `a server under another address is the same`() {
        settle()
        #expect(standings.mapped(table([(0..<32, a), (32..<64, d)], index: a, primaries: [a, d])) == lost(32..<64))
        #expect(standings.connected(d, to: serverB) == stands(.same, 32..<64))
        // Both of its addresses are reached.
        #expect(standings.mapped(halves) == stands(.same, 32..<64))
    }

    @Test mutating func `a slot that goes to a server that stands, from one that stands on, has moved`() {
        settle()
        #expect(standings.mapped(table([(1..<32, a), (0..<1, b), (32..<64, b)], index: a)) == stands(.moved, 0..<1))
        #expect(standings.mapped(halves) == stands(.moved, 0..<1))
        #expect(standings.standing == .all)
    }

    @Test mutating func `the index moves by itself`() {
        settle()
        var moved = Change()
        moved.index = .moved
        #expect(standings.mapped(table([(0..<32, a), (32..<64, b)], index: b)) == moved)
        #expect(standings.disconnected(a) == lost(0..<32))
        #expect(standings.hasIndex)
        var gone = Change()
        gone.hasLostIndex = true
        #expect(standings.mapped(table([(0..<32, a), (32..<64, b)], index: nil)) == gone)
        #expect(!standings.hasIndex)
        #expect(standings.mapped(table([(0..<32, a), (32..<64, b)], index: b)).index == .same)
    }

    @Test mutating func `a failover right after a move leads to another server`() {
        settle()
        #expect(standings.mapped(table([(1..<32, a), (0..<1, b), (32..<64, b)], index: a)) == stands(.moved, 0..<1))
        // A replica of the second takes over; whether it had all that had moved nobody knows.
        let next = table([(1..<32, a), (0..<1, d), (32..<64, d)], index: a, primaries: [a, d])
        var away = lost(32..<64)
        away.lost.insert(Partition.all[0])
        #expect(standings.mapped(next) == away)
        var another = stands(.another, 32..<64)
        another.stands[.another]?.insert(Partition.all[0])
        #expect(standings.connected(d, to: serverD) == another)
    }

    @Test mutating func `a slot whose old server is out of reach, or has become another, has not just moved`() {
        settle()
        _ = standings.disconnected(a)
        #expect(standings.mapped(table([(1..<32, a), (0..<1, b), (32..<64, b)], index: a)) == stands(.another, 0..<1))
        settle()
        _ = standings.mapped(table([(1..<32, a), (0..<1, d), (32..<64, b)], index: a))
        _ = standings.connected(a, to: ServerID(runID: "A2", replicationID: "1"))
        #expect(standings.mapped(table([(1..<32, a), (0..<1, b), (32..<64, b)], index: a)) == stands(.another, 0..<1))
    }

    @Test mutating func `a slot that goes to a shard that was just added counts as on another server`() {
        settle()
        let next = table([(1..<32, a), (0..<1, d), (32..<64, b)], index: a, primaries: [a, b, d])
        #expect(standings.mapped(next) == lost(0..<1))
        #expect(standings.connected(d, to: serverD) == stands(.another, 0..<1))
        // What follows it there has moved.
        let more = table([(2..<32, a), (0..<2, d), (32..<64, b)], index: a, primaries: [a, b, d])
        #expect(standings.mapped(more) == stands(.moved, 1..<2))
    }

    @Test mutating func `the last slot of a server that is none of the primaries any more counts as on another server`()
    {
        settle()
        var another = stands(.another, 0..<32)
        another.index = .another
        #expect(standings.mapped(table([(0..<64, b)], index: b, primaries: [b])) == another)
        settle()
        var moved = stands(.moved, 0..<32)
        moved.index = .moved
        _ = standings.mapped(halves)
        // With slots that are nobody's business here it stands on.
        #expect(standings.mapped(table([(0..<64, b)], index: b)) == moved)
    }

    @Test mutating func `a failback leads to another server both times`() {
        settle()
        _ = standings.mapped(table([(0..<32, d), (32..<64, b)], index: d, primaries: [b, d]))
        _ = standings.disconnected(a)
        #expect(standings.connected(d, to: serverD).stands == [.another: some(0..<32)])
        // It has come back with the data of the second.
        #expect(standings.mapped(halves) == lost(0..<32, index: true))
        #expect(standings.connected(a, to: ServerID(runID: "A", replicationID: "2")).stands == [.another: some(0..<32)])
    }

    @Test mutating func `a failback to a server whose link was never given up leads to another one as well`() {
        settle()
        _ = standings.connected(d, to: serverD)
        #expect(
            standings.mapped(table([(0..<32, d), (32..<64, b)], index: d, primaries: [b, d])).stands
                == [.another: some(0..<32)])
        #expect(standings.mapped(halves).stands == [.another: some(0..<32)])
    }

    @Test mutating func `a slot that nobody has does not stand, and is where it was when its server has it again`() {
        settle()
        #expect(standings.mapped(table([(1..<32, a), (32..<64, b)], index: a)) == lost(0..<1))
        #expect(standings.standing.count == 63)
        #expect(standings.mapped(halves) == stands(.same, 0..<1))
    }
}
