/// The reason why a sentinel, or a server of a Cluster, does not say what it knows.
package enum QuestionFailure: Error, Hashable, Sendable {
    case away
    /// It takes no questions from this node.
    case refused(reason: String)
}
