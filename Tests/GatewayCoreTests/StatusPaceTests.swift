import GatewayCore
import Testing

@Suite struct StatusPaceTests {
    private let start = MonotonicTime(nanoseconds: 5_000_000_000)
    private var pace = StatusPace()

    private func change(_ isOnline: Bool, _ timestamp: Int64) -> StatusChange {
        StatusChange(userId: UserID(unchecked: "alice"), isOnline: isOnline, timestamp: timestamp)
    }

    private mutating func receive(_ isOnline: Bool, _ timestamp: Int64, after wait: Duration = .zero) -> Int64? {
        pace.receive(change(isOnline, timestamp), now: start + wait)?.timestamp
    }

    private mutating func due(after wait: Duration) -> [Int64] {
        pace.due(now: start + wait).map(\.timestamp)
    }

    @Test mutating func `who comes and goes now and then is told of at once`() {
        #expect(receive(true, 1) == 1)
        #expect(receive(false, 2) == 2)
        #expect(due(after: .seconds(2)).isEmpty)
        #expect(pace.isEmpty)
        #expect(receive(true, 3, after: .seconds(2)) == 3)
    }

    @Test mutating func `who does so without end is told of four times a second, as it is then`() {
        var told = 0
        for step in 0..<1000 {
            let wait = Duration.milliseconds(10 * step)
            if receive(step.isMultiple(of: 2), Int64(step), after: wait) != nil { told += 1 }
            if step % 25 == 24 { told += due(after: wait).count }
        }
        #expect((10...41).contains(told))
    }

    @Test mutating func `what has changed back is not told, what has not is, and no change is lost`() {
        #expect(receive(true, 1) == 1)
        #expect(receive(false, 2) == 2)
        #expect(receive(true, 3) == nil)
        #expect(receive(false, 4) == nil)
        #expect(due(after: .milliseconds(500)).isEmpty)
        #expect(receive(true, 5, after: .milliseconds(500)) == nil)
        #expect(due(after: .milliseconds(600)) == [5])
        #expect(due(after: .seconds(3)).isEmpty)
        #expect(pace.isEmpty)
    }
}
