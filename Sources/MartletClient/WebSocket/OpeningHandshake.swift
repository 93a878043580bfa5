import NIOCore
import NIOHTTP1
import WebSocketFrames

/// Asks for a WebSocket and checks the answer (RFC 6455, section 4.1), then leaves the pipeline with the HTTP codec.
final class OpeningHandshake: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private let configuration: WebSocketConfiguration
    private let key: String
    private let next: WebSocketHandler
    private let opened: EventLoopPromise<Void>
    private var timeout: Scheduled<Void>?
    private var isAccepted = false
    private var isHandingOver = false
    /// Bytes that came behind the answer, while the codec was leaving.
    private var buffered: [NIOAny] = []

    /// - Parameters:
    ///   - next: what takes this handler's place.
    ///   - opened: kept when it has.
    init(_ configuration: WebSocketConfiguration, next: WebSocketHandler, opened: EventLoopPromise<Void>) {
        self.configuration = configuration
        self.next = next
        self.opened = opened
        var random = SystemRandomNumberGenerator()
        key = Handshake.makeKey(from: (random.next(), random.next()))
    }

    func handlerAdded(context: ChannelHandlerContext) {
        let opened = opened
        let channel = context.channel
        timeout = context.eventLoop.scheduleTask(in: configuration.connectTimeout) {
            opened.fail(WebSocketConnectError.timedOut)
            channel.close(promise: nil)
        }
        if context.channel.isActive { ask(context) }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        timeout?.cancel()
        // A channel that never came to be active takes its handlers away without another word.
        opened.fail(WebSocketConnectError.unreachable("closed before the handshake"))
    }

    func channelActive(context: ChannelHandlerContext) {
        ask(context)
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if isHandingOver { return buffered.append(data) }
        switch unwrapInboundIn(data) {
        case .head(let head):
            do throws(WebSocketConnectError) {
                try check(head)
                isAccepted = true
            } catch {
                opened.fail(error)
                context.close(promise: nil)
            }
        case .body: break
        case .end: if isAccepted { handOver(context) }
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        opened.fail(WebSocketConnectError.unreachable("closed during the handshake"))
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        opened.fail(WebSocketConnectError.badHandshake("\(error)"))
        context.close(promise: nil)
    }

    private func ask(_ context: ChannelHandlerContext) {
        var head = HTTPRequestHead(version: .http1_1, method: .GET, uri: configuration.path)
        let standardPort = configuration.tls == nil ? 80 : 443
        let host = configuration.host.contains(":") ? "[\(configuration.host)]" : configuration.host
        head.headers.add(
            name: "Host", value: configuration.port == standardPort ? host : "\(host):\(configuration.port)")
        head.headers.add(name: "Upgrade", value: "websocket")
        head.headers.add(name: "Connection", value: "Upgrade")
        head.headers.add(name: "Sec-WebSocket-Key", value: key)
        head.headers.add(name: "Sec-WebSocket-Version", value: "13")
        if !configuration.subprotocols.isEmpty {
            head.headers.add(
                name: "Sec-WebSocket-Protocol", value: configuration.subprotocols.joined(separator: ", "))
        }
        for (name, value) in configuration.headers { head.headers.add(name: name, value: value) }
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    private func check(_ head: HTTPResponseHead) throws(WebSocketConnectError) {
        guard head.status == .switchingProtocols else {
            let retryAfter = head.headers.first(name: "Retry-After").flatMap { Int($0) }
            throw .refused(status: Int(head.status.code), retryAfter: retryAfter)
        }
        guard head.headers[canonicalForm: "Upgrade"].contains(where: { $0.lowercased() == "websocket" }),
            head.headers[canonicalForm: "Connection"].contains(where: { $0.lowercased() == "upgrade" })
        else { throw .badHandshake("the answer is no upgrade to WebSocket") }
        guard head.headers["Sec-WebSocket-Accept"] == [Handshake.acceptKey(for: key)] else {
            throw .badHandshake("the answer is to another key")
        }
        guard head.headers["Sec-WebSocket-Protocol"].allSatisfy(configuration.subprotocols.contains),
            !head.headers.contains(name: "Sec-WebSocket-Extensions")
        else { throw .badHandshake("the answer names what was not asked for") }
    }

    /// Takes the codec away first: until it is gone it refuses whatever the frame handler writes.
    private func handOver(_ context: ChannelHandlerContext) {
        isHandingOver = true
        do {
            let pipeline = context.pipeline.syncOperations
            let encoder = try pipeline.context(handlerType: HTTPRequestEncoder.self)
            let decoder = try pipeline.context(handlerType: ByteToMessageHandler<HTTPResponseDecoder>.self)
            try pipeline.addHandler(next, position: .after(self))
            pipeline.removeHandler(context: encoder, promise: nil)
            pipeline.removeHandler(context: decoder).assumeIsolated().whenComplete { _ in self.leave(context) }
        } catch {
            opened.fail(WebSocketConnectError.badHandshake("\(error)"))
            context.close(promise: nil)
        }
    }

    /// Hands on the bytes that came behind the answer, and is gone.
    private func leave(_ context: ChannelHandlerContext) {
        opened.succeed()
        for bytes in buffered { context.fireChannelRead(bytes) }
        buffered.removeAll()
        context.fireChannelReadComplete()
        context.pipeline.syncOperations.removeHandler(self, promise: nil)
    }
}
