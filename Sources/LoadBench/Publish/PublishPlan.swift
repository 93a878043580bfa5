/// The plan of publishing: by whom, by which way, how fast and how much.
package struct PublishPlan: Sendable {
    package enum Way: Sendable, Equatable {
        /// `POST /v1/broadcast`, one request under way for each publisher.
        case rest(api: LoopbackTarget, key: String)
        /// `POST /v1/broadcast/batch` with so many messages.
        case batch(api: LoopbackTarget, key: String, size: Int)
        /// `POST /pub` of Nginx with nchan, one request under way for each publisher.
        case nchan(LoopbackTarget)
        /// As members of the rooms they serve, who get their own messages too.
        case webSocket
        /// To the floor server.
        case floor

        /// How many messages go out together.
        var group: Int {
            if case .batch(_, _, let size) = self { return size }
            return 1
        }
    }

    package enum Pace: Sendable, Equatable {
        /// So many messages that not all members have got may be under way.
        case window(Int)
        /// So many a second, whatever comes of them; latency counts from when one was due.
        case rate(Double)
    }

    package var way: Way
    package var pace: Pace
    /// The run ends with whichever of the two comes first.
    package var messages: Int
    package var seconds: Double
    package var warmupSeconds: Double
    /// How long to wait for what is still under way in the end.
    package var drainSeconds: Double

    package init(
        way: Way, pace: Pace, messages: Int, seconds: Double, warmupSeconds: Double, drainSeconds: Double
    ) {
        self.way = way
        self.pace = pace
        self.messages = messages
        self.seconds = seconds
        self.warmupSeconds = warmupSeconds
        self.drainSeconds = drainSeconds
    }
}
