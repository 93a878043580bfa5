/// What a connection's end, or an attempt that came to nothing, says of the next attempt.
package enum LinkFailure: Sendable, Hashable {
    /// The next may well succeed.
    case passing
    /// The server there cannot serve, a replica say, until it, or where the address leads, has changed.
    case unfit
    /// Redis turned us down: without a change by an operator another try is pointless.
    case refused
}
