import Synchronization

/// The connections of the api port, on whatever loops they are.
package final class ConnectionTable: Sendable {
    private struct State {
        var slots: ConnectionSlots
        var closers: [ConnectionSlots.ID: @Sendable () -> Void] = [:]
    }

    private let state: Mutex<State>
    private let onGivenWay: @Sendable () -> Void

    /// `onGivenWay` is told of each connection that was closed in favour of another.
    package init(places: Int, onGivenWay: @escaping @Sendable () -> Void = {}) {
        state = Mutex(State(slots: ConnectionSlots(places: places)))
        self.onGivenWay = onGivenWay
    }

    /// A place for a new connection, nil where there is none.
    ///
    /// - Parameter giveWay: called once at most, on any thread, where another takes the place: it closes the connection
    ///   unless a request has begun on it.
    package func open(giveWay: @escaping @Sendable () -> Void) -> ConnectionSlots.ID? {
        let (opening, closer) = state.withLock { state in
            let opening = state.slots.opened()
            if let id = opening.id { state.closers[id] = giveWay }
            return (opening, opening.givesWay.flatMap { state.closers.removeValue(forKey: $0) })
        }
        if let closer {
            closer()
            onGivenWay()
        }
        return opening.id
    }

    package func begins(_ id: ConnectionSlots.ID, isProbe: Bool) -> Bool {
        state.withLock { $0.slots.begins(id, isProbe: isProbe) }
    }

    package func rests(_ id: ConnectionSlots.ID) {
        state.withLock { $0.slots.rests(id) }
    }

    package func close(_ id: ConnectionSlots.ID) {
        state.withLock { state in
            state.slots.closed(id)
            state.closers[id] = nil
        }
    }
}
