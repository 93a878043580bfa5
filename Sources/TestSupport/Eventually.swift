/// A condition did not come about in time.
package struct NeverHappened: Error, CustomStringConvertible {
    package let description: String

    package init(description: String) {
        self.description = description
    }
}

/// Waits for a condition that nothing announces: looks again and again, at most `limit`.
package func eventually(
    _ what: String = "the condition", within limit: Duration = .seconds(60),
    _ condition: @Sendable () async throws -> Bool
) async throws {
    let clock = ContinuousClock()
    let end = clock.now + limit
    while try await !condition() {
        guard clock.now < end else { throw NeverHappened(description: "\(what) did not come about in \(limit)") }
        try await clock.sleep(for: .milliseconds(10))
    }
}
