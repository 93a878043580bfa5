/// The standing of a session id that a client shows, before anybody is asked.
package enum SessionProof: Hashable, Sendable {
    /// This deployment gave it out; whether the session still is, and whose, the registry knows.
    case genuine
    /// Nobody here gave it out: it is as good as none.
    case invented
    /// This node cannot tell yet, since it has not reached Redis.
    case undecided
}

/// Asked at the handshake, on any thread; answers at once.
package typealias SessionCheck = @Sendable (String) -> SessionProof
