import GatewayCore
import NIOCore
import WebSocketFrames

/// Sends every message back: a bare WebSocket for conformance suites, without pings and protocol.
///
/// A client that does not read is not read from: at most one message and its echo are held for it. Where clients have to
/// show a token, which is not asked for here, all are strangers: a message is then no longer than a stranger's.
final class EchoHandler: ChannelInboundHandler, Supervised {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum Phase {
        case open
        /// A close frame is on its way; the connection is cut at this moment.
        case closing(cutAt: MonotonicTime)
        case ended
    }

    static let maxMessageBytes = 16 << 20

    private let hub: Hub
    private let slot: Slot
    private var decoder: FrameDecoder
    /// Nil where compression was not agreed on.
    private let compressor: FrameCompressor?
    private var phase = Phase.open
    private var context: ChannelHandlerContext?
    var supervisedIndex: Int?

    init(hub: Hub, slot: Slot, deflate: DeflateAgreement?) {
        self.hub = hub
        self.slot = slot
        decoder = FrameDecoder(
            role: .server,
            maxMessageBytes: slot.isStranger ? SocketHandler.strangerMessageBytes : EchoHandler.maxMessageBytes,
            takesCompressed: deflate != nil)
        // Also what is not worth it, since suites try messages of every size.
        compressor = deflate.flatMap { FrameCompressor(windowBits: $0.windowBits, minimumBytes: 1) }
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        hub.metrics.accepted.increment()
        hub.supervise(self)
        context.flush()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        end()
    }

    func channelInactive(context: ChannelHandlerContext) {
        end()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        while case .open = phase, let event = decoder.next(from: &bytes) { answer(event, context) }
        hub.receiveBuffer.lend(bytes)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        context.flush()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        do {
            try context.channel.syncOptions?.setOption(.autoRead, value: context.channel.isWritable)
        } catch {
            context.close(promise: nil)
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard event is GiveWay else { return context.fireUserInboundEventTriggered(event) }
        context.close(promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    func check(now: MonotonicTime, wallMilliseconds: Int64) {
        guard let context else { return }
        switch phase {
        case .open:
            guard hub.census.isDraining else { return }
            close(code: CloseReason.goingAway.code, reason: CloseReason.goingAway.text, context)
        case .closing(let cutAt):
            if cutAt <= now { context.close(promise: nil) }
        case .ended:
            break
        }
    }

    func cut() {
        context?.close(promise: nil)
    }

    private func answer(_ event: FrameDecoder.Event, _ context: ChannelHandlerContext) {
        switch event {
        case .text(let bytes):
            send(.text, bytes, context)
        case .binary(let bytes):
            send(.binary, bytes, context)
        case .ping(let bytes):
            var frame = context.channel.allocator.buffer(capacity: 128)
            FrameEncoder.pong(bytes, into: &frame)
            context.write(wrapOutboundOut(frame), promise: nil)
        case .pong:
            break
        case .close(let code, let reason):
            close(code: code, reason: reason, context)
        case .failed(let error):
            close(code: error.closeCode, reason: error.reason, context)
        }
    }

    private func send(_ opcode: Opcode, _ payload: ByteBuffer, _ context: ChannelHandlerContext) {
        var frame = context.channel.allocator.buffer(capacity: FrameEncoder.maxHeaderBytes)
        if let compressor {
            payload.withUnsafeReadableBytes { compressor.write(opcode, $0, into: &frame) }
            return context.write(wrapOutboundOut(frame), promise: nil)
        }
        FrameEncoder.writeHeader(opcode: opcode, payloadBytes: payload.readableBytes, into: &frame)
        context.write(wrapOutboundOut(frame), promise: nil)
        context.write(wrapOutboundOut(payload), promise: nil)
    }

    private func close(code: UInt16?, reason: String, _ context: ChannelHandlerContext) {
        // First, since the socket may end while the frame is written.
        phase = .closing(cutAt: hub.now + hub.configuration.closeTimeout)
        var frame = context.channel.allocator.buffer(capacity: 128)
        FrameEncoder.close(code: code, reason: reason, into: &frame)
        context.writeAndFlush(wrapOutboundOut(frame), promise: nil)
        context.close(mode: .output, promise: nil)
    }

    private func end() {
        if case .ended = phase { return }
        phase = .ended
        hub.unsupervise(self)
        hub.metrics.close(nil)
        hub.census.leave()
        hub.census.close(slot)
    }
}
