/// Why the backend could not do what it was asked; the reason goes to the log, never to a client.
package enum BackendError: Error, Hashable, Sendable {
    /// Redis is away, full, or did not answer in time: nothing is known to have been stored.
    case unavailable(reason: String)
    /// The same key was used for something else.
    case conflict

    /// What a client or a backend is told.
    package var request: RequestError {
        switch self {
        case .unavailable: RequestError(.unavailable, "the gateway cannot reach its store just now; try again")
        case .conflict: RequestError(.conflict, "the key was used for another request")
        }
    }
}
