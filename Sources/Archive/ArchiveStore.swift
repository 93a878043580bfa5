import Dispatch
import Glibc

/// One connection to the archive, on a thread of its own: no call to a database blocks anybody else.
///
/// It connects when it is first used, and anew after each failure.
///
/// `@unchecked Sendable`: the database is touched on the queue only, which runs one thing at a time.
package final class ArchiveStore: @unchecked Sendable {
    private let queue = DispatchQueue(label: "martlet.archive")
    private let url: ArchiveURL
    private var database: ArchiveDatabase?

    package init(_ url: ArchiveURL) {
        self.url = url
    }

    /// What `body` gives, which may do whatever it likes with the database, in its turn.
    package func perform<Answer: Sendable>(
        _ body: @escaping @Sendable (ArchiveDatabase) throws(ArchiveError) -> Answer
    ) async throws(ArchiveError) -> Answer {
        let result: Result<Answer, ArchiveError> = await withCheckedContinuation { continuation in
            perform(body) { continuation.resume(returning: $0) }
        }
        return try result.get()
    }

    /// As above; `reply` comes on the store's thread.
    ///
    /// - Parameter isStale: asked when its turn has come: whether nobody waits for it any more.
    package func perform<Answer: Sendable>(
        _ body: @escaping @Sendable (ArchiveDatabase) throws(ArchiveError) -> Answer,
        unless isStale: @escaping @Sendable () -> Bool = { false },
        reply: @escaping @Sendable (Result<Answer, ArchiveError>) -> Void
    ) {
        queue.async { reply(isStale() ? .failure(.away("it took too long")) : self.perform(body)) }
    }

    /// Lets the connection go, behind what is under way.
    package func close() {
        queue.async {
            self.database?.close()
            self.database = nil
        }
    }

    private func perform<Answer>(_ body: (ArchiveDatabase) throws(ArchiveError) -> Answer) -> Result<
        Answer, ArchiveError
    > {
        do {
            let database: ArchiveDatabase
            if let known = self.database {
                database = known
            } else {
                database = try ArchiveDatabase(url)
                self.database = database
            }
            return .success(try body(database))
        } catch {
            // Whatever went wrong, the next one begins on a connection of which all is known.
            self.database?.close()
            self.database = nil
            return .failure(error)
        }
    }
}

/// The time of day.
enum Clocks {
    /// Milliseconds since 1970.
    static func now() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}
