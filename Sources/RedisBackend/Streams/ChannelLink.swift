import GatewayCore

/// The channels that a router listens to, and what is known of the link that brings them; asked by partition, since in
/// time each may have a server of its own. It belongs to the router's loop.
final class ChannelLink {
    private var subscriptions: (any ChannelSubscriptions)?
    private var isConnected = false
    private var losses = 0

    /// Whether the channels of this partition come in.
    func stands(in partition: Partition) -> Bool { isConnected }

    /// Whether those of any partition do.
    var standsSomewhere: Bool { isConnected }

    /// How often they have been lost.
    func breaks(of partition: Partition) -> Int { losses }

    func start(_ subscriptions: any ChannelSubscriptions) {
        self.subscriptions = subscriptions
    }

    func stop() {
        subscriptions = nil
    }

    func connected() {
        isConnected = true
    }

    func lost() {
        isConnected = false
        losses += 1
    }

    /// Before the start nothing is sent: what is followed by then is subscribed with it.
    func subscribe(_ channels: [String]) {
        if !channels.isEmpty { subscriptions?.subscribe(channels) }
    }

    func unsubscribe(_ channels: [String]) {
        if !channels.isEmpty { subscriptions?.unsubscribe(channels) }
    }
}
