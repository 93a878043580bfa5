import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import NIOSSL

/// The library's channel with ``HTTPConnectionHandler`` and ``HotRouteHandler`` right behind the parser, before anything of
/// the library sees a request.
struct ControlChannel: ServerChildChannel {
    typealias Value = HTTP1Channel.Value

    /// Every place is taken by a connection that serves a request.
    struct IsFull: Error {}

    let library: HTTP1Channel
    let dependencies: HTTPConnectionHandler.Dependencies
    let responder: Shared<ControlResponder>
    let tls: (@Sendable () -> NIOSSLContext)?

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        let handler = HTTPConnectionHandler(dependencies: dependencies)
        guard handler.takePlace(on: channel.eventLoop) else {
            return channel.eventLoop.makeFailedFuture(IsFull())
        }
        let bound = NIOLoopBound(handler, eventLoop: channel.eventLoop)
        let executor = EventLoopTaskExecutor(channel.eventLoop)
        let secured = channel.eventLoop.makeCompletedFuture {
            guard let tls else { return }
            try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls()))
        }
        let value = secured.flatMap { library.setup(channel: channel, logger: logger) }.flatMapThrowing { value in
            let pipeline = channel.pipeline.syncOperations
            let parser = try pipeline.handler(type: ByteToMessageHandler<HTTPRequestDecoder>.self)
            try pipeline.addHandler(bound.value, position: .after(parser))
            let hot = HotRouteHandler(responder: responder, connection: bound.value, executor: executor)
            try pipeline.addHandler(hot, position: .after(bound.value))
            return value
        }
        value.whenFailure { _ in bound.value.leave() }
        return value
    }

    func handle(value: Value, logger: Logger) async {
        await library.handle(value: value, logger: logger)
    }
}
