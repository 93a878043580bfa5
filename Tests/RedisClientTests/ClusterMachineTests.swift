import NIOCore
import RedisClient
import Testing

/// The words of three primaries, and what is made of them.
@Suite("How a Cluster's servers are asked and believed")
struct ClusterMachineTests {
    typealias Place = RedisConfiguration.Endpoint
    typealias Action = ClusterMachine.Action

    let seed = Place.tcp(host: "seed", port: 1)
    let a = Place.tcp(host: "a", port: 1)
    let b = Place.tcp(host: "b", port: 2)
    let c = Place.tcp(host: "c", port: 3)
    let d = Place.tcp(host: "d", port: 4)
    let e = Place.tcp(host: "e", port: 5)
    static let slots: [KeySlot] = [0, 6000, 12_000].map { KeySlot(number: $0) }
    var machine = ClusterMachine(
        seeds: [.tcp(host: "seed", port: 1)], slots: Self.slots, lease: .seconds(3))

    func at(_ milliseconds: Int64) -> NIODeadline {
        .uptimeNanoseconds(0) + .milliseconds(100_000 + milliseconds)
    }

    func primary(
        _ id: String, _ place: Place, _ epoch: Int64, _ slots: ClosedRange<UInt16>...
    ) -> ClusterWord.Primary {
        ClusterWord.Primary(id: id, place: place, epoch: epoch, slots: slots)
    }

    var three: [ClusterWord.Primary] {
        [primary("A", a, 1, 0...5460), primary("B", b, 2, 5461...10_922), primary("C", c, 3, 10_923...16_383)]
    }

    func table(_ places: Place?..., primaries: [Place]) -> SlotTable {
        var found: [KeySlot: Place] = [:]
        for (slot, place) in zip(Self.slots, places) { found[slot] = place }
        return SlotTable(places: found, primaries: primaries)
    }

    var firstTable: SlotTable { table(a, b, c, primaries: [a, b, c]) }

    func asksState(_ actions: [Action]) -> [Place] {
        actions.compactMap { if case .askState(let place) = $0 { place } else { nil } }
    }

    func asksSlots(_ actions: [Action]) -> [Place] {
        actions.compactMap { if case .askSlots(let place) = $0 { place } else { nil } }
    }

    func others(_ actions: [Action]) -> [Action] {
        actions.filter { action in
            switch action {
            case .askState, .askSlots, .admit: false
            case .use, .confirmed, .doubtful, .refuse, .leftOut, .forget, .wake: true
            }
        }
    }

    mutating func fine(_ place: Place, epoch: Int64 = 3, at time: Int64) -> [Action] {
        machine.answered(place, ClusterState(isFine: true, epoch: epoch), now: at(time))
    }

    mutating func word(_ place: Place, _ primaries: [ClusterWord.Primary], at time: Int64) -> [Action] {
        machine.answered(place, ClusterWord(primaries: primaries), now: at(time))
    }

    /// The seed has named three, all have been asked, and no round is under way.
    mutating func settle() {
        _ = machine.ticked(now: at(-2000))
        _ = word(seed, three, at: -1990)
        _ = fine(seed, at: -1990)
        _ = machine.ticked(now: at(-1000))
        for place in [a, b, c] { _ = fine(place, at: -990) }
        // Their epochs were new: there is another one.
        for place in [a, b, c] { _ = word(place, three, at: -700) }
        for place in [a, b, c] { _ = word(place, three, at: -600) + fine(place, at: -600) }
    }

    // MARK: From the start

    @Test mutating func `a seed names the primaries, and what they say themselves confirms the Cluster`() {
        let first = machine.ticked(now: at(0))
        #expect(asksState(first) == [seed] && asksSlots(first) == [seed] && others(first) == [])
        #expect(others(word(seed, three, at: 10)) == [.use(firstTable)])
        _ = fine(seed, at: 10)
        let second = machine.ticked(now: at(1000))
        #expect(Set(asksState(second)) == [a, b, c])
        #expect(others(fine(a, at: 1010)).contains(where: { if case .confirmed = $0 { true } else { false } }) == false)
        #expect(others(fine(b, at: 1010)) == [.confirmed(asked: at(1000))])
        #expect(others(fine(c, at: 1010)) == [])
    }

