import Metrics
import Synchronization

/// Adds up what counters and gauges are told, by label and dimensions: `closed{code=1000}`.
final class CountingMetrics: MetricsFactory {
    private let values = Mutex<[String: Double]>([:])

    subscript(name: String) -> Double { values.withLock { $0[name] ?? 0 } }

    /// Whether there is such a line, whatever it says.
    func told(_ name: String) -> Bool { values.withLock { $0[name] != nil } }

    private final class Handler: CounterHandler, FloatingPointCounterHandler, MeterHandler, RecorderHandler,
        TimerHandler
    {
        let name: String
        let metrics: CountingMetrics

        init(_ name: String, _ metrics: CountingMetrics) {
            self.name = name
            self.metrics = metrics
            metrics.values.withLock { $0[name] = $0[name] ?? 0 }
        }

        func increment(by amount: Int64) { increment(by: Double(amount)) }
        func increment(by amount: Double) { metrics.values.withLock { $0[name, default: 0] += amount } }
        func decrement(by amount: Double) { increment(by: -amount) }
        func set(_ value: Int64) { set(Double(value)) }
        func set(_ value: Double) { metrics.values.withLock { $0[name] = value } }
        func record(_ value: Int64) { set(value) }
        func record(_ value: Double) { set(value) }
        func recordNanoseconds(_ duration: Int64) { set(duration) }
        func reset() { set(0.0) }
    }

    private func handler(_ label: String, _ dimensions: [(String, String)]) -> Handler {
        guard !dimensions.isEmpty else { return Handler(label, self) }
        return Handler("\(label){\(dimensions.map { "\($0.0)=\($0.1)" }.joined(separator: ","))}", self)
    }

    func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        handler(label, dimensions)
    }

    func makeFloatingPointCounter(
        label: String, dimensions: [(String, String)]
    ) -> any FloatingPointCounterHandler {
        handler(label, dimensions)
    }

    func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler { handler(label, dimensions) }

    func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
        handler(label, dimensions)
    }

    func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler { handler(label, dimensions) }

    func destroyCounter(_ handler: any CounterHandler) {}
    func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) {}
    func destroyMeter(_ handler: any MeterHandler) {}
    func destroyRecorder(_ handler: any RecorderHandler) {}
    func destroyTimer(_ handler: any TimerHandler) {}
}
