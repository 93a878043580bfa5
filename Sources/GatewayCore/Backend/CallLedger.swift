/// A call of a backend that changed something, or overstepped its key; what was sent is no part of it.
package struct BackendCall: Hashable, Sendable {
    /// The name of the key that it carried.
    package var key: String
    /// Method and route, such as `POST /v1/users/{userId}/disconnect`.
    package var call: String
    /// The user, the room, the connection or the addresses; empty where it names none.
    package var whom: String
    /// Of the answer.
    package var status: Int

    package init(key: String, call: String, whom: String, status: Int) {
        self.key = key
        self.call = call
        self.whom = whom
        self.status = status
    }
}

/// One that is in the ledger.
package struct NotedCall: Hashable, Sendable {
    package var call: BackendCall
    /// Milliseconds since 1970 by the store's clock.
    package var timestamp: Int64

    package init(_ call: BackendCall, timestamp: Int64) {
        self.call = call
        self.timestamp = timestamp
    }
}

package struct NotedCallPage: Hashable, Sendable {
    /// The latest first.
    package var calls: [NotedCall]
    /// Nil at the end.
    package var next: String?

    package init(calls: [NotedCall], next: String?) {
        self.calls = calls
        self.next = next
    }
}

/// What backends have done on all nodes, for people to read.
package protocol CallLedger: Sendable {
    /// Does not wait, and fails without a word: the node's own log has it as well. Any thread.
    func note(_ call: BackendCall)

    /// Some thousands of the latest are kept, for a month; `cursor` is an earlier page's `next`.
    func calls(limit: Int, cursor: String?) async throws(DirectoryError) -> NotedCallPage
}
