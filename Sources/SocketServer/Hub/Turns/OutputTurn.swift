import GatewayCore

/// The budget of an event loop's turn for what is sent to single clients: parts of what they missed, and pages.
///
/// What does not fit, or is for a client that owes, waits for a later turn, in the order it came. Pure. A
/// class, so that only it writes what it keeps; it belongs to its hub's event loop.
package final class OutputTurn<Waiter> {
    /// In nanoseconds of a core as `Prices` counts them.
    package static var limit: Int { 20_000_000 }

    private var spent = 0
    private var waiting: [Waiter] = []
    /// Whether a later turn has been asked for.
    package private(set) var isPostponed = false

    package init() {}

    package var isOver: Bool { spent >= OutputTurn.limit }
    package var isEmpty: Bool { waiting.isEmpty }

    package func spend(_ price: Int) { spent += price }

    package func wait(_ waiter: Waiter) { waiting.append(waiter) }

    package func postpone() { isPostponed = true }

    /// Begins a turn: takes out all that wait.
    package func begin() -> [Waiter] {
        spent = 0
        isPostponed = false
        defer { waiting = [] }
        return waiting
    }
}