    @Test mutating func `servers of which the node has not heard before are asked who has what, soon`() {
        _ = machine.ticked(now: at(0))
        _ = word(seed, three, at: 10)
        _ = machine.ticked(now: at(1000))
        let asked = fine(a, at: 1010)
        #expect(Set(asksSlots(asked)) == [a, b, c])
        for place in [a, b] { #expect(others(word(place, three, at: 1020)) == []) }
        #expect(others(word(c, three, at: 1020)) == [])
    }

    @Test mutating func `without a server that answers nobody knows, and each seed says why`() {
        machine = ClusterMachine(seeds: [seed, a], slots: Self.slots, lease: .seconds(3))
        _ = machine.ticked(now: at(0))
        #expect(machine.failed(seed, .away, now: at(10)) == [])
        #expect(
            machine.failed(a, .away, now: at(10))
                == [.doubtful(reason: "seed:1 does not answer, a:1 does not answer")])
        #expect(machine.failed(a, .away, now: at(20)) == [])
        let again = machine.ticked(now: at(1000))
        #expect(asksState(again) == [seed, a])
        // One of them lives by now, and the other does not contradict it for a while.
        _ = machine.doubted(now: at(1100))
        #expect(others(word(a, three, at: 1200)) == [.wake(at: at(1700))])
        #expect(others(machine.doubted(now: at(1699))) == [.wake(at: at(1700))])
        #expect(others(machine.doubted(now: at(1700))) == [.use(firstTable)])
    }

    @Test mutating func `a seed that refuses the node ends its start, but not beside one that serves it`() {
        machine = ClusterMachine(seeds: [seed, a], slots: Self.slots, lease: .seconds(3))
        _ = machine.ticked(now: at(0))
        #expect(machine.failed(seed, .refused(reason: "WRONGPASS"), now: at(10)) == [])
        let reason = "seed:1 refuses this node (WRONGPASS), a:1 does not answer"
        #expect(machine.failed(a, .away, now: at(20)) == [.refuse(reason: reason)])

        machine = ClusterMachine(seeds: [seed, a], slots: Self.slots, lease: .seconds(3))
        _ = machine.ticked(now: at(0))
        #expect(others(word(a, three, at: 10)) == [.wake(at: at(510))])
        let served = machine.failed(seed, .refused(reason: "WRONGPASS"), now: at(20))
        #expect(served.contains(.use(firstTable)) && !served.contains(.refuse(reason: reason)))
    }

    @Test mutating func `a Cluster that gives no slot to anybody is told of`() {
        _ = machine.ticked(now: at(0))
        _ = word(seed, [], at: 10)
        let said = machine.answered(seed, ClusterState(isFine: false, epoch: 0), now: at(10))
        #expect(said == [.wake(at: at(100)), .doubtful(reason: "seed:1 knows of no server that has slots")])
        #expect(others(machine.ticked(now: at(1000))) == [])
        #expect(word(seed, [], at: 1010) == [])
        // It is asked again, and found as it is set up.
        let later = machine.ticked(now: at(6000))
        #expect(asksSlots(later) == [seed])
        #expect(others(word(seed, three, at: 6010)) == [.use(firstTable)])
    }

    @Test mutating func `a seed that refuses the node ends no start beside one that only has no slots to name`() {
        machine = ClusterMachine(seeds: [seed, a], slots: Self.slots, lease: .seconds(3))
        _ = machine.ticked(now: at(0))
        _ = word(a, [], at: 10)
        let reason = "seed:1 refuses this node (WRONGPASS), a:1 knows of no server that has slots"
        #expect(machine.failed(seed, .refused(reason: "WRONGPASS"), now: at(20)) == [.doubtful(reason: reason)])
    }

