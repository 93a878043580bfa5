/// Steps of a roster that are told together, and what is left of them for whoever knows the first ones already.
package struct RosterPortion: Sendable {
    private enum Steps {
        /// Each event is one.
        case events
        /// The events are what is left of these.
        case bundle(RosterSteps)
        /// The events are what two readings differ by.
        case difference
        /// Nothing is known of them.
        case lost
    }

    /// The version before the first step.
    package let first: Int64
    /// All of it.
    package private(set) var change: RosterChange
    private let steps: Steps

    /// - Parameter change: each of its events is one step.
    package init(_ change: RosterChange) {
        (first, self.change, steps) = (change.version - Int64(change.events.count), change, .events)
    }

    /// - Parameter change: what is left of the steps.
    package init(_ change: RosterChange, of steps: RosterSteps) {
        (first, self.change, self.steps) = (steps.first, change, .bundle(steps))
    }

    /// - Parameter change: what two readings of the roster differ by, of which the earlier one was of this version.
    package init(_ change: RosterChange, between first: Int64) {
        (self.first, self.change, steps) = (first, change, .difference)
    }

    /// Steps that nobody can be told.
    package init(lost change: RosterChange, from first: Int64) {
        (self.first, self.change, steps) = (first, change, .lost)
        self.change.events = []
    }

    /// The version after the last step.
    package var last: Int64 { change.version }

    /// Whether each step of it is known.
    package var isWhole: Bool {
        switch steps {
        case .events, .bundle: true
        case .difference, .lost: false
        }
    }

    /// Whether somebody can be told of it.
    package var isKnown: Bool {
        if case .lost = steps { false } else { true }
    }

    /// What is left for whoever knows the roster up to a version; nil where that is not known.
    package func events(after known: Int64) -> [RosterEvent]? {
        guard leadsOn(from: known) else { return nil }
        guard known < last else { return [] }
        guard known > first else { return change.events }
        return switch steps {
        case .events: Array(change.events.suffix(Int(last - known)))
        case .bundle(let steps): steps.net(after: known)
        case .difference, .lost: nil
        }
    }

    /// Whether it is known what is left for whoever knows the roster up to a version.
    package func leadsOn(from known: Int64) -> Bool {
        switch steps {
        case .events, .bundle: true
        case .difference: known <= first || known >= last
        case .lost: known >= last
        }
    }
}
