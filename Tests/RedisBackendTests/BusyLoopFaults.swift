import Dispatch
import GatewayCore
import NIOPosix
import RedisBackend
import TestKit
import Testing
import TestSupport

/// A node whose clients keep their loop busy for longer than a lease.
@Suite("A client loop that does not turn", .serialized)
struct BusyLoopFaults {
    private let redis: RedisServerProcess
    private let observer: Observer
    private let loop = MultiThreadedEventLoopGroup.singleton.next()
    private let lease = Duration.milliseconds(600)

    init() throws {
        redis = try RedisServerProcess()
        observer = try Observer(redis)
    }

    /// Instance, incarnation and when it has beaten last, in milliseconds.
    private func entry(of node: String) async throws -> (name: String, at: Int64) {
        let fields = try await redis.cli("HGET", observer.keys.index.name, node).split(separator: " ")
        try #require(fields.count > 3)
        return ("\(fields[0]) \(fields[1])", try #require(Int64(fields[3])))
    }

    @Test func `moves no lease: the node stays in the index, its coordinator goes on, and nobody is told offline`()
        async throws
    {
        let clients = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let life = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let node = try await PresenceNode.start(
            "n1", on: redis, settings: .brisk(lease: lease), loop: clients.next(), life: life.next())
        let other = try await PresenceNode.start("n2", on: redis, settings: .brisk(lease: lease), loop: loop)
        for number in 0..<20 {
            try await node.connect("c\(number)", "u\(number)")
            try await node.join("r", "c\(number)")
        }
        try await other.connect("d", "gone")
        let before = try await entry(of: "n1")
        let holdUp = DispatchSemaphore(value: 0)
        do {
            defer { holdUp.signal() }
            clients.next().execute { holdUp.wait() }
            // A death meanwhile is seen and told by the node that is held up.
            try await other.kill()
            try await eventually("five more leases, and a death told") {
                let ledger = try await observer.texts()
                return try await entry(of: "n1").at > before.at + 5 * lease.milliseconds
                    && ledger.contains("user.offline gone node_lost")
            }
        }
        try await node.connect("e", "late")
        #expect(try await entry(of: "n1").name == before.name)
        #expect(try await observer.texts().filter { $0.hasPrefix("user.offline") } == ["user.offline gone node_lost"])
        #expect(try await node.directory.users(limit: 1, cursor: nil).total == 21)
        try await node.stop()
        try await clients.shutdownGracefully()
        try await life.shutdownGracefully()
    }
}