    // MARK: Whom to believe

    @Test mutating func `of two that claim a slot the one with the higher epoch has it, whoever says so`() {
        settle()
        _ = machine.doubted(now: at(0))
        let moved = [primary("A", a, 1, 0...5460), primary("B", b, 4, 0...99, 5461...10_922), three[2]]
        let next = table(b, b, c, primaries: [a, b, c])
        #expect(others(word(b, moved, at: 10)) == [.use(next)], "the first has some yet")
        // Others have not heard of it.
        #expect(others(word(a, three, at: 20)) == [])
        #expect(others(word(c, three, at: 30)) == [])
    }

    @Test mutating func `a replica that has taken over is followed, also by the word of one`() {
        settle()
        _ = machine.doubted(now: at(0))
        _ = machine.failed(a, .away, now: at(5))
        let failover = [primary("D", d, 4, 0...5460), three[1], three[2]]
        let next = table(d, b, c, primaries: [b, c, d])
        #expect(others(word(b, failover, at: 10)) == [.use(next)])
        #expect(others(word(c, three, at: 20)) == [.forget(a)])
        #expect(Set(asksState(machine.ticked(now: at(1000)))).isSuperset(of: [d]))
    }

    @Test mutating func `a server that lags behind takes nothing back`() {
        settle()
        _ = machine.doubted(now: at(0))
        let failover = [primary("D", d, 4, 0...5460), three[1], three[2]]
        for place in [b, c] { _ = word(place, failover, at: 10) }
        _ = machine.failed(a, .away, now: at(10))
        _ = machine.doubted(now: at(200))
        #expect(others(word(b, three, at: 210)) == [])
    }

