import GatewayCore
import Synchronization

/// Connections that are there because a test says so.
final class FixedConnections: ConnectionCloser, Sendable {
    struct Closed: Equatable {
        var connection: String
        var reason: CloseReason
        var text: String
    }

    struct State {
        var present: Set<String> = []
        var closed: [Closed] = []
        var outage: BackendError?
    }

    let state = Mutex(State())

    func close(_ connection: String, _ reason: CloseReason, text: String) async throws(BackendError) -> Bool {
        let result = state.withLock { state -> Result<Bool, BackendError> in
            if let error = state.outage { return .failure(error) }
            guard state.present.remove(connection) != nil else { return .success(false) }
            state.closed.append(Closed(connection: connection, reason: reason, text: text))
            return .success(true)
        }
        return try result.get()
    }
}
