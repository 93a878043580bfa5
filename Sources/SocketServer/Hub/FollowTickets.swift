import GatewayCore

/// Questions to the streams, by number, and the listeners whose question has no answer yet. Belongs to its hub's event loop.
final class FollowTickets {
    private var last: FollowTicket = 0
    private var listeners: [FollowTicket: Listener] = [:]

    /// A number for one more question.
    func next() -> FollowTicket {
        last += 1
        return last
    }

    /// The same for a listener's.
    func next(for listener: Listener) -> FollowTicket {
        let ticket = next()
        listeners[ticket] = listener
        return ticket
    }

    /// Takes out the listener whose question has its answer; nil where that is of no interest any more.
    func take(_ ticket: FollowTicket) -> Listener? { listeners.removeValue(forKey: ticket) }
}
