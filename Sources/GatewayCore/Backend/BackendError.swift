/// The reason why the backend could not do what it was asked; it goes to the log, never to a client.
package enum BackendError: Error, Hashable, Sendable {
    /// Redis is away, full, or did not answer in time: nothing is known to have been stored.
    case unavailable(reason: String)
    /// Redis is fuller than `redis.budget` allows: messages are not stored, all else goes on.
    case full
    /// The user's messages have brought as many dedupe keys as are remembered of one user.
    case tooManyMarks(retryAfter: Duration)
    /// A message of a room with `durability: replicated` is stored, but no replica has said in time that it has it: a
    /// failover may lose it.
    case unconfirmed
    /// Nodes of a release that cannot read it are still running.
    case mixedReleases
    /// The same key was used for something else.
    case conflict
    /// The room's settings do not allow it.
    case barred(RoomBar)

    /// What a client or a backend is told.
    package var request: RequestError {
        switch self {
        case .unavailable: RequestError(.unavailable, "the gateway cannot reach its store just now; try again")
        case .full:
            RequestError(.unavailable, "the store is full, and takes no messages until there is room again")
        case .tooManyMarks(let wait):
            RequestError(
                .rateLimited, "too many messages with a dedupe key within two minutes; slow down",
                retryAfterMilliseconds: Int(wait.milliseconds) + 1)
        case .unconfirmed:
            RequestError(
                .unavailable,
                "the message may be stored, but no replica has confirmed it; try again with the same key")
        case .mixedReleases:
            RequestError(
                .unavailable,
                "nodes of an earlier release still run, and know of no event, no exception and nothing volatile")
        case .conflict: RequestError(.conflict, "the key was used for another request")
        case .barred(let bar): bar.request
        }
    }
}
