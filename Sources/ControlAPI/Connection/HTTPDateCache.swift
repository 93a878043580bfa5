import Synchronization

/// The present moment as `Date` bears it, spelled once a second for all connections.
package final class HTTPDateCache: Sendable {
    private struct Spelled {
        let second: Int
        let text: String
    }

    private let now: @Sendable () -> Int
    private let last = Mutex<Spelled?>(nil)

    /// `now` answers seconds since 1970.
    package init(now: @escaping @Sendable () -> Int) {
        self.now = now
    }

    var text: String {
        let second = now()
        return last.withLock { last in
            if let last, last.second == second { return last.text }
            let text = HTTPDate.text(second)
            last = Spelled(second: second, text: text)
            return text
        }
    }
}
