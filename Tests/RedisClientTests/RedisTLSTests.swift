import Foundation
import NIOCore
import NIOPosix
import NIOSSL
import RedisClient
import Synchronization
import TestKit
import TestSupport
import Testing

/// `rediss` against a real server with a certificate that nobody else trusts.
@Suite(.timeLimit(.minutes(1))) struct RedisTLSTests {
    @Test func `a server whose certificate is trusted is spoken to under TLS`() async throws {
        try await withServer { port, folder in
            for host in ["localhost", "127.0.0.1"] {
                let url = "rediss://\(host):\(port)/0?ca=\(folder)/certificate.pem"
                try await withLink(try RedisConfiguration(url: url)) { link, states in
                    let echo = try await link.send(["ECHO", "hi"], timeout: .seconds(20))
                    #expect(echo.string == "hi")
                    #expect(states.all.filter(\.isConnected).count == 1)
                }
            }
        }
    }

    @Test func `a server may want a certificate, and one for another name is believed only by that name`() async throws
    {
        try await withServer(clients: "yes") { port, folder in
            let base = "rediss://127.0.0.2:\(port)/0?ca=\(folder)/certificate.pem"
            let shown = "&cert=\(folder)/certificate.pem&key=\(folder)/key.pem"
            try await withLink(try RedisConfiguration(url: base + shown + "&name=localhost")) { link, _ in
                let echo = try await link.send(["ECHO", "hi"], timeout: .seconds(20))
                #expect(echo.string == "hi")
            }
            for wrong in [shown, shown + "&name=elsewhere", "&name=localhost"] {
                try await withLink(try RedisConfiguration(url: base + wrong)) { link, states in
                    try await states.until { $0.contains(where: \.isDisconnected) }
                    #expect(!link.isConnected)
                }
            }
        }
    }

    @Test func `a server whose certificate is not trusted is not spoken to`() async throws {
        try await withServer { port, _ in
            try await withLink(try RedisConfiguration(url: "rediss://localhost:\(port)")) { link, states in
                try await states.until { $0.contains(where: \.isDisconnected) }
                #expect(states.all.filter(\.isConnected).isEmpty)
                #expect(!link.isConnected)
            }
        }
    }

    @Test func `a certificate for an address is none for a name that leads there, which is sent no password`()
        async throws
    {
        let made = try TestCertificates()
        let server = try await ListeningServer.start(made.vouched(for: "127.0.0.1"))
        for (place, name) in [("localhost", ""), ("127.0.0.1", "&name=redis.internal")] {
            let url = "rediss://:secret@\(place):\(server.port)/0?ca=\(made.authorityFile)\(name)"
            try await withLink(try RedisConfiguration(url: url)) { _, states in
                try await states.until { $0.contains(where: \.isDisconnected) }
                let said = "\(states.all)"
                #expect(said.contains("its certificate is for another name"), "\(said)")
            }
        }
        #expect(server.received == 0)
        let url = "rediss://:secret@127.0.0.1:\(server.port)/0?ca=\(made.authorityFile)"
        try await withLink(try RedisConfiguration(url: url)) { _, _ in
            try await eventually { server.received > 0 }
        }
        try await server.stop()
    }

    @Test func `sentinels, and the primary that they name, are spoken to under TLS; until then links wait silently`()
        async throws
    {
        try await withServer { port, folder in
            var options = SentinelGroup.Options()
            options.certificates = folder
            let sentinel = try SentinelProcess(of: port, options)
            let url = "rediss+sentinel://127.0.0.1:\(sentinel.port)/primary?ca=\(folder)/certificate.pem"
            let configuration = try RedisConfiguration(url: url)
            let address = ShardAddress(of: configuration.topology)
            let loop = MultiThreadedEventLoopGroup.singleton.next()
            let (events, states) = (Recorder<TopologyWatch.Event>(), StateLog())
            let link = RedisCommandLink(
                configuration: configuration, address: address, eventLoop: loop, logger: .silent,
                onState: { states.record($0) })
            let watch = TopologyWatch(
                of: configuration, address: address, patience: .seconds(3), eventLoop: loop, logger: .silent
            ) { event in
                events.record(event)
                if case .moved = event { link.follow() }
            }
            link.start()
            watch.start()
            let primary = RedisConfiguration.Endpoint.tcp(host: "127.0.0.1", port: port)
            try await events.until { $0.contains(.moved(to: primary)) }
            #expect(address.current == primary)
            try await states.until { !$0.isEmpty }
            #expect(states.all.first?.isConnected == true)
            for closing in [link.shutdown(), watch.stop()] { try await closing.get() }
            sentinel.stop()
        }
    }

    private func withServer(
        clients: String = "no", _ body: (_ port: Int, _ folder: String) async throws -> Void
    ) async throws {
        let folder = FileManager.default.temporaryDirectory.path + "/redis-tls-\(UUID().uuidString.prefix(13))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(atPath: folder) }  // Nothing depends on its going.
        try await makeCertificate(in: folder)
        let (server, port) = try await start(in: folder, clients: clients)
        try await body(port, folder)
        server.stop()
    }

    /// Another test may be quicker at a port that was free: then another one is tried.
    private func start(in folder: String, clients: String) async throws -> (RedisServerProcess, port: Int) {
        var attempts = 0
        while true {
            let port = try await freePort()
            var options = RedisServerProcess.Options()
            options.arguments = [
                "--tls-port", "\(port)", "--tls-cert-file", folder + "/certificate.pem",
                "--tls-key-file", folder + "/key.pem", "--tls-ca-cert-file", folder + "/certificate.pem",
                "--tls-auth-clients", clients, "--bind", "127.0.0.1", "127.0.0.2",
            ]
            do {
                return (try RedisServerProcess(options), port)
            } catch  where attempts < 5 {
                attempts += 1
            }
        }
    }

    private func makeCertificate(in folder: String) async throws {
        let openssl = Process()
        openssl.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        openssl.arguments = [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-keyout", folder + "/key.pem", "-out", folder + "/certificate.pem", "-days", "2",
            "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
        ]
        openssl.standardError = FileHandle.nullDevice
        try await withCheckedThrowingContinuation { (ended: CheckedContinuation<Void, any Error>) in
            openssl.terminationHandler = { _ in ended.resume() }
            do { try openssl.run() } catch { ended.resume(throwing: error) }
        }
        try #require(openssl.terminationStatus == 0, "openssl makes the certificate")
    }

    /// A port that was free a moment ago.
    private func freePort() async throws -> Int {
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(channel.localAddress?.port)
        try await channel.close()
        return port
    }
}

/// Speaks TLS, says nothing, and counts the bytes that come.
private final class ListeningServer: Sendable {
    private let listener: any Channel
    private let count: Count
    let port: Int

    private final class Count: Sendable {
        let bytes = Mutex(0)
    }

    static func start(_ tls: NIOSSLContext) async throws -> ListeningServer {
        let count = Count()
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls))
                    try channel.pipeline.syncOperations.addHandler(Handler(count: count))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return ListeningServer(listener: listener, count: count)
    }

    private init(listener: any Channel, count: Count) {
        self.listener = listener
        self.count = count
        port = listener.localAddress?.port ?? 0
    }

    var received: Int { count.bytes.withLock { $0 } }

    func stop() async throws { try await listener.close() }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let count: Count

        init(count: Count) {
            self.count = count
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let bytes = unwrapInboundIn(data).readableBytes
            count.bytes.withLock { $0 += bytes }
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            context.close(promise: nil)
        }
    }
}
