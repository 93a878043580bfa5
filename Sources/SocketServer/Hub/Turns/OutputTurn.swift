import GatewayCore

/// How much of an event loop's turn goes to what is sent to single clients: parts of what they missed, and pages.
///
/// What does not fit, or is for a client that owes, waits for a later turn, in the order it came. Belongs to its hub's
/// event loop.
final class OutputTurn {
    /// In nanoseconds of a core as `Prices` counts them.
    static let limit = 20_000_000

    /// One client's next part.
    struct Waiter {
        let connection: SocketHandler
        let goOn: () -> Void
    }

    private var spent = 0
    private var waiting: [Waiter] = []
    /// Whether a later turn has been asked for.
    private(set) var isPostponed = false

    var isOver: Bool { spent >= OutputTurn.limit }
    var isEmpty: Bool { waiting.isEmpty }

    func spend(_ price: Int) { spent += price }

    func wait(_ waiter: Waiter) { waiting.append(waiter) }

    func postpone() { isPostponed = true }

    /// Begins a turn: takes out all that wait.
    func begin() -> [Waiter] {
        spent = 0
        isPostponed = false
        defer { waiting = [] }
        return waiting
    }
}
