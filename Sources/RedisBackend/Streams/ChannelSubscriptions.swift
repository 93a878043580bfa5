import RedisClient

/// The channels a router listens to; a real link, or a test's stand-in.
protocol ChannelSubscriptions: Sendable {
    func subscribe(_ channels: [String])
    func unsubscribe(_ channels: [String])
}

extension RedisSubscriber: ChannelSubscriptions {}
extension ClusterSubscriber: ChannelSubscriptions {}
