/// When the nodes of an index began to register with the server that keeps it.
package struct ServerMeeting: Hashable, Sendable {
    /// When the first did, in ms by that server's clock; 0 where no other server was before it.
    package let since: Int64
    /// What lies below this incarnation was registered with another, and only copied.
    package let from: Int64

    package init(since: Int64, from: Int64) {
        self.since = since
        self.from = from
    }
}

/// Whom a node may not take for dead yet: for a while after nodes began to meet another server, whoever has not registered
/// with that may live on with the former one.
///
/// A node's own beats prove that it is well itself, and not that the others are on the same server. The time runs by the
/// node's own clock once it has heard of the meeting, so that a step of Redis's does not end it. Pure: times are
/// milliseconds.
package struct FailoverGrace: Sendable {
    private let length: Int64
    private var heard: (meeting: ServerMeeting, began: Int64)?

    /// - Parameter length: `redis.failoverGrace`.
    package init(length: Int64) {
        self.length = length
    }

    /// A beat's answer told of the meeting; `redis` is that server's clock, `now` the node's own monotonic one.
    package mutating func heard(of meeting: ServerMeeting, redis: Int64, now: Int64) {
        guard heard?.meeting != meeting else { return }
        heard = (meeting, now - min(max(redis - meeting.since, 0), length))
    }

    /// The incarnation below which nobody may be taken for dead; 0: all may.
    package func spares(now: Int64) -> Int64 {
        guard let heard, now - heard.began < length else { return 0 }
        return heard.meeting.from
    }
}
