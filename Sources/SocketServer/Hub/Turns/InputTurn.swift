import GatewayCore

/// The budget of an event loop's turn for unpacking what clients send: a bounded part of it, and of that a bounded part
/// to each connection, so that whoever sends what is dear to unpack delays nobody who sends what is cheap.
///
/// What does not fit waits among `ParkedConnections`. Pure. A class, so that only it writes what it keeps; it belongs to its
/// hub's event loop.
package final class InputTurn {
    /// For all connections in one turn, in nanoseconds of a core as `Prices` counts them.
    package static let limit = 20_000_000
    /// For one connection, before it is the next one's turn.
    package static let share = 2_000_000
    /// What costs less is gathered before it is counted, so that the end of few turns has to be waited for.
    package static let smallChange = 20_000

    private var spent = 0
    private var change = 0

    package init() {}

    package var isOver: Bool { spent >= InputTurn.limit }

    /// - Returns: whether it is the first that was counted since the last turn's end.
    package func spend(_ price: Int) -> Bool {
        change += price
        guard change > InputTurn.smallChange else { return false }
        defer {
            spent += change
            change = 0
        }
        return spent == 0
    }

    package func end() { spent = 0 }
}
