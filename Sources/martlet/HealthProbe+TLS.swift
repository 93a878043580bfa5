import NIOCore
import NIOPosix
import NIOSSL

/// The same request over TLS. Whose certificate it is, is not asked: the port is one of this machine's own, and what is asked
/// is no secret.
extension HealthProbe {
    static func secureStatus(of target: Target, timeout: Int) throws(Failure) -> Int {
        do {
            var configuration = TLSConfiguration.makeClientConfiguration()
            configuration.certificateVerification = .none
            let context = try NIOSSLContext(configuration: configuration)
            let limit = TimeAmount.seconds(Int64(timeout))
            let loop = MultiThreadedEventLoopGroup.singleton.next()
            let line = loop.makePromise(of: String.self)
            let deadline = loop.scheduleTask(in: limit) { line.fail(Failure(description: "does not answer")) }
            defer { deadline.cancel() }
            let channel = ClientBootstrap(group: loop)
                .connectTimeout(limit)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        let pipeline = channel.pipeline.syncOperations
                        try pipeline.addHandler(NIOSSLClientHandler(context: context, serverHostname: nil))
                        try pipeline.addHandler(StatusLine(target: target, line: line))
                    }
                }
                .connect(host: target.host, port: target.port)
            channel.whenFailure { line.fail($0) }
            let text = try line.futureResult.wait()
            guard text.hasPrefix("HTTP/1."), let status = Int(text.suffix(3)) else {
                throw Failure(description: "does not answer in HTTP")
            }
            return status
        } catch let failure as Failure {
            throw failure
        } catch {
            throw Failure(description: "cannot be reached over TLS: \(error)")
        }
    }

    /// Asks, and keeps the first twelve bytes of the answer: `HTTP/1.1 200`.
    private final class StatusLine: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        private let target: Target
        private let line: EventLoopPromise<String>
        private var bytes = ByteBuffer()

        init(target: Target, line: EventLoopPromise<String>) {
            self.target = target
            self.line = line
        }

        func channelActive(context: ChannelHandlerContext) {
            let request = "GET \(target.path) HTTP/1.0\r\nHost: \(target.authority)\r\n\r\n"
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: request)), promise: nil)
            context.fireChannelActive()
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            bytes.writeImmutableBuffer(unwrapInboundIn(data))
            guard let text = bytes.getString(at: bytes.readerIndex, length: 12) else { return }
            line.succeed(text)
            context.close(promise: nil)
        }

        func channelInactive(context: ChannelHandlerContext) {
            line.fail(Failure(description: "does not answer"))
            context.fireChannelInactive()
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            line.fail(error)
            context.close(promise: nil)
        }
    }
}
