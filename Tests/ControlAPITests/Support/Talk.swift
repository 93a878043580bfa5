import Glibc
import NIOCore
import NIOPosix

/// A plain connection to the api port, byte by byte; to be closed in the end.
final class Talk: Sendable {
    private let channel: any Channel
    private let arrivals: AsyncThrowingStream<ByteBuffer, any Error>

    init(port: Int) async throws {
        let (arrivals, arrival) = AsyncThrowingStream.makeStream(of: ByteBuffer.self)
        self.arrivals = arrivals
        channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Listener(arrival: arrival))
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
    }

    func write(_ text: String) async throws {
        try await channel.writeAndFlush(ByteBuffer(string: text))
    }

    /// Says no more; what the server says still comes.
    func endInput() async throws {
        try await channel.close(mode: .output)
    }

    /// What has come when the text ends so; with nil, when the server has closed.
    func read(until end: String?) async throws -> String {
        var text = ""
        for try await buffer in arrivals {
            text += String(buffer: buffer)
            if let end, text.hasSuffix(end) { break }
        }
        return text
    }

    /// The server may have been first.
    func close() async throws {
        do {
            try await channel.close()
        } catch let error as ChannelError where error == .alreadyClosed {}
    }

    private final class Listener: ChannelInboundHandler, Sendable {
        typealias InboundIn = ByteBuffer

        let arrival: AsyncThrowingStream<ByteBuffer, any Error>.Continuation

        init(arrival: AsyncThrowingStream<ByteBuffer, any Error>.Continuation) {
            self.arrival = arrival
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            arrival.yield(unwrapInboundIn(data))
        }

        func channelInactive(context: ChannelHandlerContext) {
            arrival.finish()
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            context.close(promise: nil)
        }
    }
}

/// Lets this process have as many files open as it may: both ends of each connection lie in it.
func raiseDescriptorLimit() {
    let kind = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    var limits = rlimit()
    guard getrlimit(kind, &limits) == 0 else { return }
    limits.rlim_cur = limits.rlim_max
    _ = setrlimit(kind, &limits)
}

extension Api {
    func talk() async throws -> Talk { try await Talk(port: port) }
}
