/// The word of a node on whether it can command and hear, and do what is to be done for all, and so may coordinate partitions.
///
/// It says no at the first beat that finds it unable, since what it looks after waits for that, and yes again once it has
/// been well for a whole lease: links that come and go do not move partitions with each turn. A node that starts has
/// nothing to prove. Each says it of itself alone, so no two can hold each other unable. Pure: times are milliseconds by
/// the node's own monotonic clock.
package struct Ability: Sendable {
    package enum Word: Hashable, Sendable {
        case able
        case unable
    }

    private enum State {
        /// It has never been well.
        case new
        case able
        case unable
        case recovering(since: Int64)
    }

    private let lease: Int64
    private var state = State.new

    package init(lease: Int64) {
        self.lease = lease
    }

    /// What a beat that goes out now says.
    package mutating func found(isWell: Bool, now: Int64) -> Word {
        switch (state, isWell) {
        case (.new, false):
            return .unable
        case (.able, false), (.unable, false), (.recovering, false):
            state = .unable
            return .unable
        case (.new, true), (.able, true):
            state = .able
            return .able
        case (.unable, true):
            state = .recovering(since: now)
            return .unable
        case (.recovering(let since), true):
            guard now - since >= lease else { return .unable }
            state = .able
            return .able
        }
    }
}
