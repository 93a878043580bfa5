/// A hub's listener that wants to go live in a room.
package struct Listener: Sendable {
    package let ticket: FollowTicket
    package let hub: HubNumber
    /// What it has seen; nil where it asks for nothing that lies before now.
    package let since: ClientPosition?
    /// How much of what it has missed it takes at once.
    package let portion: Portion
    /// When it is told that Redis did not answer.
    package let deadline: MonotonicTime
    /// Whether memory was found not to hold what it has missed.
    var readsLog = false
    /// What the archive was found to know of what the log has let go of; nil where it was not asked.
    package var past: PastAnswer?

    /// The answer of an archive that could not help.
    package enum PastAnswer: Sendable {
        case nothing
        case unavailable
    }

    package init(
        ticket: FollowTicket, hub: HubNumber, since: ClientPosition?, portion: Portion, deadline: MonotonicTime
    ) {
        self.ticket = ticket
        self.hub = hub
        self.since = since
        self.portion = portion
        self.deadline = deadline
    }
}

/// A listener whose position the channel has not reached yet.
struct ParkedListener {
    let listener: Listener
    let answer: PositionAnswer
    let since: MonotonicTime
}
