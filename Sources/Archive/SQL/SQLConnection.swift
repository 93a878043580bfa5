import Glibc

/// One connection to one database: all that differs between them but for a few words of SQL, see ``SQLDialect``.
///
/// Calls block; whoever holds it makes them from one thread at a time. What fails leaves it of no more use.
package protocol SQLConnection: AnyObject {
    var dialect: SQLDialect { get }

    /// Runs one statement, prepared once for each text; `?` stands for the values.
    func run(_ sql: String, _ values: [SQLValue]) throws(ArchiveError) -> SQLResult

    /// Runs one statement without values, which is not prepared: of transactions and of tables.
    func execute(_ sql: String) throws(ArchiveError)

    /// Waits so long, or until the database tells of something on a channel, where it can; behind a wait for the same channel
    /// what was told in between is told.
    func wait(for channel: String, milliseconds: Int32) throws(ArchiveError)

    func close()
}

extension SQLConnection {
    package func wait(for channel: String, milliseconds: Int32) throws(ArchiveError) {
        _ = poll(nil, 0, milliseconds)
    }
}

/// The answer to one statement.
package struct SQLResult: Sendable {
    var rows: [[SQLValue]] = []
    /// How many rows it inserted, changed or deleted.
    var changed = 0
}

extension SQLConnection {
    /// All that `body` does, or nothing of it.
    func transaction<Result>(_ body: () throws(ArchiveError) -> Result) throws(ArchiveError) -> Result {
        try execute(dialect.begin)
        do {
            let result = try body()
            try execute("COMMIT")
            return result
        } catch {
            // The first failure is what matters; where this one fails too the connection is let go.
            try? execute("ROLLBACK")
            throw error
        }
    }

    /// Inserts rows in few statements: some hundred rows each, so that few texts are prepared.
    ///
    /// - Parameters:
    ///   - head: the statement up to its `VALUES`.
    ///   - tail: what is behind the rows.
    ///   - most: bytes of one statement, about: servers take no larger packets.
    func insert(
        _ head: String, rows: [[SQLValue]], tail: String, bytes: [Int], most: Int = 4 << 20
    ) throws(ArchiveError) {
        var start = 0
        while start < rows.count {
            var size = 1
            for candidate in [100, 10] where start + candidate <= rows.count {
                if bytes[start..<start + candidate].reduce(0, +) <= most {
                    size = candidate
                    break
                }
            }
            let row = "(" + Array(repeating: "?", count: rows[start].count).joined(separator: ", ") + ")"
            let all = Array(repeating: row, count: size).joined(separator: ", ")
            _ = try run("\(head) VALUES \(all) \(tail)", rows[start..<start + size].flatMap { $0 })
            start += size
        }
    }
}
