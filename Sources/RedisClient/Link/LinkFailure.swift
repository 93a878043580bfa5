/// The kind of failure of a connection, or of an attempt at one, as far as it bears on the next attempt.
package enum LinkFailure: Sendable, Hashable {
    /// The next may well succeed.
    case passing
    /// The server there cannot serve, a replica say, until it, or where the address leads, has changed.
    case unfit
    /// The server there is of another Cluster, as far as is known: it cannot serve until one of this id belongs to the own one.
    case stranger(id: String)
    /// Redis turned us down: without a change by an operator another try is pointless.
    case refused
}
