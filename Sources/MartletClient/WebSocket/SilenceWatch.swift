import NIOCore

/// Finds out that a link is dead though nobody closed it: after a heartbeat without a byte it asks, 10 s later it gives up.
package struct SilenceWatch {
    package enum Action: Equatable {
        /// Look again at this time.
        case wait(until: NIODeadline)
        /// Send a ping and look again at this time.
        case ping(until: NIODeadline)
        case close
    }

    private static let maxPatience = TimeAmount.seconds(10)

    private let heartbeat: TimeAmount
    private var lastHeard: NIODeadline
    private var hasAsked = false

    /// - Parameter heartbeat: what the peer says it pings by.
    package init(heartbeat: TimeAmount, now: NIODeadline) {
        self.heartbeat = max(heartbeat, .milliseconds(1))
        lastHeard = now
    }

    /// Something has come, whatever it was; or nobody was listening.
    package mutating func heard(at now: NIODeadline) {
        lastHeard = now
        hasAsked = false
    }

    /// Whether it lives is to be asked now, not after a heartbeat; nil where that is under way.
    package mutating func doubt(at now: NIODeadline) -> Action? {
        if hasAsked { return nil }
        hasAsked = true
        return .ping(until: now + min(heartbeat, SilenceWatch.maxPatience))
    }

    package mutating func check(at now: NIODeadline) -> Action {
        if hasAsked { return .close }
        let limit = lastHeard + heartbeat
        guard now >= limit else { return .wait(until: limit) }
        hasAsked = true
        return .ping(until: now + min(heartbeat, SilenceWatch.maxPatience))
    }
}
