import Hummingbird
import Metrics

/// Counts the requests of the api port, by few words: names in paths and methods of one's own invention are not among them.
struct RequestMetrics: Sendable {
    let registry: MetricsRegistry

    /// `route` is nil where there was none.
    func answered(
        _ route: Route?, _ method: HTTPRequest.Method, _ status: HTTPResponse.Status, since: ContinuousClock.Instant
    ) {
        let name = route?.name ?? "other"
        let isKnown = route?.methods.contains(method) ?? false
        count(route: name, method: isKnown ? method.rawValue : "other", status: status.code)
        Timer(label: "martlet_api_request_duration", dimensions: [("route", name)], factory: registry)
            .recordNanoseconds(since.duration(to: .now).nanoseconds)
    }

    /// A request was refused by its head, before anything was looked for.
    func refused(status: Int) {
        count(route: "other", method: "other", status: status)
    }

    private func count(route: String, method: String, status: Int) {
        Counter(
            label: "martlet_api_requests_total",
            dimensions: [("route", route), ("method", method), ("status", "\(status)")], factory: registry
        ).increment()
    }
}
