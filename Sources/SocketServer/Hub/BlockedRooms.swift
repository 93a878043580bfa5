import GatewayCore

/// Rooms that have been sent too much, until when.
///
/// Pure. A class, so that only it writes what it keeps; it belongs to its hub's event loop.
package final class BlockedRooms {
    private var ends: [RoomName: MonotonicTime] = [:]

    package init() {}

    package func block(_ room: RoomName, until end: MonotonicTime) { ends[room] = end }

    /// How long nothing more may be sent to a room.
    package func wait(for room: RoomName, now: MonotonicTime) -> Duration? {
        guard !ends.isEmpty, let end = ends[room] else { return nil }
        if end > now { return end - now }
        ends[room] = nil
        return nil
    }

    /// Forgets those whose time is over.
    package func forget(now: MonotonicTime) {
        if !ends.isEmpty { ends = ends.filter { $0.value > now } }
    }
}
