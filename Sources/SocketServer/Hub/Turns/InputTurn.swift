import GatewayCore

/// How much of an event loop's turn goes to unpacking what clients send: a bounded part of it, and of that a bounded part
/// to each connection, so that whoever sends what is dear to unpack delays nobody who sends what is cheap.
///
/// What does not fit waits for a later turn, in the order it came. Belongs to its hub's event loop.
final class InputTurn {
    /// For all connections in one turn, in nanoseconds of a core as `Prices` counts them.
    static let limit = 20_000_000
    /// For one connection, before it is the next one's turn.
    static let share = 2_000_000
    /// What costs less is gathered before it is counted, so that the end of few turns has to be waited for.
    static let smallChange = 20_000

    private var spent = 0
    private var change = 0
    /// Connections whose bytes wait for a later turn or for credit, those first whose turn is next.
    private var parked: [SocketHandler] = []
    /// Whether a look at them has been asked for.
    private(set) var isLooking = false

    var isOver: Bool { spent >= InputTurn.limit }

    /// - Returns: whether it is the first that was counted since the last turn's end.
    func spend(_ price: Int) -> Bool {
        change += price
        guard change > InputTurn.smallChange else { return false }
        defer {
            spent += change
            change = 0
        }
        return spent == 0
    }

    func end() { spent = 0 }

    // MARK: Those that wait

    var isAnyoneParked: Bool { !parked.isEmpty }

    func park(_ connection: SocketHandler) { parked.append(connection) }

    func willLook() { isLooking = true }

    /// Takes out all that wait. Strangers, of whom there may be very many, come after all who are none.
    func takeParked() -> [SocketHandler] {
        isLooking = false
        defer { parked = [] }
        return parked.filter { !$0.machine.isStranger } + parked.filter { $0.machine.isStranger }
    }

    /// Who has had no share comes before those who have had one since and are not done.
    func parkFirst(_ connections: [SocketHandler]) { parked = connections + parked }

    /// Whether it is somebody's turn already.
    func isPressing(now: MonotonicTime) -> Bool { parked.contains { ($0.unread?.until ?? now) <= now } }
}
