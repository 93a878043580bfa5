/// What a command link has become, told on its loop at each change.
package enum RedisLinkState: Sendable, Equatable {
    /// Ready; what was unanswered before the break has been written again. `previousRunID` is nil at first; where it
    /// differs from `runID`, the server is another run, which may have forgotten anything.
    case connected(runID: String, clientID: Int64, previousRunID: String?)
    /// Down, or not up yet; it goes on trying.
    case disconnected(reason: String)
    /// Redis turned the credentials, their rights or the database down: an operator must act. It goes on trying.
    case refused(message: String)
}
