import Metrics
import NIOCore
import RedisClient

/// How long each script takes, from the call to its answer or failure: waiting in the link and in Redis, the way there
/// and back; how many calls of it wait so, and how many have failed.
package struct ScriptTimes: Sendable {
    struct Series: Sendable {
        private let time: Timer
        private let errors: Counter
        private let waiting: Meter

        fileprivate init(of script: RedisScript, metrics: any MetricsFactory) {
            let labels = [("script", script.name)]
            time = Timer(label: "martlet_redis_command_duration_seconds", dimensions: labels, factory: metrics)
            errors = Counter(label: "martlet_redis_command_errors_total", dimensions: labels, factory: metrics)
            waiting = Meter(label: "martlet_redis_commands_waiting", dimensions: labels, factory: metrics)
        }

        func began() { waiting.increment() }

        func ended(since sent: NIODeadline, hasFailed: Bool) {
            waiting.decrement()
            time.recordNanoseconds((NIODeadline.now() - sent).nanoseconds)
            if hasFailed { errors.increment() }
        }
    }

    private let all: [String: Series]

    package init(of scripts: [RedisScript], metrics: any MetricsFactory) {
        all = Dictionary(uniqueKeysWithValues: scripts.map { ($0.name, Series(of: $0, metrics: metrics)) })
    }

    func series(of script: String) -> Series? { all[script] }
}
