import Logging
import NIOCore

/// Subscriptions to the sharded channels of a Cluster: a connection to each server, kept up for ever, and each channel on the
/// one that has its slot. Must be shut down before it is let go.
package final class ClusterSubscriber: Sendable {
    package let eventLoop: any EventLoop
    private let core: ClusterSubscriberCore
    private let inbox: ChangeInbox

    /// The handler is held until the shutdown; `onServer` is called on the loop at each change of a connection.
    package init(
        configuration: RedisConfiguration, map: SlotMap, eventLoop: any EventLoop, logger: Logger,
        handler: any RedisSubscriptionHandler,
        onServer: @escaping @Sendable (RedisConfiguration.Endpoint, RedisLinkState) -> Void = { _, _ in }
    ) {
        self.eventLoop = eventLoop
        let core = ClusterSubscriberCore(
            configuration: configuration, map: map, eventLoop: eventLoop, logger: logger, handler: handler,
            onServer: onServer)
        self.core = core
        inbox = ChangeInbox(eventLoop: eventLoop) { core.apply($0) }
    }

    /// Begins to connect. Channels may be named before.
    package func start() {
        eventLoop.execute { self.core.start() }
    }

    /// Closes the connections for good; the handler is not called any more. The future is done when they are closed.
    package func shutdown() -> EventLoopFuture<Void> {
        eventLoop.flatSubmit { self.core.shutdown() }
    }

    /// Makes the connections anew that lead to this server, from any thread.
    package func leave(_ server: ServerID) {
        eventLoop.execute { self.core.leave(server) }
    }

    /// Makes the connection to this server anew if it is older than the moment at which that was another, from any thread.
    package func verify(_ place: RedisConfiguration.Endpoint, is server: ServerID, since moment: NIODeadline) {
        eventLoop.execute { self.core.verify(place, is: server, since: moment) }
    }

    /// Goes where the map leads if that is elsewhere by now, from any thread.
    package func follow() {
        eventLoop.execute { self.core.follow() }
    }

    /// Gives the connection up over which a slot's channels come, and makes it anew, from any thread.
    package func renew(_ slot: KeySlot, reason: String) {
        eventLoop.execute { self.core.renew(slot, reason: reason) }
    }

    /// As of ``RedisSubscriber``.
    package func subscribe(_ channels: [String]) { inbox.hand(.subscribe(channels)) }

    /// As of ``RedisSubscriber``.
    package func unsubscribe(_ channels: [String]) { inbox.hand(.unsubscribe(channels)) }
}
