/// The state of a link, told on its loop at each change.
package enum RedisLinkState: Sendable, Equatable {
    /// Ready; what was unanswered before the break has been written again. `previous` is nil at first; where it differs
    /// from `server`, this is another server, or the same with other data, which may have forgotten anything.
    case connected(to: ServerID, clientID: Int64, previous: ServerID?)
    /// Down, or not up yet; it goes on trying.
    case disconnected(reason: String)
    /// The server there is none that can serve, such as a replica. It goes on trying.
    case unfit(reason: String)
    /// Redis turned the credentials, their rights or the database down: an operator must act. It goes on trying.
    case refused(message: String)

    init(_ failure: LinkFailure, reason: String) {
        self =
            switch failure {
            case .passing: .disconnected(reason: reason)
            case .unfit, .stranger: .unfit(reason: reason)
            case .refused: .refused(message: reason)
            }
    }
}
