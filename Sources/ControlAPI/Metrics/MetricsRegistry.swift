import Metrics
import Synchronization

/// Everything that is counted in this process, for `/metrics`.
///
/// Its instruments may be used from any thread. Whoever asks twice for the same name and labels gets the same
/// instrument, so a registry never grows with use, only with new labels, and those are bounded: what is beyond
/// `maxSeries` is counted nowhere, and `martlet_metrics_dropped_total` says so.
package final class MetricsRegistry: MetricsFactory, Sendable {
    /// All series of one name.
    struct Family: Sendable {
        var kind: Kind
        /// By their labels as they are rendered: `{a="b"}`, or nothing.
        var series: [String: Instrument] = [:]
    }

    enum Kind: Sendable {
        case counter, floatingPointCounter, gauge, summary, histogram
    }

    private struct State {
        var families: [String: Family] = [:]
        var seriesCount = 0
        var dropped: Int64 = 0
    }

    private let state = Mutex(State())
    private let maxSeries: Int

    package init(maxSeries: Int = 2000) {
        self.maxSeries = maxSeries
        ProcessMetrics.begin()
    }

    /// All of it as text, in the format that `PrometheusText.contentType` names.
    package func text() -> String {
        let (families, dropped) = state.withLock { ($0.families, $0.dropped) }
        return PrometheusText.render(families, dropped: dropped)
    }

    /// Shows a family's name and meaning before anything of it is counted.
    func announce(_ name: String, _ kind: Kind) {
        state.withLock { state in
            if state.families[name] == nil { state.families[name] = Family(kind: kind) }
        }
    }

    /// A gauge that is read when it is shown, on whatever thread asks: what has to be true even while nobody turns.
    package func observe(
        _ label: String, dimensions: [(String, String)] = [], _ read: @escaping @Sendable () -> Double
    ) {
        let (name, labels) = (PrometheusText.name(label), PrometheusText.labels(dimensions))
        state.withLock { state in
            state.families[name, default: Family(kind: .gauge)].series[labels] = .observed(read)
            state.seriesCount += 1
        }
    }

    package func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        if case .counter(let cell) = instrument(.counter, label, dimensions) { return cell }
        return CounterCell()
    }

    package func makeFloatingPointCounter(
        label: String, dimensions: [(String, String)]
    ) -> any FloatingPointCounterHandler {
        if case .floatingPointCounter(let cell) = instrument(.floatingPointCounter, label, dimensions) { return cell }
        return NumberCell()
    }

    package func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        if case .gauge(let cell) = instrument(.gauge, label, dimensions) { return cell }
        return NumberCell()
    }

    package func makeRecorder(
        label: String, dimensions: [(String, String)], aggregate: Bool
    ) -> any RecorderHandler {
        switch instrument(aggregate ? .summary : .gauge, label, dimensions) {
        case .summary(let distribution): return distribution
        case .gauge(let cell): return cell
        case .counter, .floatingPointCounter, .observed, .histogram, nil: return NumberCell()
        }
    }

    /// Seconds; the name gets the unit if it does not end with it.
    package func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        let name = label.hasSuffix("_seconds") ? label : label + "_seconds"
        if case .histogram(let distribution) = instrument(.histogram, name, dimensions) { return distribution }
        return Distribution(bounds: [])
    }

    // Instruments are shared by all who asked for them, so one who is done with his takes nothing away.
    package func destroyCounter(_ handler: any CounterHandler) {}
    package func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) {}
    package func destroyMeter(_ handler: any MeterHandler) {}
    package func destroyRecorder(_ handler: any RecorderHandler) {}
    package func destroyTimer(_ handler: any TimerHandler) {}

    /// The instrument of this name and these labels; nil where there are too many, or the name is taken for another kind.
    private func instrument(_ kind: Kind, _ label: String, _ dimensions: [(String, String)]) -> Instrument? {
        let name = PrometheusText.name(label)
        let labels = PrometheusText.labels(dimensions)
        return state.withLock { state in
            var family = state.families[name] ?? Family(kind: kind)
            if let known = family.series[labels], family.kind == kind { return known }
            guard family.kind == kind, state.seriesCount < maxSeries else {
                state.dropped += 1
                return nil
            }
            let new = MetricsRegistry.make(kind)
            family.series[labels] = new
            state.families[name] = family
            state.seriesCount += 1
            return new
        }
    }

    private static func make(_ kind: Kind) -> Instrument {
        switch kind {
        case .counter: .counter(CounterCell())
        case .floatingPointCounter: .floatingPointCounter(NumberCell())
        case .gauge: .gauge(NumberCell())
        case .summary: .summary(Distribution(bounds: []))
        case .histogram: .histogram(Distribution(bounds: Distribution.timerBounds))
        }
    }
}
