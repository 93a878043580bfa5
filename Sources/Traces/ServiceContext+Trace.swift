import GatewayCore
import Tracing

private enum TraceKey: ServiceContextKey {
    typealias Value = TraceContext
    static let nameOverride: String? = "martlet-trace"
}

private enum CauseKey: ServiceContextKey {
    typealias Value = TraceContext
    static let nameOverride: String? = "martlet-cause"
}

extension ServiceContext {
    /// The span that is under way, or the one at the caller's that this call belongs to.
    package var trace: TraceContext? {
        get { self[TraceKey.self] }
        set { self[TraceKey.self] = newValue }
    }

    /// What a request's events are told to have been caused by: its own `traceparent`, or its span's where it had none.
    package var cause: TraceContext? {
        get { self[CauseKey.self] }
        set { self[CauseKey.self] = newValue }
    }
}
