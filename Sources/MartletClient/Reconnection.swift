/// Decides what follows on the end of a connection, or of the attempt at one.
package struct Reconnection: Sendable {
    package enum Ending: Equatable, Sendable {
        /// The connection was welcomed and has ended after this long.
        case closed(code: UInt16?, reason: String, after: Duration)
        /// It came to no welcome.
        case failed(code: UInt16?, reason: String)
        /// The handshake was answered by another status; the header's time.
        case refused(status: Int, retryAfter: Duration?)
    }

    package enum Step: Equatable, Sendable {
        case retry(after: Duration)
        case stop(code: UInt16?, reason: String)
    }

    /// What a gateway's `Retry-After` can ask for at most.
    private static let maxRetryAfter = Duration.seconds(60)
    /// After a refusal for too many requests or connections, which the next try adds to.
    private static let pauseAfterTooMany = Duration.seconds(5)

    private var backoff: Backoff
    /// With a `user` there is nothing to try anew; a cache may give a refused token once more, and later another.
    private let hasTokens: Bool

    package init(backoff: Backoff, hasTokens: Bool) {
        self.backoff = backoff
        self.hasTokens = hasTokens
    }

    /// - Parameter asked: how much is left of the time that a `reconnect` frame has asked for; nil without one.
    package mutating func step(
        after ending: Ending, asked: Duration?, using random: inout some RandomNumberGenerator
    ) -> Step {
        switch ending {
        case .closed(let code, let reason, let lived):
            if let stop = stop(code, reason) { return stop }
            // One that ends at once is a failure too, or a gateway that welcomes and drops would be stormed.
            if lived > backoff.bound { backoff.reset() }
            return .retry(after: asked.map { max($0, .zero) } ?? pause(after: code) + backoff.next(using: &random))
        case .failed(let code, let reason):
            return stop(code, reason) ?? .retry(after: pause(after: code) + backoff.next(using: &random))
        case .refused(let status, let retryAfter):
            let least: Duration = status == 429 ? Reconnection.pauseAfterTooMany : .zero
            let asked = min(max(retryAfter ?? .zero, least), Reconnection.maxRetryAfter)
            return .retry(after: asked + backoff.next(using: &random))
        }
    }

    private func pause(after code: UInt16?) -> Duration { code == 4429 ? Reconnection.pauseAfterTooMany : .zero }

    private func stop(_ code: UInt16?, _ reason: String) -> Step? {
        switch code {
        case 4403, 4409: return .stop(code: code, reason: reason)
        case 4401 where !hasTokens: return .stop(code: code, reason: reason)
        default: return nil
        }
    }
}
