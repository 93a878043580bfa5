import Metrics
import Synchronization

/// The source of one line of metrics: counted from any thread, read by whoever renders.
enum Instrument: Sendable {
    case counter(CounterCell)
    case floatingPointCounter(NumberCell)
    case gauge(NumberCell)
    /// A gauge that is asked for when it is shown.
    case observed(@Sendable () -> Double)
    case summary(Distribution)
    case histogram(Distribution)
}

/// A count.
final class CounterCell: CounterHandler, Sendable {
    private let count = Atomic<Int64>(0)

    var value: Int64 { count.load(ordering: .relaxed) }

    func increment(by amount: Int64) {
        count.wrappingAdd(amount, ordering: .relaxed)
    }

    func reset() {
        count.store(0, ordering: .relaxed)
    }
}

/// A number that is set or moved.
final class NumberCell: FloatingPointCounterHandler, RecorderHandler, MeterHandler, Sendable {
    private let bits = Atomic<UInt64>(0)

    var value: Double { Double(bitPattern: bits.load(ordering: .relaxed)) }

    func set(_ value: Double) {
        bits.store(value.bitPattern, ordering: .relaxed)
    }

    func set(_ value: Int64) { set(Double(value)) }
    func record(_ value: Double) { set(value) }
    func record(_ value: Int64) { set(Double(value)) }
    func reset() { set(0.0) }
    func decrement(by amount: Double) { increment(by: -amount) }

    func increment(by amount: Double) {
        var old = bits.load(ordering: .relaxed)
        while true {
            let new = (Double(bitPattern: old) + amount).bitPattern
            let (exchanged, found) = bits.weakCompareExchange(expected: old, desired: new, ordering: .relaxed)
            if exchanged { return }
            old = found
        }
    }
}

/// Many values, kept as their number, their sum and how many lie below each bound.
final class Distribution: RecorderHandler, TimerHandler, Sendable {
    struct State: Sendable {
        /// One for each bound, and one more for what is above the last; not cumulative.
        var counts: [Int]
        var sum = 0.0
    }

    /// Upper bounds, rising; none makes it a summary.
    let bounds: [Double]
    /// As they are shown.
    let boundTexts: [String]
    private let state: Mutex<State>

    /// In seconds, for timers.
    static let timerBounds = [
        0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
    ]

    init(bounds: [Double]) {
        self.bounds = bounds
        boundTexts = bounds.map(PrometheusText.number)
        state = Mutex(State(counts: Array(repeating: 0, count: bounds.count + 1)))
    }

    var snapshot: State { state.withLock { $0 } }

    func record(_ value: Int64) { record(Double(value)) }
    func recordNanoseconds(_ duration: Int64) { record(Double(duration) / 1e9) }

    func record(_ value: Double) {
        // Several times for each message: no closure. What is no number is above all bounds.
        var bucket = 0
        while bucket < bounds.count, !(value <= bounds[bucket]) { bucket += 1 }
        state.withLock { state in
            state.counts[bucket] += 1
            state.sum += value
        }
    }
}
