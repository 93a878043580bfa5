/// The protocol that a client speaks, as backends and metrics are told of it.
package enum ClientDialect: String, Hashable, Sendable, CaseIterable {
    case native
    /// Pusher's, as an app's client.
    case pusher
}