    @Test mutating func `a Cluster that was made anew with lower epochs is believed once most say so`() {
        settle()
        _ = machine.doubted(now: at(0))
        let anew = [
            primary("X", c, 0, 0...5460), primary("Y", b, 0, 5461...10_922), primary("Z", a, 0, 10_923...16_383),
        ]
        #expect(!others(word(a, anew, at: 10)).contains(.use(table(c, b, a, primaries: [c, b, a]))))
        #expect(!others(word(b, anew, at: 20)).contains(.use(table(c, b, a, primaries: [c, b, a]))))
        // For a lease: it might be two servers of another at the addresses of two that are away.
        #expect(others(word(c, anew, at: 30)) == [])
        #expect(asksSlots(machine.ticked(now: at(3030))).count == 4)
        for place in [a, b, seed] { #expect(others(word(place, anew, at: 3040)) == []) }
        let last = others(word(c, anew, at: 3040))
        #expect(last == [.use(table(c, b, a, primaries: [c, b, a]))])
    }

    @Test mutating func `what a minority leaves out is not gone`() {
        settle()
        _ = machine.doubted(now: at(0))
        _ = machine.failed(b, .away, now: at(10))
        _ = machine.failed(c, .away, now: at(10))
        #expect(others(word(a, [three[0]], at: 20)) == [])
        // Most of them may.
        _ = machine.doubted(now: at(200))
        _ = word(seed, [three[0]], at: 210)
        _ = word(a, [three[0]], at: 220)
        _ = word(b, [three[0]], at: 220)
        #expect(others(word(c, [three[0]], at: 230)).contains(.use(table(a, nil, nil, primaries: [a]))))
    }

    @Test mutating func `a primary whose first slots went to another stays one for the rest`() {
        settle()
        _ = machine.doubted(now: at(0))
        let moved = [primary("A", a, 1, 1...5460), primary("B", b, 4, 0...0, 5461...10_922), three[2]]
        _ = word(b, moved, at: 10)
        // As one says who has not heard of it.
        #expect(others(word(a, three, at: 20)) == [])
        #expect(others(word(c, three, at: 30)) == [])
    }

    @Test mutating func `a primary all of whose slots went to others is none any more`() {
        settle()
        _ = machine.doubted(now: at(0))
        let emptied = [
            three[0], primary("B", b, 4, 5461...10_922, 10_923...14_000), primary("D", d, 5, 14_001...16_383),
        ]
        #expect(others(word(a, emptied, at: 10)) == [.use(table(a, b, b, primaries: [a, b, d]))])
    }

    // MARK: Rounds

    @Test mutating func `one round is asked in a tenth of a second, however much is doubted`() {
        settle()
        #expect(Set(asksSlots(machine.doubted(now: at(0)))) == [a, b, c])
        #expect(machine.doubted(now: at(10)) == [])
        for place in [a, b, c] { _ = word(place, three, at: 20) }
        #expect(machine.doubted(now: at(50)) == [.wake(at: at(100))])
        #expect(machine.doubted(now: at(99)) == [.wake(at: at(100))])
        #expect(Set(asksSlots(machine.doubted(now: at(100)))) == [a, b, c])
    }

    @Test mutating func `what was doubted while a round was under way is looked at after it`() {
        settle()
        _ = machine.doubted(now: at(0))
        #expect(machine.doubted(now: at(10)) == [])
        for place in [a, b] { #expect(word(place, three, at: 120) == []) }
        #expect(Set(asksSlots(word(c, three, at: 120))) == [a, b, c])
        #expect(machine.doubted(now: at(130)) == [])
        for place in [a, b] { _ = word(place, three, at: 140) }
        // Also where the last of them cannot be asked.
        #expect(others(machine.failed(c, .away, now: at(150))) == [.wake(at: at(220))])
    }

    @Test mutating func `without any doubt a round begins every five seconds, and none between`() {
        settle()
        for time in stride(from: Int64(0), through: 4000, by: 1000) {
            #expect(asksSlots(machine.ticked(now: at(time))) == [], "\(time)")
            for place in [a, b, c] { #expect(asksSlots(fine(place, at: time + 10)) == []) }
        }
        #expect(Set(asksSlots(machine.ticked(now: at(5000)))) == [a, b, c])
        for place in [a, b, c] { _ = word(place, three, at: 5010) }
        #expect(asksSlots(machine.ticked(now: at(6000))) == [])
    }

    @Test mutating func `an epoch that has grown begins a round`() {
        settle()
        _ = machine.ticked(now: at(0))
        #expect(asksSlots(fine(a, at: 10)) == [])
        #expect(Set(asksSlots(fine(b, epoch: 4, at: 10))) == [a, b, c])
    }

    @Test mutating func `a round ends with a lease, and who owes an answer is not asked again`() {
        settle()
        _ = machine.doubted(now: at(0))
        _ = word(a, three, at: 10)
        _ = machine.ticked(now: at(1000))
        #expect(machine.doubted(now: at(2000)) == [])
        #expect(asksSlots(machine.ticked(now: at(3000))) == [a])
        _ = word(a, three, at: 3010)
        // A late one may be asked again, and says nothing of itself.
        #expect(others(word(b, three, at: 3100)) == [])
        #expect(Set(asksSlots(machine.doubted(now: at(3200)))) == [a, b])
    }

    @Test mutating func `a doubt that nobody can be asked about yet is kept until somebody can`() {
        settle()
        _ = machine.doubted(now: at(0))
        _ = machine.doubted(now: at(10))
        #expect(asksSlots(machine.ticked(now: at(3000))) == [])
        #expect(asksSlots(word(a, three, at: 3050)) == [a])
    }

    @Test mutating func `the seeds are asked as well while half of the primaries say nothing`() {
        settle()
        _ = machine.failed(a, .away, now: at(0))
        #expect(!asksSlots(machine.doubted(now: at(0))).contains(seed))
        for place in [a, b, c] { _ = word(place, three, at: 10) }
        for place in [a, b] { _ = machine.failed(place, .away, now: at(20)) }
        #expect(asksSlots(machine.doubted(now: at(200))) == [a, b, c, seed])
        // All addresses are new, as of containers that were started again.
        let places = [d, a, b].enumerated().map { Place.tcp(host: "new", port: $0.offset + 1) }
        let moved = zip(three, places).map { primary($0.id, $1, $0.epoch, $0.slots[0]) }
        #expect(others(word(seed, moved, at: 210)) == [.use(table(places[0], places[1], places[2], primaries: places))])
    }

    // MARK: Whether it stands

    @Test mutating func `two of three must say that the Cluster stands, each within a lease`() {
        settle()
        _ = machine.ticked(now: at(0))
        #expect(others(fine(a, at: 10)) == [])
        #expect(others(fine(b, at: 20)) == [.confirmed(asked: at(0))])
        _ = machine.ticked(now: at(1000))
        // What is known is older by now, and then too little.
        #expect(machine.failed(b, .away, now: at(1010)) == [.confirmed(asked: at(-700))])
        let reason = "2 of 3 primaries must say that the Cluster stands, and 1 do"
        #expect(machine.failed(c, .away, now: at(1010)) == [.doubtful(reason: reason)])
        #expect(others(fine(a, at: 1020)) == [])
        #expect(others(machine.ticked(now: at(2000))) == [])
    }

    @Test mutating func `primaries that see too few of the others do not count`() {
        settle()
        _ = machine.ticked(now: at(0))
        _ = fine(a, at: 10)
        let bad = ClusterState(isFine: false, epoch: 3)
        _ = machine.answered(b, bad, now: at(10))
        let said = others(machine.answered(c, bad, now: at(10)))
        #expect(said == [.doubtful(reason: "2 of 3 primaries must say that the Cluster stands, and 1 do")])
        _ = machine.ticked(now: at(1000))
        #expect(others(fine(b, at: 1010)) == [.confirmed(asked: at(0))])
        #expect(others(fine(a, at: 1020)) == [.confirmed(asked: at(1000))])
    }

    @Test mutating func `an old word holds for a lease from when it was asked`() {
        settle()
        _ = machine.ticked(now: at(0))
        for place in [a, b, c] { _ = fine(place, at: 900) }
        // They are asked, and say nothing.
        #expect(others(machine.ticked(now: at(1000))) == [])
        #expect(others(machine.ticked(now: at(2999))) == [])
        let reason = "2 of 3 primaries must say that the Cluster stands, and 0 do"
        #expect(others(machine.ticked(now: at(3000))) == [.doubtful(reason: reason)])
        #expect(others(fine(a, at: 3010)) == [.doubtful(reason: reason.replacing("0 do", with: "1 do"))])
        #expect(others(fine(b, at: 3020)) == [.confirmed(asked: at(1000))])
    }

    @Test mutating func `who owes an answer is not asked again, and one that nobody asked for is none`() {
        settle()
        #expect(Set(asksState(machine.ticked(now: at(0)))) == [a, b, c])
        _ = fine(a, at: 10)
        #expect(asksState(machine.ticked(now: at(1000))) == [a])
        _ = fine(b, at: 1010)
        #expect(fine(b, epoch: 9, at: 1020) == [])
        #expect(fine(d, epoch: 9, at: 1020) == [])
    }

    @Test mutating func `two of four, and one of two, are not most`() {
        for count in [2, 4] {
            machine = ClusterMachine(seeds: [seed], slots: Self.slots, lease: .seconds(3))
            let places = (1...count).map { Place.tcp(host: "p", port: $0) }
            let primaries = places.enumerated().map { offset, place in
                primary("\(offset)", place, Int64(offset), UInt16(offset * 4096)...UInt16(offset * 4096 + 4095))
            }
            _ = machine.ticked(now: at(0))
            _ = word(seed, primaries, at: 10)
            _ = machine.ticked(now: at(1000))
            for place in places.prefix(count / 2) {
                #expect(!others(fine(place, at: 1010)).contains(.confirmed(asked: at(1000))))
            }
            #expect(others(fine(places[count / 2], at: 1020)) == [.confirmed(asked: at(1000))])
        }
    }
}
