import NIOCore
import NIOPosix
import NIOSSL
import ServerTrust

/// One `GET` whose whole answer is wanted, on a connection of its own.
enum HTTPFetch {
    /// What is longer is no answer of a node.
    private static let maxBytes = 16 << 20

    /// The body of an answer with status 200.
    ///
    /// - Parameter key: shown as bearer token; over TLS only to whom the system's authorities vouch for.
    static func get(
        _ path: String, of target: HealthProbe.Target, key: String?, within limit: Duration
    ) async throws(HealthProbe.Failure) -> String {
        let authorization = key.map { "Authorization: Bearer \($0)\r\n" } ?? ""
        let request = "GET \(path) HTTP/1.0\r\nHost: \(target.authority)\r\n\(authorization)\r\n"
        let text: String
        do {
            let context = target.isSecure ? try NIOSSLContext(configuration: .makeClientConfiguration()) : nil
            let loop = MultiThreadedEventLoopGroup.singleton.next()
            let answer = loop.makePromise(of: String.self)
            let deadline = loop.scheduleTask(in: TimeAmount(limit)) {
                answer.fail(HealthProbe.Failure(description: "does not answer"))
            }
            defer { deadline.cancel() }
            let channel = ClientBootstrap(group: loop)
                .connectTimeout(TimeAmount(limit))
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        let pipeline = channel.pipeline.syncOperations
                        if let context {
                            try pipeline.addHandler(
                                NIOSSLClientHandler.speaking(to: target.host, context: context))
                        }
                        try pipeline.addHandler(WholeAnswer(request: request, answer: answer, maxBytes: maxBytes))
                    }
                }
                .connect(host: target.host, port: target.port)
            channel.whenFailure { answer.fail($0) }
            defer { channel.whenSuccess { $0.close(promise: nil) } }
            text = try await answer.futureResult.get()
        } catch let failure as HealthProbe.Failure {
            throw failure
        } catch {
            throw HealthProbe.Failure(description: "cannot be reached")
        }
        guard text.hasPrefix("HTTP/1."), let end = text.firstRange(of: "\r\n\r\n"),
            let status = Int(text.dropFirst(9).prefix(3))
        else { throw HealthProbe.Failure(description: "does not answer in HTTP") }
        guard ![401, 403].contains(status) else {
            throw HealthProbe.Failure(
                description: "refuses the key (\(status)); give one that may read by --key-file", isOfKey: true)
        }
        guard status == 200 else { throw HealthProbe.Failure(description: "answers \(status)") }
        return String(text[end.upperBound...])
    }

    private final class WholeAnswer: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        private let request: String
        private let answer: EventLoopPromise<String>
        private let maxBytes: Int
        private var bytes = ByteBuffer()

        init(request: String, answer: EventLoopPromise<String>, maxBytes: Int) {
            self.request = request
            self.answer = answer
            self.maxBytes = maxBytes
        }

        func channelActive(context: ChannelHandlerContext) {
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: request)), promise: nil)
            context.fireChannelActive()
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            bytes.writeImmutableBuffer(unwrapInboundIn(data))
            guard bytes.readableBytes > maxBytes else { return }
            answer.fail(HealthProbe.Failure(description: "answers more than a node would"))
            context.close(promise: nil)
        }

        func channelInactive(context: ChannelHandlerContext) {
            answer.succeed(String(buffer: bytes))
            context.fireChannelInactive()
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            answer.fail(error)
            context.close(promise: nil)
        }
    }
}
