import RedisClient
import Testing

/// Servers of another Cluster among the seeds.
extension ClusterMachineTests {
    /// Of a Cluster with other servers, whose epochs are higher.
    private var strangers: [ClusterWord.Primary] { [primary("X", d, 8, 0...8191), primary("Y", e, 9, 8192...16_383)] }

    @Test mutating func `of two seeds of two Clusters the first that answers is followed, and the other told of once`()
    {
        machine = ClusterMachine(seeds: [seed, d], slots: Self.slots, lease: .seconds(3))
        _ = machine.ticked(now: at(0))
        #expect(others(word(seed, three, at: 10)) == [.wake(at: at(510))])
        #expect(others(word(d, strangers, at: 20)) == [.use(firstTable), .leftOut(d)])
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

    @Test(arguments: [[0, 1, 2], [1, 0, 2], [1, 2, 0]])
    mutating func `the Cluster that most of the seeds name is followed, whichever answers first`(order: [Int]) {
        machine = ClusterMachine(seeds: [d, a, b], slots: Self.slots, lease: .seconds(3))
        _ = machine.ticked(now: at(0))
        let words = [(d, strangers), (a, three), (b, three)]
        var told: [Action] = []
        for (turn, number) in order.enumerated() {
            told += others(word(words[number].0, words[number].1, at: Int64(10 + turn)))
        }
        #expect(told.filter { $0 != .wake(at: at(510)) } == [.use(firstTable), .leftOut(d)])
        // Nothing else was done before.
        #expect(told.contains(.wake(at: at(510))))
    }

    @Test mutating func `two servers in turn at one address are told of once in ten seconds`() {
        settle()
        var told: [Int64] = []
        for time in stride(from: Int64(0), to: 21_000, by: 1000) {
            _ = machine.doubted(now: at(time))
            let said = word(b, (time / 1000).isMultiple(of: 2) ? strangers : three, at: time + 10)
            let rest = word(a, three, at: time + 10) + word(c, three, at: time + 10)
            if (said + rest).contains(.leftOut(b)) { told.append(time) }
            for place in [a, b, c] { _ = fine(place, at: time + 10) }
        }
        #expect(told == [0, 10_000, 20_000])
    }

    @Test mutating func `the seeds choose again where all servers have forgotten their Cluster`() {
        machine = ClusterMachine(seeds: [a, b, c], slots: Self.slots, lease: .seconds(3))
        _ = machine.ticked(now: at(0))
        for place in [a, b, c] { _ = word(place, three, at: 10) }
        _ = machine.doubted(now: at(1000))
        for place in [a, b] { #expect(others(word(place, [], at: 1010)) == []) }
        #expect(others(word(c, [], at: 1010)) == [.use(SlotTable())])
        _ = machine.doubted(now: at(2000))
        #expect(others(word(a, strangers, at: 2010)) == [.wake(at: at(2510))])
        #expect(others(word(b, three, at: 2020)) == [.wake(at: at(2510))])
        #expect(others(word(c, three, at: 2030)) == [.use(firstTable), .leftOut(a)])
    }

    @Test mutating func `one that contradicts too late is left out`() {
        machine = ClusterMachine(seeds: [d, a, b], slots: Self.slots, lease: .seconds(3))
        _ = machine.ticked(now: at(0))
        #expect(others(word(a, three, at: 10)) == [.wake(at: at(510))])
        _ = machine.failed(b, .away, now: at(20))
        #expect(others(machine.doubted(now: at(510))) == [.use(firstTable)])
        #expect(others(word(d, strangers, at: 600)).contains(.leftOut(d)))
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

    private func admitted(_ actions: [Action]) -> [Set<String>?] {
        actions.compactMap { if case .admit(let ids) = $0 { .some(ids) } else { nil } }
    }

    @Test mutating func `links are made to those that the Cluster knows, replicas as well, and told of once`() {
        _ = machine.ticked(now: at(0))
        let first = ClusterWord(primaries: three, members: ["A", "B", "C", "R"])
        #expect(admitted(machine.answered(seed, first, now: at(10))) == [["A", "B", "C", "R"]])
        _ = machine.ticked(now: at(20))
        _ = machine.doubted(now: at(200))
        for place in [a, b, c] { #expect(admitted(machine.answered(place, first, now: at(210))) == []) }
    }

    @Test mutating func `another Cluster's at the address of one that is away does not say that all is well`() {
        settle()
        _ = machine.failed(b, .away, now: at(0))
        _ = machine.doubted(now: at(0))
        let said = word(b, strangers, at: 10)
        #expect(said == [])
        _ = word(a, three, at: 20)
        #expect(word(c, three, at: 20) == [.leftOut(b)])
        for place in [a, b, c] { _ = fine(place, at: 30) }
        // Two of three do.
        _ = machine.ticked(now: at(1000))
        _ = fine(b, at: 1010)
        #expect(!others(fine(a, at: 1020)).contains(.confirmed(asked: at(1000))))
        #expect(others(fine(c, at: 1030)) == [.confirmed(asked: at(1000))])
        // Its own server is back.
        _ = machine.doubted(now: at(2000))
        for place in [a, b, c] { #expect(others(word(place, three, at: 2010)) == []) }
        for place in [a, b, c] { _ = fine(place, at: 2020) }
        _ = machine.ticked(now: at(3000))
        _ = fine(b, at: 3010)
        #expect(others(fine(a, at: 3020)) == [.confirmed(asked: at(3000))])
    }

    @Test mutating func `one that takes a place for good is of the Cluster by the first round in which one knows it`() {
        settle()
        _ = machine.doubted(now: at(0))
        // It has met nobody yet.
        #expect(machine.answered(b, ClusterWord(primaries: [], members: ["N"]), now: at(10)) == [])
        for place in [a, c] { #expect(admitted(word(place, three, at: 10)) == []) }
        _ = machine.doubted(now: at(200))
        let members: Set = ["A", "C", "N"]
        let two = ClusterWord(primaries: [three[0], three[2]], members: members)
        #expect(admitted(machine.answered(a, two, now: at(210))) == [["A", "B", "C", "N"]])
        let last = machine.answered(c, two, now: at(220)) + machine.answered(b, two, now: at(220))
        #expect(admitted(last) == [members])
    }

    @Test mutating func `another Cluster at two of three addresses is not the own one while the third is left`() {
        settle()
        _ = machine.doubted(now: at(0))
        for place in [a, b] { _ = word(place, strangers, at: 10) }
        #expect(others(word(c, three, at: 20)) == [.leftOut(a), .leftOut(b)])
        // The seeds are asked as well, as if these two were away.
        #expect(asksSlots(machine.doubted(now: at(200))) == [a, b, c, seed])
        for place in [a, b] { _ = word(place, strangers, at: 210) }
        _ = machine.failed(seed, .away, now: at(210))
        #expect(others(word(c, three, at: 220)) == [])
        // With that gone the Cluster was made anew, as far as anybody can know; but not at once.
        for time in [Int64(1000), 2500, 4000] {
            #expect(asksSlots(machine.doubted(now: at(time))) == [a, b, c, seed])
            for place in [a, b] { #expect(others(word(place, strangers, at: time + 10)) == []) }
            _ = machine.failed(seed, .away, now: at(time + 10))
            let last = machine.failed(c, .away, now: at(time + 20))
            #expect(last.contains(.use(table(d, d, e, primaries: [d, e]))) == (time == 4000))
            #expect(admitted(last) == (time == 4000 ? [["X", "Y"]] : []))
        }
    }

    @Test mutating func `nor do two other Clusters at an address each`() {
        settle()
        _ = machine.doubted(now: at(0))
        _ = word(a, strangers, at: 10)
        _ = word(b, [primary("Z", d, 9, 0...16_383)], at: 10)
        #expect(others(machine.failed(c, .away, now: at(20))).starts(with: [.leftOut(a), .leftOut(b)]))
    }

    @Test mutating func `where servers call themselves by other ids than the Cluster does, ids tell nothing`() {
        _ = machine.ticked(now: at(0))
        let first = ClusterWord(primaries: three, isMisnamed: true)
        #expect(admitted(machine.answered(seed, first, now: at(10))) == [])
        _ = machine.ticked(now: at(20))
        _ = machine.doubted(now: at(200))
        // Not so any more.
        for place in [a, b] { #expect(admitted(word(place, three, at: 210)) == []) }
        #expect(admitted(word(c, three, at: 210)) == [["A", "B", "C"]])
        _ = machine.doubted(now: at(400))
        #expect(admitted(machine.answered(a, first, now: at(410))) == [nil])
    }
}
