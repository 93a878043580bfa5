/// The rule by which a node that cannot do its part sends its clients to the nodes that can.
///
/// It does where its beats were answered for 30 s without a pause and it could neither command nor hear all that time, while
/// another node could. Where Redis is away no beat is answered, and where all are deaf nobody would serve the clients
/// better: then they stay. Pure: times are milliseconds by the node's own monotonic clock.
package struct Relief: Sendable {
    package enum Step: Hashable, Sendable {
        /// The clients go, and nobody is let in.
        case sendAway
        /// Whoever comes is let in again.
        case admitAgain
    }

    private enum State {
        case serving
        case failing(since: Int64, seen: Int64)
        case relieved
    }

    package static let patience: Int64 = 30_000

    private let lease: Int64
    private var state = State.serving

    package init(lease: Int64) {
        self.lease = lease
    }

    /// A beat was answered; nil where nothing is to be done.
    ///
    /// - Parameters:
    ///   - word: what the node said of itself with it.
    ///   - isAnotherAble: whether the index shows another node, with the same server, that can.
    package mutating func beaten(_ word: Ability.Word, isAnotherAble: Bool, now: Int64) -> Step? {
        guard word == .unable, isAnotherAble else {
            defer { state = .serving }
            if case .relieved = state { return .admitAgain }
            return nil
        }
        switch state {
        case .serving:
            state = .failing(since: now, seen: now)
            return nil
        case .failing(let since, let seen):
            // For a lease no beat was answered: what lay before says nothing of now.
            let since = now - seen > lease ? now : since
            guard now - since >= Relief.patience else {
                state = .failing(since: since, seen: now)
                return nil
            }
            state = .relieved
            return .sendAway
        case .relieved:
            return nil
        }
    }
}
