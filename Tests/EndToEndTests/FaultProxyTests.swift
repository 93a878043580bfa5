import NIOCore
import NIOPosix
import Synchronization
import TestKit
import Testing
import TestSupport

@Suite("The proxy that ill-treats connections", .timeLimit(.minutes(3)))
struct FaultProxyTests {
    /// A server that writes down what it gets, a proxy before it, and a client of the proxy.
    private func withLine(
        _ body: (_ proxy: FaultProxy, _ client: any Channel, _ received: Received) async throws -> Void
    ) async throws {
        let received = Received()
        let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Notes(received))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(server.localAddress?.port)
        let proxy = try await FaultProxy.start(target: .tcp(host: "127.0.0.1", port: port))
        let client = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: proxy.port).get()
        try await body(proxy, client, received)
        try? await client.close()  // The test may have had the proxy close it.
        try await proxy.stop()
        try await server.close()
    }

    /// Sends it and returns when the proxy has it.
    private func send(_ text: String, _ client: any Channel, through proxy: FaultProxy) async throws {
        let before = try await proxy.counts().bytesFromClients
        try await client.writeAndFlush(ByteBuffer(string: text))
        try await proxy.waitUntil { $0.bytesFromClients == before + text.utf8.count }
    }

    @Test func `bytes that are delayed are not overtaken when the delay is lifted, shortened or followed by holding`()
        async throws
    {
        try await withLine { proxy, client, received in
            try await proxy.treat(.toServer, .delay(.hours(1)))
            try await send("a", client, through: proxy)
            try await proxy.treat(.toServer, .pass)
            try await send("b", client, through: proxy)
            try await eventually("ab") { received.text == "ab" }

            try await proxy.treat(.toServer, .delay(.hours(1)))
            try await send("c", client, through: proxy)
            try await proxy.treat(.toServer, .delay(.milliseconds(1)))
            try await send("d", client, through: proxy)
            try await eventually("abcd") { received.text == "abcd" }

            try await proxy.treat(.toServer, .delay(.hours(1)))
            try await send("e", client, through: proxy)
            try await proxy.treat(.toServer, .hold)
            try await send("f", client, through: proxy)
            try await proxy.treat(.toServer, .delay(.milliseconds(1)))
            try await send("g", client, through: proxy)
            try await eventually("abcdefg") { received.text == "abcdefg" }
        }
    }

    @Test func `what is held comes in order, what is dropped never, and what passes at once`() async throws {
        try await withLine { proxy, client, received in
            try await send("a", client, through: proxy)
            try await eventually("a") { received.text == "a" }
            try await proxy.treat(.toServer, .drop)
            try await send("b", client, through: proxy)
            try await proxy.treat(.toServer, .hold)
            try await send("c", client, through: proxy)
            try await send("d", client, through: proxy)
            #expect(received.text == "a")
            try await proxy.treat(.toServer, .pass)
            try await eventually("acd") { received.text == "acd" }
        }
    }

    @Test func `connections that are dropped by what they said first are those there are and those that come`()
        async throws
    {
        try await withLine { proxy, client, received in
            try await send("i am b,", client, through: proxy)
            try await eventually("b") { received.text == "i am b," }
            try await proxy.drop { String(decoding: $0, as: UTF8.self).hasPrefix("i am b") }
            try await send("lost,", client, through: proxy)
            let bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            let (second, other) = (
                try await bootstrap.connect(host: "127.0.0.1", port: proxy.port).get(),
                try await bootstrap.connect(host: "127.0.0.1", port: proxy.port).get()
            )
            try await send("i am b again,", second, through: proxy)
            try await send("i am c,", other, through: proxy)
            try await eventually("c") { received.text == "i am b,i am c," }

            try await proxy.dropNothing()
            try await second.closeFuture.get()
            try await send("still", other, through: proxy)
            try await eventually("c again") { received.text == "i am b,i am c,still" }
            try await other.close()
        }
    }
}

private final class Received: Sendable {
    private let bytes = Mutex("")
    var text: String { bytes.withLock { $0 } }
    func append(_ more: String) { bytes.withLock { $0 += more } }
}

private final class Notes: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let received: Received

    init(_ received: Received) { self.received = received }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        received.append(String(buffer: unwrapInboundIn(data)))
    }
}
