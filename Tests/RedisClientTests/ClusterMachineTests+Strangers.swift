import RedisClient
import Testing

/// Servers of another Cluster among the seeds.
extension ClusterMachineTests {
    /// Of a Cluster with other servers, whose epochs are higher.
    private var strangers: [ClusterWord.Primary] { [primary("X", d, 8, 0...8191), primary("Y", e, 9, 8192...16_383)] }

    @Test mutating func `a seed of another Cluster than the first that answers is told of once, and left out`() {
        machine = ClusterMachine(seeds: [seed, d], slots: Self.slots, lease: .seconds(3))
        _ = machine.ticked(now: at(0))
        #expect(others(word(seed, three, at: 10)) == [.use(firstTable)])
        #expect(others(word(d, strangers, at: 20)) == [.leftOut(d)])
        // Nor does it count where the seeds are asked again, since most primaries say nothing.
        _ = machine.ticked(now: at(30))
        for place in [a, b] { _ = machine.failed(place, .away, now: at(30)) }
        #expect(asksSlots(machine.doubted(now: at(200))) == [a, b, c, seed, d])
        #expect(others(word(d, strangers, at: 210)) == [])
        #expect(others(word(seed, three, at: 220)) == [])
        for place in [a, b] { #expect(others(machine.failed(place, .away, now: at(230))) == []) }
        #expect(others(word(c, three, at: 240)) == [])
    }

    @Test mutating func `nor is it followed where the whole Cluster is away`() {
        machine = ClusterMachine(seeds: [seed, d], slots: Self.slots, lease: .seconds(3))
        _ = machine.ticked(now: at(0))
        _ = machine.failed(d, .away, now: at(10))
        #expect(others(word(seed, three, at: 10)) == [.use(firstTable)])
        _ = machine.ticked(now: at(20))
        for place in [a, b, c] { _ = machine.failed(place, .away, now: at(20)) }
        #expect(asksSlots(machine.doubted(now: at(200))) == [a, b, c, seed, d])
        for place in [a, b, c, seed] { _ = machine.failed(place, .away, now: at(210)) }
        #expect(others(word(d, strangers, at: 220)) == [.leftOut(d)])
    }

    @Test mutating func `a server that has met nobody yet is of no other Cluster`() {
        machine = ClusterMachine(seeds: [d, seed], slots: Self.slots, lease: .seconds(3))
        _ = machine.ticked(now: at(0))
        let alone = ClusterWord(primaries: [], members: ["X"])
        #expect(others(machine.answered(d, alone, now: at(10))) == [])
        #expect(others(word(seed, three, at: 20)) == [.use(firstTable)])
        _ = machine.ticked(now: at(30))
        for place in [a, b] { _ = machine.failed(place, .away, now: at(30)) }
        #expect(asksSlots(machine.doubted(now: at(200))) == [a, b, c, d, seed])
        for place in [a, b, c, seed] { _ = machine.failed(place, .away, now: at(210)) }
        #expect(!others(machine.answered(d, alone, now: at(220))).contains(.leftOut(d)))
    }

    @Test mutating func `replicas that have all taken over are of the same Cluster, since it knew them`() {
        let members: Set = ["A", "B", "C", "X", "Y"]
        _ = machine.ticked(now: at(0))
        _ = machine.answered(seed, ClusterWord(primaries: three, members: members), now: at(10))
        _ = machine.ticked(now: at(20))
        for place in [a, b, c] { _ = machine.failed(place, .away, now: at(20)) }
        _ = machine.doubted(now: at(200))
        let next = machine.answered(seed, ClusterWord(primaries: strangers, members: members), now: at(210))
        #expect(others(next) == [.use(table(d, d, e, primaries: [d, e]))])
    }
}
