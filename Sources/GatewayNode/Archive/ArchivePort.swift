import NIOCore
import NIOHTTP1
import NIOPosix

/// The port of a worker of the archive: `/healthz`, `/readyz` and `/metrics`.
enum ArchivePort {
    /// What there is to tell, from any thread.
    struct Sources: Sendable {
        /// Nil where the worker can work.
        let problem: @Sendable () -> String?
        let metrics: @Sendable () -> String
    }

    static func open(host: String, port: Int, group: any EventLoopGroup, _ sources: Sources) async throws -> any Channel
    {
        try await ServerBootstrap(group: group)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(ArchiveRequestHandler(sources))
                }
            }
            .bind(host: host, port: port).get()
    }
}

/// One connection's requests, one after the other.
private final class ArchiveRequestHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let sources: ArchivePort.Sources
    private var asked: HTTPRequestHead?

    init(_ sources: ArchivePort.Sources) {
        self.sources = sources
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): asked = head
        case .body: break
        case .end:
            guard let head = asked else { return }
            let (status, text) = answer(head)
            let body = ByteBuffer(string: text + (text.hasSuffix("\n") ? "" : "\n"))
            let isMetrics = head.uri.hasPrefix("/metrics")
            let fields: HTTPHeaders = [
                "Content-Type": isMetrics ? "text/plain; version=0.0.4; charset=utf-8" : "text/plain; charset=utf-8",
                "Content-Length": "\(body.readableBytes)",
            ]
            context.write(
                wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: status, headers: fields))),
                promise: nil)
            if head.method != .HEAD { context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil) }
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
            if !head.isKeepAlive { context.close(promise: nil) }
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    private func answer(_ head: HTTPRequestHead) -> (HTTPResponseStatus, String) {
        guard head.method == .GET || head.method == .HEAD else { return (.methodNotAllowed, "GET") }
        switch head.uri.prefix(while: { $0 != "?" }) {
        case "/healthz": return (.ok, "ok")
        case "/readyz":
            let problem = sources.problem()
            return problem.map { (.serviceUnavailable, $0) } ?? (.ok, "ready")
        case "/metrics": return (.ok, sources.metrics())
        default: return (.notFound, "not found")
        }
    }
}
