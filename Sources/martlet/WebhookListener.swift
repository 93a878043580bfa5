import NIOCore
import NIOHTTP1
import NIOPosix

/// A small HTTP server for webhooks; it keeps connections open and takes bodies of up to 16 MiB.
enum WebhookListener {
    static func bind(
        host: String, port: Int, delay: Duration, journal: WebhookJournal
    ) async throws -> any Channel {
        try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(
                        WebhookRequestHandler(delay: TimeAmount(delay), journal: journal))
                }
            }
            .bind(host: host, port: port).get()
    }
}

/// One connection's requests, one after the other.
private final class WebhookRequestHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private static let maxBodyBytes = 16 << 20

    private let delay: TimeAmount
    private let journal: WebhookJournal
    private var body: [UInt8] = []
    private var signature: String?
    private var isPost = false

    init(delay: TimeAmount, journal: WebhookJournal) {
        self.delay = delay
        self.journal = journal
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            body = []
            isPost = head.method == .POST
            signature = head.headers.first(name: "Martlet-Signature")
        case .body(let part):
            body += part.readableBytesView
            if body.count > WebhookRequestHandler.maxBodyBytes { context.close(promise: nil) }
        case .end:
            let status = isPost ? journal.receive(body, signature: signature) : 405
            context.eventLoop.assumeIsolated().scheduleTask(in: delay) { self.answer(status, context) }
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    private func answer(_ status: UInt, _ context: ChannelHandlerContext) {
        let head = HTTPResponseHead(
            version: .http1_1, status: HTTPResponseStatus(statusCode: Int(status)), headers: ["Content-Length": "0"])
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }
}
