import GatewayCore
import NIOCore
import NIOEmbedded
import SocketServer

/// Stands between a handler and its socket: while it is closed, nothing leaves for the client.
final class Clog: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private var waiting: [(data: NIOAny, bytes: Int, promise: EventLoopPromise<Void>?)] = []
    private var context: ChannelHandlerContext?
    /// From where on the channel says that it is full.
    private let mark: Int
    private(set) var isClosed = false
    /// Bytes that the client has read of what waited.
    private(set) var takenBytes: UInt64 = 0

    init(mark: Int = .max) { self.mark = mark }

    /// Bytes that a client would have to read.
    var waitingBytes: Int { waiting.reduce(0) { $0 + $1.bytes } }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        for part in waiting { part.promise?.fail(ChannelError.ioOnClosedChannel) }
        waiting = []
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard isClosed else { return context.write(data, promise: promise) }
        waiting.append((data, unwrapOutboundIn(data).readableBytes, promise))
        tellWritability()
    }

    private func tellWritability() {
        guard let context, let channel = context.channel as? EmbeddedChannel else { return }
        let isWritable = waitingBytes <= mark
        guard channel.isWritable != isWritable else { return }
        channel.isWritable = isWritable
        context.fireChannelWritabilityChanged()
    }

    func close() { isClosed = true }

    /// Lets go what waits; what comes is held again.
    func letThrough() {
        let parts = waiting
        waiting = []
        takenBytes += UInt64(parts.reduce(0) { $0 + $1.bytes })
        for part in parts { context?.write(part.data, promise: part.promise) }
        context?.flush()
        tellWritability()
    }

    /// Lets go the first thing that waits.
    func letThroughOne() {
        guard !waiting.isEmpty else { return }
        let part = waiting.removeFirst()
        takenBytes += UInt64(part.bytes)
        context?.writeAndFlush(part.data, promise: part.promise)
        tellWritability()
    }

    func open() {
        isClosed = false
        letThrough()
    }
}

extension SocketProbe {
    /// Finds what waits in the clog of a channel, if it has one.
    static let clogs = SocketProbe(
        queuedBytes: { clog(of: $0)?.waitingBytes ?? 0 },
        systemBytes: { _ in 0 },
        look: { channel in
            guard let clog = clog(of: channel) else { return SocketQueue.Look(queuedBytes: 0) }
            return SocketQueue.Look(queuedBytes: clog.waitingBytes, takenBytes: clog.takenBytes)
        })

    private static func clog(of channel: any Channel) -> Clog? {
        // Most channels have none.
        try? channel.pipeline.syncOperations.handler(type: Clog.self)
    }
}

extension EmbeddedSocket {
    /// Puts a clog before the socket, closed: the client reads nothing from here on.
    func clog(mark: Int = .max) throws -> Clog {
        let clog = Clog(mark: mark)
        try channel.pipeline.syncOperations.addHandler(clog, position: .first)
        clog.close()
        return clog
    }
}
