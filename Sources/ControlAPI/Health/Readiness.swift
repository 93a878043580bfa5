/// The readiness of a node for new clients and requests.
package enum Readiness: Hashable, Sendable {
    case ready
    /// It serves, but for what the text says, which is for people and sent as it is.
    case restricted(reason: String)
    /// The reason is for people, such as "draining"; it is sent as it is.
    case notReady(reason: String)
}
