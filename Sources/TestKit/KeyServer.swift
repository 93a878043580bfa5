import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Synchronization

/// An issuer's web server, over TLS, that shows whatever a test puts there.
package final class KeyServer: Sendable {
    private struct State {
        var body = ""
        var status = HTTPResponseStatus.ok
        var location: String?
        var requests = 0
    }

    private let channel: any Channel
    private let state: SharedState

    private final class SharedState: Sendable {
        let value = Mutex(State())
    }

    package static func start(_ tls: NIOSSLContext, body: String = "", port: Int = 0) async throws -> KeyServer {
        let state = SharedState()
        state.value.withLock { $0.body = body }
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.addHandler(NIOSSLServerHandler(context: tls))
                    try pipeline.configureHTTPServerPipeline()
                    try pipeline.addHandler(Handler(state: state))
                }
            }
            .bind(host: "127.0.0.1", port: port).get()
        return KeyServer(channel: channel, state: state)
    }

    private init(channel: any Channel, state: SharedState) {
        self.channel = channel
        self.state = state
    }

    deinit {
        channel.close(promise: nil)
    }

    /// For a certificate whose name is `localhost`.
    package var url: String { "https://localhost:\(channel.localAddress?.port ?? 0)/.well-known/jwks.json" }

    /// How often it was asked.
    package var requests: Int { state.value.withLock { $0.requests } }

    package func show(_ body: String, status: Int = 200, location: String? = nil) {
        state.value.withLock { state in
            state.body = body
            state.status = HTTPResponseStatus(statusCode: status)
            state.location = location
        }
    }

    /// Nobody is there any more.
    package func stop() async throws { try await channel.close() }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart

        let state: SharedState

        init(state: SharedState) {
            self.state = state
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            guard case .end = unwrapInboundIn(data) else { return }
            let answer = state.value.withLock { state in
                state.requests += 1
                return state
            }
            var headers = HTTPHeaders([("Content-Length", "\(answer.body.utf8.count)")])
            if let location = answer.location { headers.add(name: "Location", value: location) }
            let head = HTTPResponseHead(version: .http1_1, status: answer.status, headers: headers)
            context.write(wrapOutboundOut(.head(head)), promise: nil)
            context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: answer.body)))), promise: nil)
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        }
    }
}
