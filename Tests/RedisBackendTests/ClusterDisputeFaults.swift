import Logging
import NIOPosix
import RedisBackend
import RedisClient
import Synchronization
import TestKit
import Testing
import TestSupport

/// A move of a slot that was broken off after its old server was told, and before its new one was.
@Suite("A slot that two primaries give to each other", .serialized)
struct ClusterDisputeFaults {
    @Test(arguments: RedisServerProcess.Engine.allCases)
    func `it is nobody's, told once, and the new server's as soon as that has it`(
        engine: RedisServerProcess.Engine
    ) async throws {
        var options = ClusterGroup.Options()
        (options.engine, options.replicas) = (engine, 0)
        let group = try await ClusterGroup.start(options)
        let (loop, map) = (MultiThreadedEventLoopGroup.singleton.next(), SlotMap())
        let configuration = try RedisConfiguration(url: group.url)
        let slot = Keys.slots[0]
        let owners = Mutex<[RedisConfiguration.Endpoint?]>([])
        let watch = TopologyWatch(
            of: configuration, address: ShardAddress(of: configuration.topology), map: map, slots: Keys.slots,
            patience: .seconds(1), eventLoop: loop, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        ) { event in
            guard case .mapped(let table) = event else { return }
            owners.withLock { if $0.isEmpty || $0.last != table[slot] { $0.append(table[slot]) } }
        }
        watch.start()
        let source = try await group.primary(of: Int(slot.number))
        let target = group.shards[(source.shard + 1) % 3][0]
        try await eventually("the map") { map.current[slot] != nil }
        let before = owners.withLock { $0.count }
        try await source.process.ask("CLUSTER", "SETSLOT", "\(slot.number)", "NODE", target.id)

        let asked = RedisFixture(on: source.process)
        let limit = try await asked.calls(of: "cluster|slots") + 30
        try await eventually("thirty rounds") {
            map.isDoubtful()
            return try await asked.calls(of: "cluster|slots") >= limit
        }
        // The source's word may come first.
        let told = owners.withLock { Array($0[before...]) }
        #expect(told.count <= 2 && told.last == .some(nil), "\(told)")

        try await target.process.ask("CLUSTER", "SETSLOT", "\(slot.number)", "NODE", target.id)
        try await eventually("the new server") {
            map.isDoubtful()
            return map.current[slot] == .tcp(host: "127.0.0.1", port: target.port)
        }
        try await watch.stop().get()
        try await group.stop()
    }
}
