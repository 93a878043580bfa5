import GatewayCore
import Logging
import Metrics
import NIOPosix
import ServiceLifecycle
import SocketServer

/// A server on a loopback port of its own, over a backend in memory.
struct TestServer {
    let server: SocketServer
    let backend: InMemoryBackend
    let port: Int
    let services: ServiceGroup

    /// Runs one while `body` runs, then shuts it down and waits for its end.
    static func run<Value: Sendable>(
        backend: InMemoryBackend = InMemoryBackend(),
        logger: Logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }),
        memory: MemoryAccount = MemoryAccount(budget: .max),
        _ configure: (inout SocketServerConfiguration) -> Void = { _ in },
        _ body: (TestServer) async throws -> Value
    ) async throws -> Value {
        var configuration = SocketServerConfiguration()
        configuration.port = 0
        configuration.nodeId = "n1"
        configuration.drainTimeout = .zero
        // A busy machine may take its time over a handshake.
        configuration.handshakeTimeout = .seconds(60)
        // Clients of a test that is over answer nothing.
        configuration.closeTimeout = .milliseconds(200)
        configure(&configuration)
        let server = SocketServer(
            configuration: configuration, group: MultiThreadedEventLoopGroup.singleton, streams: backend, log: backend,
            presence: backend, presenceDirectory: backend, governor: backend, metrics: NOOPMetricsHandler.instance,
            logger: logger,
            memory: memory)
        let services = ServiceGroup(services: [server], logger: logger)
        async let running: Void = services.run()
        let port = try await server.boundPort
        let result: Result<Value, any Error>
        do {
            let test = TestServer(server: server, backend: backend, port: port, services: services)
            result = .success(try await body(test))
        } catch {
            result = .failure(error)
        }
        await services.triggerGracefulShutdown()
        try await running
        return try result.get()
    }

    func connect(_ target: String = "/ws?userId=alice", headers: [(String, String)] = []) async throws -> TestClient {
        let client = try await TestClient.connect(port: port)
        try await client.upgrade(target, headers: headers)
        return client
    }

    /// Connected and past `welcome`.
    func enter(_ user: String = "alice") async throws -> TestClient {
        let client = try await connect("/ws?userId=\(user)")
        _ = try await client.text(containing: #""type":"welcome""#)
        return client
    }
}
