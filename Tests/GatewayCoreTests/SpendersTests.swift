import GatewayCore
import Synchronization
import Testing

/// Who spends most, without asking everybody.
@Suite struct SpendersTests {
    private static func at(_ seconds: Int64) -> MonotonicTime { MonotonicTime(nanoseconds: seconds * 1_000_000_000) }

    @Test func `each measure has its own first`() {
        var hitters = HeavyHitters<String>(capacity: 8)
        hitters.add(Spending(bytesIn: 5, processorNanoseconds: 1), by: "reader")
        hitters.add(Spending(bytesOut: 7), by: "writer")
        hitters.add(Spending(redisNanoseconds: 9), by: "asker")
        hitters.add(Spending(bytesOut: 7), by: "writer")
        #expect(hitters.top(1, by: .bytesIn).map(\.key) == ["reader"])
        #expect(hitters.top(2, by: .bytesOut).map(\.spending.bytesOut) == [14])
        #expect(hitters.top(1, by: .redis).map(\.key) == ["asker"])
        #expect(hitters.top(1, by: .cpu).map(\.key) == ["reader"])
    }

    @Test func `a crowd of strangers takes bounded memory and hides nobody who spends more`() {
        var hitters = HeavyHitters<Int>(capacity: 64)
        for stranger in 1...10_000 {
            hitters.add(Spending(bytesIn: 1), by: stranger)
            if stranger % 10 == 0 {
                hitters.add(Spending(bytesIn: 30), by: -1)
                hitters.add(Spending(redisNanoseconds: 1), by: -2)
            }
            #expect(hitters.count < 128)
        }
        #expect(hitters.top(1, by: .bytesIn).map(\.key) == [-1])
        #expect(hitters.top(1, by: .bytesIn).map(\.spending.bytesIn) == [30_000])
        #expect(hitters.top(1, by: .redis).map(\.spending.redisNanoseconds) == [1000])
    }

    @Test func `the best are those who are first by any measure, each once`() {
        var hitters = HeavyHitters<Int>(capacity: 64)
        for number in 1...20 { hitters.add(Spending(bytesIn: number, bytesOut: 21 - number), by: number) }
        #expect(Set(hitters.best(2).keys) == [20, 19, 1, 2])
        #expect(hitters.best(20).count == 20)
    }

    @Test func `what was spent is told for a minute`() {
        var window = SpendingWindow<String>(capacity: 8)
        window.add(Spending(bytesIn: 1), by: "a", now: SpendersTests.at(0))
        window.add(Spending(bytesIn: 2), by: "a", now: SpendersTests.at(30))
        func sum(_ seconds: Int64) -> Int? {
            window.lastMinute(now: SpendersTests.at(seconds)).top(1, by: .bytesIn).first?.spending.bytesIn
        }
        #expect(sum(30) == 3)
        #expect(sum(59) == 3)
        #expect(sum(60) == 2)
        #expect(sum(89) == 2)
        #expect(sum(90) == nil)
    }

    @Test func `strangers count by their address, rooms for themselves`() {
        let clock = Mutex(SpendersTests.at(0))
        let book = SpendingBook(now: { clock.withLock { $0 } })
        book.spent(Spending(bytesIn: 1), by: nil, at: "192.0.2.1")
        book.spent(Spending(bytesIn: 2), by: UserID(unchecked: "u"), at: "192.0.2.1")
        book.spent(Spending(bytesIn: 4), by: UserID(unchecked: "u"), at: "")
        book.spent(Spending(bytesOut: 8), in: RoomName(unchecked: "r"))
        let spenders = book.spenders()
        #expect(spenders[.users] == [Spender(name: "u", spending: Spending(bytesIn: 6))])
        #expect(spenders[.addresses] == [Spender(name: "192.0.2.1", spending: Spending(bytesIn: 3))])
        #expect(spenders[.rooms] == [Spender(name: "r", spending: Spending(bytesOut: 8))])
        clock.withLock { $0 = SpendersTests.at(60) }
        let left = book.spenders().values.flatMap(\.self)
        #expect(left.isEmpty)
    }
}
