import Metrics
import NIOCore
import RedisClient

/// How long each script takes, from the call to its answer or failure: waiting in the link and in Redis, the way there
/// and back.
package struct ScriptTimes: Sendable {
    private let timers: [String: Timer]

    package init(of scripts: [RedisScript], metrics: any MetricsFactory) {
        timers = Dictionary(
            uniqueKeysWithValues: scripts.map {
                let labels = [("script", $0.name)]
                return (
                    $0.name,
                    Timer(
                        label: "martlet_redis_command_duration_seconds", dimensions: labels, factory: metrics)
                )
            })
    }

    func record(_ script: String, since sent: NIODeadline) {
        timers[script]?.recordNanoseconds((NIODeadline.now() - sent).nanoseconds)
    }
}
