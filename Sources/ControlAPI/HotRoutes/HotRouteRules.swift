/// The rules by which the hot routes are answered before the library: one request after the other, in their order, since
/// the next head comes only when the answer before it was given.
///
/// Inputs are what comes from the client and what becomes of the request; it does no I/O.
package struct HotRouteRules: Sendable {
    /// The treatment of a part of a request.
    package enum Fate: Hashable, Sendable {
        /// On to the library.
        case passed
        /// To the request that is being received.
        case kept
        case dropped
        /// The request is whole: it is to be answered.
        case answered
        /// The request ends in its midst: that is to be answered, and then what ended it is the library's.
        case brokenOff
        /// Until the answer is given.
        case postponed
    }

    private enum Phase {
        /// Nothing is under way but what the library serves.
        case others
        case receiving
        case answering
        /// The client sends no more.
        case answeringLast
    }

    private var phase = Phase.others

    package init() {}

    package mutating func receivedHead(isHot: Bool) -> Fate {
        guard isHot else { return .passed }
        guard case .others = phase else { preconditionFailure("a head before the last answer: \(phase)") }
        phase = .receiving
        return .kept
    }

    package func fateOfBody() -> Fate {
        switch phase {
        case .others: .passed
        case .receiving: .kept
        case .answering, .answeringLast: .dropped
        }
    }

    package mutating func receivedEnd() -> Fate {
        switch phase {
        case .others: return .passed
        case .receiving:
            phase = .answering
            return .answered
        case .answering, .answeringLast: return .dropped
        }
    }

    /// The request is refused by what has come of it.
    package mutating func refused() {
        if case .receiving = phase { phase = .answering }
    }

    /// The client sends no more, or nothing that can be read.
    package mutating func inputEnded() -> Fate {
        switch phase {
        case .others: return .passed
        case .receiving:
            phase = .answeringLast
            return .brokenOff
        case .answering, .answeringLast:
            phase = .answeringLast
            return .postponed
        }
    }

    /// All of the answer is written; whether the library is now told that the client sends no more.
    package mutating func answered() -> Bool {
        defer { phase = .others }
        if case .answeringLast = phase { return true }
        return false
    }
}
