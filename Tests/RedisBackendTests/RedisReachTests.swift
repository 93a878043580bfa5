import GatewayCore
import Logging
import Metrics
import NIOPosix
import RedisBackend
import RedisClient
import TestKit
import TestSupport
import Testing

/// What a node says of a Redis that it does not reach.
@Suite struct RedisReachTests {
    @Test func `why Redis is not reached is said`() async throws {
        let made = try TestCertificates()
        let server = try await HookServer.start(tls: made.vouched(for: "other.example"))
        let trusting = "rediss://localhost:\(server.port)?ca=\(made.authorityFile)"
        for (url, reason) in [
            ("redis://127.0.0.1:1", "Connection refused"), (trusting, "its certificate is for another name"),
            (
                "rediss://localhost:\(server.port)",
                "its certificate has expired, or comes from no authority that this node knows"
            ),
        ] {
            let backend = try backend(url)
            let run = Task { try await backend.run() }
            try await eventually("\(reason)") { backend.problem == "Redis is not reached: \(reason)" }
            run.cancel()
            _ = await run.result
        }
    }

    private func backend(_ url: String) throws -> Backend {
        let configuration = Backend.Configuration(
            redis: try RedisConfiguration(url: url), nodeId: "node", version: "0.0.0", rules: RoomRules())
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        return Backend(
            configuration: configuration, eventLoop: loop, life: loop,
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }),
            metrics: NOOPMetricsHandler.instance, load: { NodeLoad(connections: 1, rooms: 2, processor: 0.5) })
    }
}
