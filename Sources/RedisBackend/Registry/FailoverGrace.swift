/// The moment at which the nodes of an index began to register with the server that keeps it.
package struct ServerMeeting: Hashable, Sendable {
    /// What lies below this incarnation was registered with another, and only copied; 0 where no other server was before it.
    /// Each meeting has its own.
    package let from: Int64
    /// For how many milliseconds nodes have registered by now, as they count it by their beats; not beyond the grace.
    package let age: Int64

    package init(from: Int64, age: Int64) {
        self.from = from
        self.age = age
    }
}

/// The time in which a node takes nobody for dead: for a while after nodes began to meet another server, whoever has
/// not registered with that may live on with the former one.
///
/// A node's own beats prove that it is well itself, and not that the others are on the same server. The time runs by the
/// node's own clock once it has heard of the meeting. Pure: times are milliseconds.
package struct FailoverGrace: Sendable {
    private let length: Int64
    private var heard: (from: Int64, began: Int64)?

    /// - Parameter length: `redis.failoverGrace`.
    package init(length: Int64) {
        self.length = length
    }

    /// A beat's answer told of the meeting; `now` is the node's own monotonic clock.
    package mutating func heard(of meeting: ServerMeeting, now: Int64) {
        guard heard?.from != meeting.from else { return }
        heard = (meeting.from, now - min(max(meeting.age, 0), length))
    }

    /// The incarnation below which nobody may be taken for dead; 0: all may.
    package func spares(now: Int64) -> Int64 {
        guard let heard, now - heard.began < length else { return 0 }
        return heard.from
    }
}
