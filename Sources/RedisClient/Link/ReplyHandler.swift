import NIOCore

/// The end of one connection's pipeline: bytes become replies and go to the connector. On the loop only.
final class ReplyHandler<Owner: ConnectionOwner>: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let connector: Connector<Owner>
    private let reader: ReplyReader
    private var failure: String?

    init(connector: Connector<Owner>, reader: ReplyReader) {
        self.connector = connector
        self.reader = reader
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = unwrapInboundIn(data)
        do {
            try buffer.withUnsafeReadableBytes { bytes in
                try reader.read(bytes) { connector.received($0, by: self) }
            }
        } catch {
            connector.broken(self, reason: "\(error)")
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        connector.readCompleted(self)
    }

    func channelInactive(context: ChannelHandlerContext) {
        connector.broken(self, reason: failure ?? "the connection was closed by the other side")
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        failure = Connector<Owner>.words(error)
        context.close(promise: nil)
    }
}
