import NIOCore
import RedisClient

/// The connections over which what is published comes: one, or in a Cluster one to each server.
enum Subscriptions: Sendable {
    case single(RedisSubscriber)
    case cluster(ClusterSubscriber)

    var channels: any ChannelSubscriptions {
        switch self {
        case .single(let subscriber): subscriber
        case .cluster(let subscriber): subscriber
        }
    }

    func start() {
        switch self {
        case .single(let subscriber): subscriber.start()
        case .cluster(let subscriber): subscriber.start()
        }
    }

    func shutdown() -> EventLoopFuture<Void> {
        switch self {
        case .single(let subscriber): subscriber.shutdown()
        case .cluster(let subscriber): subscriber.shutdown()
        }
    }

    func leave(_ server: ServerID) {
        switch self {
        case .single(let subscriber): subscriber.leave(server)
        case .cluster(let subscriber): subscriber.leave(server)
        }
    }

    func follow() {
        switch self {
        case .single(let subscriber): subscriber.follow()
        case .cluster(let subscriber): subscriber.follow()
        }
    }

    func verify(_ place: RedisConfiguration.Endpoint, is server: ServerID, since moment: NIODeadline) {
        if case .cluster(let subscriber) = self { subscriber.verify(place, is: server, since: moment) }
    }

    /// Makes the connection anew over which what is said in this partition comes.
    func renew(_ partition: Partition, reason: String) {
        switch self {
        case .single(let subscriber): subscriber.renew(reason: reason)
        case .cluster(let subscriber): subscriber.renew(partition.slot, reason: reason)
        }
    }
}
