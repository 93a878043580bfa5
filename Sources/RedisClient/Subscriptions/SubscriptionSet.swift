/// The set of channels that are wanted and how many answers of Redis about each are still to come, as a machine without
/// I/O.
package struct SubscriptionSet {
    private struct Interest {
        var isWanted: Bool
        var unanswered: Int
    }

    private var interests: [String: Interest] = [:]
    private var isConnected = false

    package init() {}

    package enum Answer {
        case wait
        /// To be sent to Redis.
        case send
        /// Confirmed already.
        case confirmed
    }

    package mutating func subscribe(_ channel: String) -> Answer {
        guard var interest = interests[channel] else {
            interests[channel] = Interest(isWanted: true, unanswered: isConnected ? 1 : 0)
            return isConnected ? .send : .wait
        }
        guard !interest.isWanted else {
            return isConnected && interest.unanswered == 0 ? .confirmed : .wait
        }
        interest.isWanted = true
        interest.unanswered += 1
        interests[channel] = interest
        return .send
    }

    /// Whether it must be told to Redis.
    package mutating func unsubscribe(_ channel: String) -> Bool {
        guard var interest = interests[channel], interest.isWanted else { return false }
        guard isConnected else {
            interests[channel] = nil
            return false
        }
        interest.isWanted = false
        interest.unanswered += 1
        interests[channel] = interest
        return true
    }

    /// Redis confirmed a SUBSCRIBE or UNSUBSCRIBE of this channel. Returns whether it is now subscribed as was asked
    /// last; nil where nothing was asked.
    package mutating func answered(_ channel: String) -> Bool? {
        guard var interest = interests[channel], interest.unanswered > 0 else { return nil }
        interest.unanswered -= 1
        guard interest.isWanted || interest.unanswered > 0 else {
            interests[channel] = nil
            return false
        }
        interests[channel] = interest
        return interest.isWanted && interest.unanswered == 0
    }

    /// A new connection, on which nothing is subscribed: returns what must be.
    package mutating func connected() -> [String] {
        isConnected = true
        for channel in interests.keys { interests[channel]?.unanswered = 1 }
        return Array(interests.keys)
    }

    package mutating func disconnected() {
        isConnected = false
        interests = interests.filter(\.value.isWanted)
    }
}
