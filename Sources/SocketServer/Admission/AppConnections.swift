import Dialects
import Synchronization

/// How many clients of each app are on this node; asked at their coming and going. Any thread.
package final class AppConnections: Sendable {
    private let counts = Mutex<[String: Int]>([:])

    package init() {}

    /// Counts one more; false where that would be more than the app may have.
    package func enter(_ app: PusherApp) -> Bool {
        counts.withLock { counts in
            let count = counts[app.id, default: 0]
            guard app.maxConnections == 0 || count < app.maxConnections else { return false }
            counts[app.id] = count + 1
            return true
        }
    }

    package func leave(_ app: PusherApp) {
        counts.withLock { counts in
            let count = counts[app.id, default: 0]
            counts[app.id] = count > 1 ? count - 1 : nil
        }
    }
}
