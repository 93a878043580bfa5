import RedisClient
import Synchronization

/// Keeps a node's links on one server; told by all of them, each on its own loop.
///
/// Today one server holds all partitions and the index, and one identity serves.
final class ServerWatch: Sendable {
    private struct State {
        var identity = ServerIdentity()
        var leave: @Sendable (ServerIdentity.Departure) -> Void = { _ in }
    }

    private let state = Mutex(State())
    private let onChange: @Sendable (ServerIdentity.Trouble?) -> Void

    /// - Parameter onChange: told at each event, in order; must not ask back.
    init(onChange: @escaping @Sendable (ServerIdentity.Trouble?) -> Void) {
        self.onChange = onChange
    }

    /// Completes the circle: links tell it where they lead, and it tells them to leave.
    func prepare(leave: @escaping @Sendable (ServerIdentity.Departure) -> Void) {
        state.withLock { $0.leave = leave }
    }

    /// Whether what one link says of the index, or of any partition, holds for all of them.
    var isOne: Bool { state.withLock { $0.identity.isOne } }

    func changed(_ link: ServerIdentity.Link, _ state: RedisLinkState) {
        update { identity in
            switch state {
            case .connected(let server, _, _):
                return identity.stands(link, on: server)
            case .unfit(let reason):
                identity.foundUnfit(link, reason: reason)
                return []
            case .disconnected, .refused:
                identity.fell(link)
                return []
            }
        }
    }

    /// A beat was answered by a server that is no longer the one its link was greeted by.
    func changed(under link: ServerIdentity.Link) {
        update { $0.changed(under: link) }
    }

    private func update(_ change: (inout ServerIdentity) -> [ServerIdentity.Departure]) {
        let (departures, leave) = state.withLock { state in
            let departures = change(&state.identity)
            onChange(state.identity.trouble)
            return (departures, state.leave)
        }
        for departure in departures { leave(departure) }
    }
}
