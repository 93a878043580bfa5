/// Whether a node should be sent new clients and requests.
package enum Readiness: Hashable, Sendable {
    case ready
    /// The reason is for people, such as "draining"; it is sent as it is.
    case notReady(reason: String)
}
