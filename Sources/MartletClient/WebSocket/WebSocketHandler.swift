import NIOCore
import WebSocketFrames

/// One client socket after its handshake: bytes to events, pongs, the closing handshake, the watch for silence.
///
/// Belongs to its channel's event loop. What is written through it are finished frames, or bytes a test wants sent.
final class WebSocketHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let configuration: WebSocketConfiguration
    private let receive: (WebSocketEvent) -> Void
    private var decoder: FrameDecoder
    private var context: ChannelHandlerContext?
    private var end: WebSocketEnd?
    private var hasSentClose = false
    private var isPaused = false
    private var holdsRead = false
    private var hasToFlush = false
    private var silence: SilenceWatch?
    private var alarm: Scheduled<Void>?
    private var closing: Scheduled<Void>?

    /// - Parameter receive: called on the event loop; `ended` exactly once, if the handshake was done.
    init(_ configuration: WebSocketConfiguration, receive: @escaping (WebSocketEvent) -> Void) {
        self.configuration = configuration
        self.receive = receive
        decoder = FrameDecoder(role: .client, maxMessageBytes: configuration.maxMessageBytes)
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        silence?.heard(at: context.eventLoop.now)
        var bytes = unwrapInboundIn(data)
        while let event = decoder.next(from: &bytes) { handle(event, context) }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if hasToFlush { context.flush() }
        hasToFlush = false
        context.fireChannelReadComplete()
    }

    func channelInactive(context: ChannelHandlerContext) {
        alarm?.cancel()
        closing?.cancel()
        receive(.ended(end ?? WebSocketEnd(code: nil, reason: "the connection was lost")))
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        end = end ?? WebSocketEnd(code: nil, reason: "\(error)")
        context.close(promise: nil)
    }

    /// Held back while reading is paused, so that TCP slows the sender down.
    func read(context: ChannelHandlerContext) {
        if isPaused { holdsRead = true } else { context.read() }
    }

    /// Nothing follows a close frame (RFC 6455, section 5.5.1): what comes later is dropped.
    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard !hasSentClose else {
            promise?.fail(ChannelError.outputClosed)
            return
        }
        context.write(data, promise: promise)
    }

    // MARK: What the connection asks, on the event loop

    func pauseReading() { isPaused = true }

    func resumeReading() {
        guard isPaused, let context else { return }
        isPaused = false
        silence?.heard(at: context.eventLoop.now)
        if holdsRead { context.read() }
        holdsRead = false
    }

    /// Says goodbye and gives the peer some time to say it too.
    func close(code: UInt16?, reason: String) {
        guard let context, !hasSentClose else { return }
        sendClose(code: code, reason: reason, context)
        let channel = context.channel
        closing = context.eventLoop.scheduleTask(in: configuration.closeTimeout) { channel.close(promise: nil) }
    }

    func watchSilence(heartbeat: TimeAmount) {
        guard let context else { return }
        silence = SilenceWatch(heartbeat: heartbeat, now: context.eventLoop.now)
        listen(context)
    }

    /// Asks whether the gateway is there, unless that is under way.
    func doubt() {
        guard !isPaused, let context, let action = silence?.doubt(at: context.eventLoop.now) else { return }
        act(action, context)
    }

    // MARK: Steps

    private func handle(_ event: FrameDecoder.Event, _ context: ChannelHandlerContext) {
        switch event {
        case .text(let bytes): receive(.text(bytes))
        case .binary(let bytes): receive(.binary(bytes))
        case .ping(let bytes):
            if configuration.answersPings, !hasSentClose {
                var pong = context.channel.allocator.buffer(capacity: 6 + bytes.readableBytes)
                FrameEncoder.pong(bytes, mask: .random(in: .min ... .max), into: &pong)
                context.write(wrapOutboundOut(pong), promise: nil)
                hasToFlush = true
            }
            receive(.ping(bytes))
        case .pong(let bytes): receive(.pong(bytes))
        case .close(let code, let reason):
            end = WebSocketEnd(code: code, reason: reason)
            if !hasSentClose { sendClose(code: code, reason: "", context) }
            context.close(promise: nil)
        case .failed(let error):
            end = WebSocketEnd(code: error.closeCode, reason: error.reason)
            if !hasSentClose { sendClose(code: error.closeCode, reason: error.reason, context) }
            context.close(promise: nil)
        }
    }

    private func sendClose(code: UInt16?, reason: String, _ context: ChannelHandlerContext) {
        hasSentClose = true
        var frame = context.channel.allocator.buffer(capacity: 32)
        FrameEncoder.close(code: code, reason: reason, mask: .random(in: .min ... .max), into: &frame)
        context.writeAndFlush(wrapOutboundOut(frame), promise: nil)
    }

    private func listen(_ context: ChannelHandlerContext) {
        let now = context.eventLoop.now
        // Silence that was asked for proves nothing.
        if isPaused { silence?.heard(at: now) }
        if let action = silence?.check(at: now) { act(action, context) }
    }

    private func act(_ action: SilenceWatch.Action, _ context: ChannelHandlerContext) {
        switch action {
        case .wait(let deadline): setAlarm(deadline, context)
        case .ping(let deadline):
            var ping = context.channel.allocator.buffer(capacity: 6)
            FrameEncoder.ping(mask: .random(in: .min ... .max), into: &ping)
            context.writeAndFlush(wrapOutboundOut(ping), promise: nil)
            setAlarm(deadline, context)
        case .close:
            end = end ?? WebSocketEnd(code: nil, reason: "the gateway fell silent")
            context.close(promise: nil)
        }
    }

    private func setAlarm(_ deadline: NIODeadline, _ context: ChannelHandlerContext) {
        alarm?.cancel()
        let loopBound = NIOLoopBound(self, eventLoop: context.eventLoop)
        alarm = context.eventLoop.scheduleTask(deadline: deadline) {
            let handler = loopBound.value
            if let context = handler.context { handler.listen(context) }
        }
    }
}
