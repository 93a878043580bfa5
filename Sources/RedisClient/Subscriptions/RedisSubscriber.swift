import Logging
import NIOCore

/// A connection of its own for subscriptions, kept up for ever: after a break all wanted channels are subscribed again.
/// Must be shut down before it is let go.
package final class RedisSubscriber: Sendable {
    package let eventLoop: any EventLoop
    private let core: SubscriberCore
    private let inbox: ChangeInbox

    /// The handler is held until the shutdown; `onState` is called on the loop at each change. Without an `address` it
    /// goes where the configuration leads.
    package init(
        configuration: RedisConfiguration, address: ShardAddress? = nil, eventLoop: any EventLoop, logger: Logger,
        handler: any RedisSubscriptionHandler, onState: @escaping @Sendable (RedisLinkState) -> Void = { _ in }
    ) {
        self.eventLoop = eventLoop
        let core = SubscriberCore(
            configuration: configuration, address: address ?? ShardAddress(of: configuration.topology),
            eventLoop: eventLoop, logger: logger, handler: handler, onState: onState)
        self.core = core
        inbox = ChangeInbox(eventLoop: eventLoop) { core.apply($0) }
    }

    /// Begins to connect. Channels may be named before.
    package func start() {
        eventLoop.execute { self.core.start() }
    }

    /// Closes the connection for good; the handler is not called any more. The future is done when it is closed.
    package func shutdown() -> EventLoopFuture<Void> {
        eventLoop.flatSubmit { self.core.shutdown() }
    }

    /// Makes the connection anew if it leads to this server, from any thread.
    package func leave(_ server: ServerID) {
        eventLoop.execute { self.core.leave(server) }
    }

    /// Goes to the address of its shard if that is another by now, from any thread.
    package func follow() {
        eventLoop.execute { self.core.follow() }
    }

    /// Gives the connection up and makes it anew, from any thread.
    package func renew(reason: String) {
        eventLoop.execute { self.core.renew(reason: reason) }
    }

    /// Wants these channels, from now on and after every break, from any thread; changes of one thread take effect in
    /// its order. Each is told to the handler when Redis confirms it, at once if it has already.
    package func subscribe(_ channels: [String]) {
        inbox.hand(.subscribe(channels))
    }

    /// Wants these channels no longer. Messages under way may still come.
    package func unsubscribe(_ channels: [String]) {
        inbox.hand(.unsubscribe(channels))
    }
}
