import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import ServerTrust
import WebSocketFrames

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A client's WebSocket, as low as it gets: whole messages or any bytes out, events in.
///
/// All methods may be called from any thread; what one thread sends goes out in its order.
package final class WebSocketConnection: Sendable {
    private let channel: any Channel
    private let handler: NIOLoopBound<WebSocketHandler>
    private let inbox: EventBuffer<WebSocketEvent>?
    private let end: EventLoopPromise<WebSocketEnd>

    package var eventLoop: any EventLoop { channel.eventLoop }

    private init(
        channel: any Channel, handler: WebSocketHandler, inbox: EventBuffer<WebSocketEvent>?,
        end: EventLoopPromise<WebSocketEnd>
    ) {
        self.channel = channel
        self.handler = NIOLoopBound(handler, eventLoop: channel.eventLoop)
        self.inbox = inbox
        self.end = end
    }

    /// Connects and does the opening handshake; the events wait for `next()`.
    package static func connect(
        _ configuration: WebSocketConfiguration, on group: any EventLoopGroup
    ) async throws(WebSocketConnectError) -> WebSocketConnection {
        let inbox = EventBuffer<WebSocketEvent>(limit: configuration.eventLimit)
        return try await open(configuration, on: group, inbox: inbox) { connection, event in
            if inbox.append(event) >= configuration.eventLimit {
                connection.pauseReading()
                inbox.onceThereIsRoom { connection.resumeReading() }
            }
            if case .ended = event { inbox.finish() }
        }
    }

    /// Connects and does the opening handshake; `receive` is called on the event loop, perhaps before this returns.
    package static func connect(
        _ configuration: WebSocketConfiguration, on group: any EventLoopGroup,
        receive: @escaping @Sendable (WebSocketConnection, WebSocketEvent) -> Void
    ) async throws(WebSocketConnectError) -> WebSocketConnection {
        try await open(configuration, on: group, inbox: nil, receive: receive)
    }

    /// The next event; nil after `ended`, and where the connection was made with a receiver.
    package func next() async -> WebSocketEvent? { await inbox?.next() }

    /// Waits for the end.
    package func ended() async -> WebSocketEnd {
        // The promise is only ever kept.
        (try? await end.futureResult.get()) ?? WebSocketEnd(code: nil, reason: "")
    }

    // MARK: Sending

    package func send(text: String) {
        send { FrameEncoder.text(text, mask: $0, into: &$1) }
    }

    /// Sends a text message; that it is UTF-8 is the caller's affair.
    package func send(text: [UInt8]) {
        send { FrameEncoder.text(text, mask: $0, into: &$1) }
    }

    /// The same, but never at once: on the event loop, after what was handed to it before.
    ///
    /// So it may be called under a lock that what the socket tells takes as well.
    package func enqueue(text: [UInt8]) {
        channel.eventLoop.execute { self.send(text: text) }
    }

    package func send(binary: [UInt8]) {
        send { FrameEncoder.binary(ByteBuffer(bytes: binary), mask: $0, into: &$1) }
    }

    /// Sends a ping with 125 bytes at most.
    package func send(ping: [UInt8]) {
        send { FrameEncoder.ping(ByteBuffer(bytes: ping), mask: $0, into: &$1) }
    }

    /// Sends bytes that need not be frames.
    package func send(raw: [UInt8]) {
        channel.writeAndFlush(ByteBuffer(bytes: raw), promise: nil)
    }

    private func send(_ encode: (UInt32, inout ByteBuffer) -> Void) {
        var frame = channel.allocator.buffer(capacity: 256)
        encode(.random(in: .min ... .max), &frame)
        channel.writeAndFlush(frame, promise: nil)
    }

    // MARK: Reading and ending

    /// Takes nothing more from the socket; what was taken already still comes.
    package func pauseReading() { onLoop { $0.pauseReading() } }

    package func resumeReading() { onLoop { $0.resumeReading() } }

    /// Begins the closing handshake; the socket is closed when the peer has answered, or after `closeTimeout`.
    package func close(code: UInt16? = 1000, reason: String = "") { onLoop { $0.close(code: code, reason: reason) } }

    /// Closes the socket without a word.
    package func drop() { channel.close(promise: nil) }

    /// Resets the TCP connection, as a machine does that has lost its memory.
    package func abort() {
        guard let options = channel as? any SocketOptionProvider else { return drop() }
        options.setSoLinger(linger(l_onoff: 1, l_linger: 0)).whenComplete { [channel] _ in channel.close(promise: nil) }
    }

    /// Closes the connection where nothing has come for a heartbeat and a ping stays unanswered for 10 s, or for another one.
    package func watchSilence(heartbeat: TimeAmount) { onLoop { $0.watchSilence(heartbeat: heartbeat) } }

    /// Closes the connection where a ping stays unanswered for 10 s, or for a heartbeat, from now on.
    package func doubt() { onLoop { $0.doubt() } }

    private func onLoop(_ act: @escaping @Sendable (WebSocketHandler) -> Void) {
        if eventLoop.inEventLoop { return act(handler.value) }
        eventLoop.execute { [handler] in act(handler.value) }
    }

    // MARK: Opening

    private static func open(
        _ configuration: WebSocketConfiguration, on group: any EventLoopGroup, inbox: EventBuffer<WebSocketEvent>?,
        receive: @escaping @Sendable (WebSocketConnection, WebSocketEvent) -> Void
    ) async throws(WebSocketConnectError) -> WebSocketConnection {
        let loop = group.next()
        let opened = loop.makePromise(of: WebSocketConnection.self)
        let bootstrap = ClientBootstrap(group: loop)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .connectTimeout(configuration.connectTimeout)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try prepare(channel, configuration, inbox: inbox, opened: opened, receive: receive)
                }
            }
        bootstrap.connect(host: configuration.host, port: configuration.port).whenFailure { error in
            if case .connectTimeout? = error as? ChannelError { return opened.fail(WebSocketConnectError.timedOut) }
            opened.fail(WebSocketConnectError.unreachable("\(error)"))
        }
        do {
            return try await opened.futureResult.get()
        } catch let error as WebSocketConnectError {
            throw error
        } catch {
            throw .unreachable("\(error)")
        }
    }

    private static func prepare(
        _ channel: any Channel, _ configuration: WebSocketConfiguration, inbox: EventBuffer<WebSocketEvent>?,
        opened: EventLoopPromise<WebSocketConnection>,
        receive: @escaping @Sendable (WebSocketConnection, WebSocketEvent) -> Void
    ) throws {
        let loop = channel.eventLoop
        let end = loop.makePromise(of: WebSocketEnd.self)
        // The handler and the connection hold each other through this box until the channel is closed.
        let box = NIOLoopBoundBox<WebSocketConnection?>(nil, eventLoop: loop)
        let handler = WebSocketHandler(configuration) { event in
            guard let connection = box.value else { return }
            receive(connection, event)
            if case .ended(let how) = event { end.succeed(how) }
        }
        let connection = WebSocketConnection(channel: channel, handler: handler, inbox: inbox, end: end)
        box.value = connection
        channel.closeFuture.whenComplete { _ in
            box.value = nil
            // Where the handler has spoken before, its word stays.
            end.succeed(WebSocketEnd(code: nil, reason: "the connection was lost"))
        }

        let pipeline = channel.pipeline.syncOperations
        if let tls = configuration.tls {
            let context = try NIOSSLContext(configuration: tls)
            try pipeline.addHandler(
                NIOSSLClientHandler.speaking(
                    to: configuration.host, context: context,
                    verification: tls.certificateVerification))
        }
        try pipeline.addHandler(HTTPRequestEncoder())
        try pipeline.addHandler(ByteToMessageHandler(HTTPResponseDecoder(leftOverBytesStrategy: .forwardBytes)))
        let upgraded = loop.makePromise(of: Void.self)
        upgraded.futureResult.map { connection }.cascade(to: opened)
        try pipeline.addHandler(OpeningHandshake(configuration, next: handler, opened: upgraded))
    }
}
