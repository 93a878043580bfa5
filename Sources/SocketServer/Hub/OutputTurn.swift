import GatewayCore

/// How much of an event loop's turn goes to what is sent to single clients: parts of what they missed, and pages.
///
/// What does not fit, or is for a client that owes, waits for a later turn, in the order it came. Belongs to its hub's
/// event loop.
struct OutputTurn {
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
    var isPostponed = false

    var isOver: Bool { spent >= OutputTurn.limit }
    var isEmpty: Bool { waiting.isEmpty }

    mutating func spend(_ price: Int) { spent += price }

    mutating func wait(_ waiter: Waiter) { waiting.append(waiter) }

    /// Begins a turn: takes out all that wait.
    mutating func begin() -> [Waiter] {
        spent = 0
        defer { waiting = [] }
        return waiting
    }
}
