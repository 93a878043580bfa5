import GatewayCore

/// A row that a backend has put into the outbox.
package struct OutboxRow: Hashable, Sendable {
    package var id: Int64
    /// JSON, as `to` of a broadcast.
    package var target: String
    /// JSON text.
    package var payload: [UInt8]
    /// The name of what it tells of; nil where it has none.
    package var event: String?
    package var msgType: Int
    package var userId: String
}

/// The way in: rows that a backend inserts in transactions of its own.
extension ArchiveDatabase {
    /// The rows that wait, of those that are committed by now, in the order of their ids.
    package func outbox(limit: Int) throws(ArchiveError) -> [OutboxRow] {
        let sql = """
            SELECT id, target, payload, event, msg_type, user_id FROM martlet_outbox WHERE sent_at IS NULL \
            ORDER BY id LIMIT \(limit)
            """
        var rows: [OutboxRow] = []
        for row in try connection.run(sql, []).rows {
            guard let id = row[0].integer, let target = row[1].string, let payload = row[2].bytes,
                let type = row[4].integer, let user = row[5].string
            else { throw .failed("a row of the outbox cannot be read") }
            rows.append(
                OutboxRow(
                    id: id, target: target, payload: payload, event: row[3].string, msgType: Int(type), userId: user))
        }
        return rows
    }

    /// Puts a row into the outbox, as a backend does.
    package func putIntoOutbox(target: String, payload: String, event: String? = nil) throws(ArchiveError) {
        _ = try connection.run(
            "INSERT INTO martlet_outbox (target, payload, event) VALUES (?, ?, ?)",
            [.text(target), .text(payload), .optional(event)])
    }

    /// Notes that rows were sent, or why they never will be.
    package func settleOutbox(_ outcomes: [(id: Int64, error: String?)]) throws(ArchiveError) {
        try connection.transaction { () throws(ArchiveError) in
            for (id, error) in outcomes {
                _ = try connection.run(
                    "UPDATE martlet_outbox SET sent_at = \(dialect.given("timestamptz")), error = ? WHERE id = ?",
                    [.moment(Clocks.now()), .optional(error), .integer(id)])
            }
        }
    }

    /// Waits until a row may have come, at most so long; returns early where the database tells of it.
    package func waitForOutbox(milliseconds: Int32) throws(ArchiveError) {
        try connection.wait(for: "martlet_outbox", milliseconds: milliseconds)
    }

    /// Lets go of rows that were sent before a moment; answers how many went.
    package func pruneOutbox(before moment: Int64) throws(ArchiveError) -> Int {
        try connection.run(
            "DELETE FROM martlet_outbox WHERE sent_at < \(dialect.given("timestamptz")) AND error IS NULL",
            [.moment(moment)]
        ).changed
    }

    /// Lets go of a user's rows that were sent; answers how many went.
    package func forgetSent(of user: String) throws(ArchiveError) -> Int {
        try connection.run(
            "DELETE FROM martlet_outbox WHERE user_id = ? AND sent_at IS NOT NULL", [.text(user)]
        ).changed
    }

    // MARK: Erasure

    /// Takes the payloads of a user's messages away, of those with these numbers; answers how many had one.
    package func erase(
        _ user: String, in room: String, epoch: String, numbers: ClosedRange<Int>
    ) throws(ArchiveError) -> Int {
        try connection.run(
            """
            UPDATE martlet_messages SET payload = NULL \
            WHERE room = ? AND epoch = ? AND seq BETWEEN ? AND ? AND user_id = ? AND payload IS NOT NULL
            """,
            [.text(room), .text(epoch), .count(numbers.lowerBound), .count(numbers.upperBound), .text(user)]
        ).changed
    }
}
