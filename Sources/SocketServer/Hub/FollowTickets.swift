import GatewayCore

/// Questions to the streams, by number, and the listeners whose question has no answer yet.
///
/// Pure. A class, so that only it writes what it keeps; it belongs to its hub's event loop.
package final class FollowTickets<Listener> {
    private var last: FollowTicket = 0
    private var listeners: [FollowTicket: Listener] = [:]

    package init() {}

    /// A number for one more question.
    package func next() -> FollowTicket {
        last += 1
        return last
    }

    /// The same for a listener's.
    package func next(for listener: Listener) -> FollowTicket {
        let ticket = next()
        listeners[ticket] = listener
        return ticket
    }

    /// Takes out the listener whose question has its answer; nil where that is of no interest any more.
    package func take(_ ticket: FollowTicket) -> Listener? { listeners.removeValue(forKey: ticket) }
}
