import GatewayCore
import Testing

@Suite struct NodeMemoryTests {
    private var memory = NodeMemory()
    private let mebibyte = 1 << 20

    private typealias Held = (mebibytes: Int, isLive: Bool)

    private mutating func relieve(
        _ claims: [Held], others: Int = 0, closing: Int = 0, budget: Int = 100,
        at seconds: Int64
    ) -> NodeMemory.Relief {
        let own = claims.map { NodeMemory.Claim(bytes: $0.mebibytes * mebibyte, isLive: $0.isLive) }
        return memory.relieve(
            held: (claims.reduce(others + closing) { $0 + $1.mebibytes }) * mebibyte, budget: budget * mebibyte,
            closing: closing * mebibyte, claims: own, now: MonotonicTime(nanoseconds: seconds * 1_000_000_000))
    }

    @Test mutating func `within the budget nothing is done, however much is held for one`() {
        #expect(relieve([(99, true)], at: 1) == NodeMemory.Relief())
    }

    @Test mutating func `above it the worst are fed from the log, as many as have what is too much`() {
        let relief = relieve([(5, true), (40, true), (20, true), (45, true)], at: 1)
        #expect(relief == NodeMemory.Relief(feed: [3], close: []))
    }

    @Test
    mutating func `who is fed from the log already is closed once that has not helped for a while, the worst first`() {
        let claims: [Held] = [(30, false), (60, false), (20, true)]
        #expect(relieve(claims, at: 1).close.isEmpty)
        #expect(relieve(claims, at: 2).close.isEmpty)
        #expect(relieve(claims, at: 3) == NodeMemory.Relief(feed: [], close: [1]))
    }

    @Test mutating func `far above the budget the worst are closed at once`() {
        #expect(relieve([(90, false), (50, false)], at: 1).close == [0])
    }

    @Test mutating func `a time within the budget begins the patience anew`() {
        let claims: [Held] = [(60, false), (45, false)]
        _ = relieve(claims, at: 1)
        _ = relieve([], at: 2)
        #expect(relieve(claims, at: 4).close.isEmpty)
        #expect(relieve(claims, at: 6).close == [0])
    }

    @Test mutating func `what those hold that are being closed is not taken from others again`() {
        _ = relieve([(50, false)], closing: 60, at: 1)
        #expect(relieve([(50, false)], closing: 60, at: 9) == NodeMemory.Relief())
    }

    @Test
    mutating func `a loop answers for its own share only, and connections for which little is held are left alone`() {
        let relief = relieve([(1, true), (4, true), (5, true)], others: 100, at: 1)
        #expect(relief.feed == [2])
        let small = NodeMemory.Claim(bytes: NodeMemory.harmlessBytes - 1, isLive: true)
        let many = memory.relieve(
            held: 11 << 27, budget: 10 << 27, closing: 0, claims: Array(repeating: small, count: 5000),
            now: MonotonicTime(nanoseconds: 1))
        #expect(many == NodeMemory.Relief())
    }
}

extension NodeMemoryTests {
    @Test mutating func `far above the budget nobody is left alone for holding little, since many may`() {
        let small = NodeMemory.Claim(bytes: NodeMemory.harmlessBytes - 1, isLive: false)
        let relief = memory.relieve(
            held: 5000 << 16, budget: 2500 << 16, closing: 0, claims: Array(repeating: small, count: 5000),
            now: MonotonicTime(nanoseconds: 1))
        #expect((2500...3000).contains(relief.close.count))
    }
}

@Suite struct MemoryAccountTests {
    @Test func `all kinds count against one budget`() {
        let account = MemoryAccount(budget: 1000)
        for kind in MemoryAccount.Kind.allCases { account.add(200, to: kind) }
        #expect(account.held == 1000 && !account.isOverdrawn)
        account.add(1, to: .mail)
        #expect(account.isOverdrawn && account.held(.mail) == 201)
        account.add(-201, to: .mail)
        #expect(account.held == 800)
    }

    @Test func `messages on their way to Redis may take a quarter, and what is refused is not counted`() {
        let account = MemoryAccount(budget: 1000)
        #expect(account.admitPublish(250))
        #expect(!account.admitPublish(1))
        #expect(account.held == 250)
        account.add(-250, to: .publishes)
        #expect(account.admitPublish(100))
    }
}

@Suite struct SocketQueueTests {
    private var queue = SocketQueue(now: MonotonicTime(nanoseconds: 0))

    private mutating func look(
        queued: Int = 0, system: Int = 0, taken: UInt64? = nil, at seconds: Int64
    ) -> SocketQueue.Verdict {
        queue.looked(
            SocketQueue.Look(queuedBytes: queued, systemBytes: system, takenBytes: taken),
            now: MonotonicTime(nanoseconds: seconds * 1_000_000_000))
    }

    private mutating func isTooMuch(_ bytes: Int) -> Bool { queue.queued(bytes, limit: 1000) }

    @Test mutating func `who takes nothing for thirty seconds while bytes wait is found`() {
        #expect(look(queued: 5000, system: 100, taken: 7, at: 1) == .waiting)
        #expect(look(queued: 6000, system: 100, taken: 7, at: 29) == .waiting)
        #expect(look(queued: 7000, system: 100, taken: 7, at: 30) == .tookNothing)
    }

    @Test mutating func `one byte taken begins the thirty seconds anew, however much more has come to wait`() {
        #expect(look(queued: 5000, taken: 7, at: 1) == .waiting)
        #expect(look(queued: 900_000, taken: 8, at: 29) == .waiting)
        #expect(look(queued: 900_000, taken: 8, at: 58) == .waiting)
        #expect(look(queued: 900_000, taken: 8, at: 59) == .tookNothing)
    }

    @Test mutating func `where the system does not count, fewer bytes that wait are bytes taken`() {
        #expect(look(queued: 5000, at: 1) == .waiting)
        #expect(look(queued: 4999, at: 29) == .waiting)
        #expect(look(queued: 4999, at: 58) == .waiting)
        #expect(look(queued: 4999, at: 59) == .tookNothing)
    }

    @Test
    mutating func `a socket is done with when next to nothing waits; unanswered pings are the heartbeat's affair`() {
        #expect(look(system: 40, taken: 1, at: 1) == .waiting)
        #expect(look(system: 6, taken: 1, at: 99) == .drained)
    }

    @Test mutating func `fed from the log, a queue may shrink from any height, and grow by what may wait but no more`()
    {
        #expect(isTooMuch(9_000_000) == false)
        queue.feedsFromLog(waiting: 9_000_000)
        #expect(isTooMuch(9_000_900) == false)
        #expect(look(queued: 500, at: 1) == .waiting)
        #expect(isTooMuch(1500) == false)
        #expect(isTooMuch(1501) == true)
    }

    @Test mutating func `who is sent all as it comes again is fed from the log first when too much waits`() {
        queue.feedsFromLog(waiting: 100)
        queue.goesLive(below: 1_000_000)
        #expect(isTooMuch(9_000_000) == false)
    }
}
