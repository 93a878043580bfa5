import GatewayCore
import Metrics

/// The metrics of the backend.
final class BackendCounters: Sendable {
    private let stored: Counter
    private let refused: Counter
    private let unconfirmed: Counter
    private let unfit: Counter
    private let barred: Counter
    private let catchUps: Counter
    private let gaps: Counter
    private let epochs: Counter
    private let repeats: Counter
    private let unreadables: Counter
    private let coordinated: Gauge
    private let holdersSwept: Counter
    private let ghostsSwept: Counter
    private let repairs: Counter
    private let lag: Timer

    init(factory: any MetricsFactory) {
        func counter(_ name: String, _ labels: [(String, String)] = []) -> Counter {
            Counter(label: name, dimensions: labels, factory: factory)
        }
        stored = counter("martlet_messages_published_total", [("result", "stored")])
        refused = counter("martlet_messages_published_total", [("result", "failed")])
        unconfirmed = counter("martlet_messages_published_total", [("result", "unconfirmed")])
        barred = counter("martlet_messages_published_total", [("result", "barred")])
        unfit = counter("martlet_messages_published_total", [("result", "full")])
        catchUps = counter("martlet_room_catch_ups_total")
        gaps = counter("martlet_room_gaps_total")
        epochs = counter("martlet_room_epochs_total")
        repeats = counter("martlet_channel_repeats_total")
        unreadables = counter("martlet_channel_unreadable_total")
        coordinated = Gauge(label: "martlet_coordinated_partitions", factory: factory)
        holdersSwept = counter("martlet_holders_swept_total")
        ghostsSwept = counter("martlet_ghosts_swept_total")
        repairs = counter("martlet_presence_repairs_total")
        lag = Timer(label: "martlet_pubsub_lag_seconds", dimensions: [], factory: factory)
    }

    func published(_ result: Result<Published, BackendError>) {
        switch result {
        case .success: stored.increment()
        case .failure(.unconfirmed): unconfirmed.increment()
        case .failure(.full): unfit.increment()
        case .failure(.barred): barred.increment()
        case .failure: refused.increment()
        }
    }

    /// The log was asked for what a channel did not bring.
    func caughtUp() { catchUps.increment() }

    /// Messages of a room were lost for its followers.
    func lost() { gaps.increment() }

    /// A room went on under a new epoch, and its followers have lost nothing.
    func wentOn() { epochs.increment() }

    /// A message came twice and was dropped.
    func repeated() { repeats.increment() }

    func unreadable() { unreadables.increment() }

    /// A message came over its channel, so long after Redis had stored it.
    func came(after lag: Duration) { self.lag.recordNanoseconds(lag.nanoseconds) }

    func coordinates(_ partitions: Int) { coordinated.record(partitions) }

    /// What dead nodes had in a partition is gone: so many of their incarnations, or so many of their connections and places.
    func swept(holders: Int) { holdersSwept.increment(by: holders) }
    func swept(ghosts: Int) { ghostsSwept.increment(by: ghosts) }

    /// Redis and this node did not agree on so many connections and places.
    func repaired(_ count: Int) { repairs.increment(by: count) }
}
