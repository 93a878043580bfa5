import Hummingbird
import Metrics
import Synchronization

/// The counters and timers of the api port's requests, by few words: names in paths and methods of one's own invention are not among them.
///
/// What was counted once is held, so that a request asks the registry for nothing; the lock guards no more than that.
final class RequestMetrics: Sendable {
    /// The labels of a counter; all three come from small closed sets.
    private struct Words: Hashable {
        let route: String
        let method: String
        let status: Int
    }

    private struct Held {
        var counters: [Words: Counter] = [:]
        var timers: [String: Timer] = [:]
    }

    private let registry: MetricsRegistry
    private let held = Mutex(Held())

    init(registry: MetricsRegistry) {
        self.registry = registry
        registry.announce("martlet_api_requests_total", .counter)
        registry.announce("martlet_api_request_duration_seconds", .histogram)
    }

    /// What counts the answers of one kind.
    struct Series: Sendable {
        fileprivate let requests: Counter
        fileprivate let durations: Timer

        func answered(since began: ContinuousClock.Instant) {
            requests.increment()
            durations.recordNanoseconds(began.duration(to: .now).nanoseconds)
        }
    }

    /// `route` is nil where there was none.
    func answered(
        _ route: Route?, _ method: HTTPRequest.Method, _ status: HTTPResponse.Status, since: ContinuousClock.Instant
    ) {
        series(route, method, status).answered(since: since)
    }

    /// Looked up, which whoever answers the same again and again need not do each time.
    func series(_ route: Route?, _ method: HTTPRequest.Method, _ status: HTTPResponse.Status) -> Series {
        let name = route?.name ?? "other"
        let isKnown = route?.methods.contains(method) ?? false
        let words = Words(route: name, method: isKnown ? method.rawValue : "other", status: status.code)
        return held.withLock { held in
            Series(requests: counter(of: words, in: &held), durations: timer(of: name, in: &held))
        }
    }

    /// A request was refused by its head, before anything was looked for.
    func refused(status: Int) {
        let words = Words(route: "other", method: "other", status: status)
        held.withLock { counter(of: words, in: &$0) }.increment()
    }

    private func counter(of words: Words, in held: inout Held) -> Counter {
        if let known = held.counters[words] { return known }
        let counter = Counter(
            label: "martlet_api_requests_total",
            dimensions: [("route", words.route), ("method", words.method), ("status", "\(words.status)")],
            factory: registry)
        held.counters[words] = counter
        return counter
    }

    private func timer(of route: String, in held: inout Held) -> Timer {
        if let known = held.timers[route] { return known }
        let timer = Timer(label: "martlet_api_request_duration", dimensions: [("route", route)], factory: registry)
        held.timers[route] = timer
        return timer
    }
}
