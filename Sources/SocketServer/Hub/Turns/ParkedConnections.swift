import GatewayCore

/// A connection with bytes that have been read and may not be unpacked yet.
package protocol Parkable: AnyObject {
    /// Whether nobody has been let in for whom it speaks.
    var isStranger: Bool { get }
    /// Not looked at before; nil where nothing waits any more.
    var unreadUntil: MonotonicTime? { get }
}

/// Connections whose bytes wait for a later turn or for credit, those first whose turn is next.
///
/// Pure. A class, so that only it writes what it keeps; it belongs to its hub's event loop.
package final class ParkedConnections<Connection: Parkable> {
    private var parked: [Connection] = []
    /// Whether a look at them has been asked for.
    package private(set) var isLooking = false

    package init() {}

    package var isEmpty: Bool { parked.isEmpty }

    package func park(_ connection: Connection) { parked.append(connection) }

    package func willLook() { isLooking = true }

    /// Takes out all that wait. Strangers, of whom there may be very many, come after all who are none.
    package func takeAll() -> [Connection] {
        isLooking = false
        defer { parked = [] }
        return parked.filter { !$0.isStranger } + parked.filter(\.isStranger)
    }

    /// Who has had no share comes before those who have had one since and are not done.
    package func parkFirst(_ connections: [Connection]) { parked = connections + parked }

    /// Whether it is somebody's turn already.
    package func isPressing(now: MonotonicTime) -> Bool { parked.contains { ($0.unreadUntil ?? now) <= now } }
}
