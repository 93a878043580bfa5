import GatewayCore

/// The messages of this turn that this hub counts for the node, until they are written to their members' sockets.
///
/// A class, so that only it writes what it keeps; it belongs to its hub's event loop.
final class DeliveryTimes {
    private struct Written {
        let timestamp: Int64
        let arrival: MessageArrival
    }

    private var written: [Written] = []

    /// The memory of a longer list is not kept.
    private static let few = 1024

    var isEmpty: Bool { written.isEmpty }

    /// They lie in the sockets' queues.
    func wrote(_ messages: [RoomMessage], of arrival: MessageArrival) {
        for message in messages { written.append(Written(timestamp: message.timestamp, arrival: arrival)) }
    }

    /// All that lies there is on its way.
    func flushed(now: MonotonicTime, to metrics: SocketMetrics) {
        for one in written {
            metrics.fanout.recordNanoseconds((now - one.arrival.time).nanoseconds)
            guard let age = one.arrival.age(of: one.timestamp, now: now) else { continue }
            metrics.publishToDeliver.recordNanoseconds(age.nanoseconds)
        }
        if written.count <= DeliveryTimes.few { written.removeAll(keepingCapacity: true) } else { written = [] }
    }
}
