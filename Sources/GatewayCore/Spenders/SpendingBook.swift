import Synchronization

/// The spending of this node's connections and rooms in the last minute, for whoever asks who it is.
///
/// Any thread. It is told of a connection once for each two milliseconds of a core, so one lock is enough.
package final class SpendingBook: SpendingTally {
    private struct State {
        var users: SpendingWindow<UserID>
        var rooms: SpendingWindow<RoomName>
        var addresses: SpendingWindow<String>
    }

    /// As many of each kind as are told of a node.
    package static let told = 50

    private let state: Mutex<State>
    private let now: @Sendable () -> MonotonicTime

    /// - Parameter capacity: whom it remembers of each kind in five seconds: twice as many at most.
    package init(capacity: Int = 256, now: @escaping @Sendable () -> MonotonicTime) {
        state = Mutex(
            State(
                users: SpendingWindow(capacity: capacity), rooms: SpendingWindow(capacity: capacity),
                addresses: SpendingWindow(capacity: capacity)))
        self.now = now
    }

    package func spent(_ spending: Spending, by user: UserID?, at address: String) {
        let now = now()
        state.withLock { state in
            if let user { state.users.add(spending, by: user, now: now) }
            if !address.isEmpty { state.addresses.add(spending, by: address, now: now) }
        }
    }

    package func spent(_ spending: Spending, in room: RoomName) {
        let now = now()
        state.withLock { $0.rooms.add(spending, by: room, now: now) }
    }

    /// The first of each kind by each measure.
    package func spenders() -> [SpenderKind: [Spender]] {
        let now = now()
        // Sums and orders copies, so that nobody who spends waits for that.
        var copy = state.withLock { $0 }
        return [
            .users: SpendingBook.first(copy.users.lastMinute(now: now)) { $0.string },
            .rooms: SpendingBook.first(copy.rooms.lastMinute(now: now)) { $0.string },
            .addresses: SpendingBook.first(copy.addresses.lastMinute(now: now)) { $0 },
        ]
    }

    private static func first<Key>(_ spenders: HeavyHitters<Key>, name: (Key) -> String) -> [Spender] {
        spenders.best(told).map { Spender(name: name($0.key), spending: $0.value) }
    }
}
