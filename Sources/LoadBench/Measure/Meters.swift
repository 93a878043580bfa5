/// The processes whose use a run reads.
package struct Meters: Sendable {
    package var server: ProcessMeter?
    package var redis: ProcessMeter?

    /// Takes the pids given, and looks for those that were not: the listener at the target, the Redis below it.
    package init(target: LoopbackTarget, serverPid: Int32?, redisPid: Int32?) throws(BenchFailure) {
        let serverPid = serverPid ?? ProcessFinder.listener(at: target)
        let redisPid = redisPid ?? serverPid.flatMap(ProcessFinder.redis(under:))
        server = serverPid.map(ProcessMeter.init)
        redis = redisPid.map(ProcessMeter.init)
        _ = try read()
    }

    init(serverPid: Int32) {
        server = ProcessMeter(pid: serverPid)
    }

    func read() throws(BenchFailure) -> Reading {
        Reading(
            server: try server?.read(), redis: try redis?.read(), ownCPUSeconds: ProcessMeter.ownCPUSeconds(),
            at: Clock.now)
    }

    struct Reading {
        var server: ProcessUse?
        var redis: ProcessUse?
        var ownCPUSeconds: Double
        var at: UInt64
    }
}
