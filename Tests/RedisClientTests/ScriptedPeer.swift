import NIOCore
import NIOPosix
import Synchronization

/// A server that answers whatever it is sent with the next of its lines: one list of lines for each connection, the last
/// list for all later ones.
struct ScriptedPeer {
    private let listener: any Channel
    let port: Int

    static func start(connections: [[String]]) async throws -> ScriptedPeer {
        let script = Mutex(connections)
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let replies = script.withLock { script in
                        script.count > 1 ? script.removeFirst() : script.first ?? []
                    }
                    try channel.pipeline.syncOperations.addHandler(Handler(replies: replies))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return ScriptedPeer(listener: listener, port: listener.localAddress?.port ?? 0)
    }

    func stop() async throws {
        try await listener.close()
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private var replies: [String]

        init(replies: [String]) {
            self.replies = replies
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            guard !replies.isEmpty else { return }
            context.channel.writeAndFlush(ByteBuffer(string: replies.removeFirst()), promise: nil)
        }
    }
}
