import Dialects
import GatewayCore
import NIOCore

/// The ways out: straight to the system where nothing of ours waits in the channel, behind what waits there otherwise.
extension SocketHandler {
    /// Frames of one turn up to so many bytes are joined by copying, so that they leave in one call.
    private static let joinedBytes = 4096

    /// Finished frames for this client; dropped once the connection is closing.
    func write(_ frames: ByteBuffer) {
        guard isOpen, let context else { return }
        markDirty()
        mayBeUntaken = true
        hub.countBytesOut(frames.readableBytes)
        guard descriptor != nil else { return context.write(wrapOutboundOut(frames), promise: nil) }
        guard let heldBytes = held?.readableBytes else {
            held = frames
            return
        }
        if heldBytes + frames.readableBytes <= SocketHandler.joinedBytes {
            held?.writeImmutableBuffer(frames)
        } else {
            passHeld(to: context)
            context.write(wrapOutboundOut(frames), promise: nil)
        }
    }

    /// The same; `left` is called on the loop, in a turn of its own, once the system has taken all of it.
    func write(_ frames: ByteBuffer, left: @escaping @Sendable () -> Void) {
        guard isOpen, let context else { return }
        markDirty()
        hub.countBytesOut(frames.readableBytes)
        passHeld(to: context)
        let promise = context.eventLoop.makePromise(of: Void.self)
        promise.futureResult.whenSuccess { [hub] in hub.eventLoop.execute(left) }
        context.write(wrapOutboundOut(frames), promise: promise)
    }

    /// The same for the last thing of a turn, flushed with all that was written before; the hub has counted it.
    ///
    /// - Parameter bytes: those of `frames`, so that all members of a room share the way to them.
    func writeLast(_ frames: ByteBuffer, _ bytes: UnsafeRawBufferPointer) {
        guard isOpen else { return }
        mayBeUntaken = true
        if let descriptor, !isDirty { return send(frames, bytes, to: descriptor) }
        guard let context else { return }
        isDirty = false
        passHeld(to: context)
        context.write(wrapOutboundOut(frames), promise: nil)
        flushChannel()
    }

    /// An event of the gateway's own dialect, behind the frames of this turn that wait already: it needs no buffer then.
    func write(_ event: ServerEvent, isCompressed: Bool = false) {
        guard isOpen, descriptor != nil, let heldBytes = held?.readableBytes, heldBytes <= SocketHandler.joinedBytes,
            var frames = held.take()
        else { return write(hub.writer.frame(event, isCompressed: isCompressed)) }
        hub.writer.write(event, into: &frames, isCompressed: isCompressed)
        hub.countBytesOut(frames.readableBytes - heldBytes)
        held = frames
        markDirty()
        mayBeUntaken = true
    }

    func flushIfDirty() {
        guard isDirty else { return }
        isDirty = false
        guard let descriptor else { return flushChannel() }
        guard let frames = held else { return }
        held = nil
        holdsAnswer = false
        frames.withUnsafeReadableBytes { send(frames, $0, to: descriptor) }
    }

    func markDirty() {
        guard !isDirty else { return }
        isDirty = true
        hub.markDirty(self)
    }

    /// What the system does not take goes through the channel, and all that comes behind it.
    private func send(_ frames: ByteBuffer, _ bytes: UnsafeRawBufferPointer, to descriptor: CInt) {
        let sent = DirectSend.send(bytes, to: descriptor)
        guard sent < bytes.count, let context else { return }
        var rest = frames
        rest.moveReaderIndex(forwardBy: sent)
        self.descriptor = nil
        context.writeAndFlush(wrapOutboundOut(rest), promise: nil)
        recordQueued(rest.readableBytes)
    }

    /// From here on all goes through the channel, what was held first.
    private func passHeld(to context: ChannelHandlerContext) {
        descriptor = nil
        guard let frames = held else { return }
        held = nil
        context.write(wrapOutboundOut(frames), promise: nil)
    }

    /// Lets go what is in the channel, and past it what comes next, if nothing stays behind.
    private func flushChannel() {
        holdsAnswer = false
        context?.flush()
        guard let context, let queued = hub.probe.queuedBytes(context.channel) else { return }
        guard queued == 0 else { return recordQueued(queued) }
        findDescriptor(context)
    }

    /// Nothing of ours waits in the channel: what comes next goes past it.
    ///
    /// On a plain port the pipeline has no handler between this one and the socket, so a frame is the same bytes on both
    /// ways; with TLS there is one, and the way past it does not exist. The descriptor is asked of an open channel, and
    /// forgotten in `channelInactive`: between closing it and that call NIO lets no handler run that writes.
    private func findDescriptor(_ context: ChannelHandlerContext) {
        guard hub.configuration.tls == nil else { return }
        do {
            descriptor = try context.pipeline.syncOperations.withUnsafeTransportIfAvailable {
                $0 as NIOBSDSocket.Handle
            }
        } catch {
            // A channel that is closed already says so by itself.
            descriptor = nil
        }
    }

    /// The answer to the handshake waits for the first frame, past the channel where that can be.
    func holdAnswer(for context: ChannelHandlerContext) {
        findDescriptor(context)
        if descriptor == nil { passHeld(to: context) }
    }
}
