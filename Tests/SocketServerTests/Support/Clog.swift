import NIOCore

/// Stands between a handler and its socket: while it is closed, nothing leaves for the client.
final class Clog: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private var waiting: [(data: NIOAny, bytes: Int, promise: EventLoopPromise<Void>?)] = []
    private var context: ChannelHandlerContext?
    private(set) var isClosed = false

    /// Bytes that a client would have to read.
    var waitingBytes: Int { waiting.reduce(0) { $0 + $1.bytes } }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard isClosed else { return context.write(data, promise: promise) }
        waiting.append((data, unwrapOutboundIn(data).readableBytes, promise))
    }

    func close() { isClosed = true }

    /// Lets go what waits; what comes is held again.
    func letThrough() {
        let parts = waiting
        waiting = []
        for part in parts { context?.write(part.data, promise: part.promise) }
        context?.flush()
    }

    func open() {
        isClosed = false
        letThrough()
    }
}
