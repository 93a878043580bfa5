import GatewayCore
import Metrics
import Synchronization

/// The health of the backend, part by part, as the links and the registry told it.
final class Health: Sendable {
    enum Part: Int, CaseIterable, Sendable {
        case address, commands, servers, canary, subscriptions, coordination, registration, checks

        /// What is said while it is missing.
        var reason: String {
            switch self {
            case .address: "it is not known where the primary is"
            case .commands: "Redis is not reached"
            case .servers: "the links to Redis do not all lead to one primary"
            case .canary: "a message that the node sends to itself through Redis does not come back"
            case .subscriptions: "the subscriptions to Redis are not in place"
            case .coordination: "the link over which the node looks after what all nodes share is away"
            case .registration: "the node is not registered in Redis"
            case .checks: "Redis has not been checked"
            }
        }
    }

    /// Without which a node can neither command nor hear, however well it beats.
    private static let ability: [Part] = [.commands, .servers, .canary, .subscriptions, .coordination]

    private struct State {
        var parts: Set<Part> = []
        /// Why a part is missing, where more can be said than that it is.
        var reasons: [Part: String] = [:]
        /// What Redis refuses the node of what it has to do for all.
        var refusedDuty: String?
        /// Why the address of the primary is not certain.
        var addressDoubt: String?
        /// When the node's lease ends, unless it is renewed.
        var leaseEnd = MonotonicTime(nanoseconds: .min)
    }

    private let state = Mutex(State())
    private let isUp: Gauge
    private let answering: Gauge

    init(metrics: any MetricsFactory) {
        isUp = Gauge(label: "martlet_redis_up", dimensions: [], factory: metrics)
        isUp.record(0)
        answering = Gauge(label: "martlet_redis_partitions_answering", dimensions: [], factory: metrics)
        answering.record(0)
    }

    /// A beat was answered: until then nobody takes the node for dead.
    func leased(until end: MonotonicTime) { state.withLock { $0.leaseEnd = end } }

    /// How long that is.
    func leaseLeft(now: MonotonicTime) -> Duration {
        let end = state.withLock { $0.leaseEnd }
        return end > now ? end - now : .zero
    }

    /// So many partitions take commands, and what is published there comes.
    func count(answering partitions: Int) { answering.record(partitions) }

    /// - Parameter reason: why it is missing, where more can be said than that.
    func set(_ part: Part, _ isThere: Bool, because reason: String? = nil) {
        let isWhole = state.withLock { state in
            if isThere { state.parts.insert(part) } else { state.parts.remove(part) }
            state.reasons[part] = reason
            return state.parts.count == Part.allCases.count
        }
        isUp.record(isWhole ? 1 : 0)
    }

    /// Redis refuses the node something that whoever coordinates does, or nothing. Clients are served all the same.
    func refuseDuty(_ reason: String?) { state.withLock { $0.refusedDuty = reason } }

    /// Whether the primary is where the links lead is not certain, or it is.
    func doubtAddress(_ reason: String?) { state.withLock { $0.addressDoubt = reason } }

    /// Why the links may lead to a former primary; nil where that cannot be.
    var addressDoubt: String? { state.withLock { $0.addressDoubt } }

    /// Why others are to do what the node has to do for all; nil where it can.
    var dutyProblem: String? {
        state.withLock { $0.refusedDuty.map { "Redis refuses what the node has to do for all nodes: \($0)" } }
    }

    /// Whether the node can command and hear.
    var isAble: Bool {
        state.withLock { state in Health.ability.allSatisfy { state.parts.contains($0) } }
    }

    /// Whether commands are answered, and what is published comes.
    var isAnswering: Bool { state.withLock { $0.parts.isSuperset(of: [.commands, .canary]) } }

    /// Nil where all is well, else the first thing that is missing.
    var problem: String? { problem(besides: nil) }

    /// - Parameter known: what need not be said.
    func problem(besides known: Part?) -> String? {
        let state = state.withLock { $0 }
        guard let missing = Part.allCases.first(where: { $0 != known && !state.parts.contains($0) }) else { return nil }
        let problem = state.reasons[missing].map { "\(missing.reason): \($0)" } ?? missing.reason
        return addressDoubt.map { "\(problem); \($0)" } ?? problem
    }
}
