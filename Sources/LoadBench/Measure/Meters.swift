/// The processes whose use a run reads.
package struct Meters: Sendable {
    /// One for each node; their use is added up.
    package var servers: [ProcessMeter]
    package var redis: ProcessMeter?

    /// Takes the pids given, and looks for those that were not: the listeners at the targets, the Redis below one.
    package init(of options: LoadOptions) throws(BenchFailure) {
        let found =
            options.serverPids.isEmpty
            ? options.targets.compactMap(ProcessFinder.listener(at:)) : options.serverPids
        let redisPid = options.redisPid ?? found.lazy.compactMap(ProcessFinder.redis(under:)).first
        servers = Set(found).sorted().map(ProcessMeter.init)
        redis = redisPid.map(ProcessMeter.init)
        _ = try read()
    }

    init(serverPid: Int32) {
        servers = [ProcessMeter(pid: serverPid)]
    }

    func read() throws(BenchFailure) -> Reading {
        var whole: ProcessUse?
        for server in servers {
            let use = try server.read()
            whole = whole.map { $0 + use } ?? use
        }
        return Reading(
            server: whole, redis: try redis?.read(), redisCommands: redis.flatMap { RedisCommands(of: $0.pid) },
            ownCPUSeconds: ProcessMeter.ownCPUSeconds(),
            at: Clock.now)
    }

    struct Reading {
        var server: ProcessUse?
        var redis: ProcessUse?
        /// Nil where Redis cannot be asked.
        var redisCommands: RedisCommands?
        var ownCPUSeconds: Double
        var at: UInt64
    }
}
