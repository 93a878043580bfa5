import GatewayCore

/// The channels that a router listens to, and what is known of the links that bring them; asked by partition, since each may
/// have a server of its own. It belongs to the router's loop.
final class ChannelLink {
    private var subscriptions: (any ChannelSubscriptions)?
    /// The partitions whose channels come in.
    private(set) var standing = PartitionSet.none
    private var losses = [Int](repeating: 0, count: Partition.count)

    /// Whether the channels of this partition come in.
    func stands(in partition: Partition) -> Bool { standing.contains(partition) }

    /// How often they have been lost.
    func breaks(of partition: Partition) -> Int { losses[partition.number] }

    func start(_ subscriptions: any ChannelSubscriptions) {
        self.subscriptions = subscriptions
    }

    func stop() {
        subscriptions = nil
    }

    func connected(_ partitions: PartitionSet) {
        standing.formUnion(partitions)
    }

    func lost(_ partitions: PartitionSet) {
        for partition in partitions {
            standing.remove(partition)
            losses[partition.number] += 1
        }
    }

    /// Before the start nothing is sent: what is followed by then is subscribed with it.
    func subscribe(_ channels: [String]) {
        if !channels.isEmpty { subscriptions?.subscribe(channels) }
    }

    func unsubscribe(_ channels: [String]) {
        if !channels.isEmpty { subscriptions?.unsubscribe(channels) }
    }
}
