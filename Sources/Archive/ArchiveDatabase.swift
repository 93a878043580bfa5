import GatewayCore

/// The archive in one database: the tables and all that is done with them.
///
/// Blocks, and belongs to one thread at a time, as its connection does; see ``ArchiveStore``.
package final class ArchiveDatabase {
    /// What the archive has of a room's epoch: all up to a message, or a gap in its place.
    package struct End: Hashable, Sendable {
        package var number: Int
        package var seq: Int

        package init(number: Int, seq: Int) {
            self.number = number
            self.seq = seq
        }
    }

    /// What one transaction writes, of one partition.
    package struct Batch: Sendable {
        package var partition: Int
        /// By which the partition is the writer's.
        package var token: Int64
        package var messages: [ArchivedMessage] = []
        package var gaps: [ArchiveGap] = []
        /// Applied behind the messages.
        package var redactions: [ArchiveRedaction] = []

        package init(partition: Int, token: Int64) {
            self.partition = partition
            self.token = token
        }
    }

    /// A place in a room's history, behind or before which one reads on.
    package struct Place: Hashable, Sendable {
        package var epochNumber: Int
        package var seq: Int

        package init(epochNumber: Int, seq: Int) {
            self.epochNumber = epochNumber
            self.seq = seq
        }
    }

    let connection: any SQLConnection
    let dialect: SQLDialect

    package init(_ connection: any SQLConnection) {
        self.connection = connection
        dialect = connection.dialect
    }

    /// Connects to where a URL leads.
    package convenience init(_ url: ArchiveURL) throws(ArchiveError) {
        switch url.kind {
        case .sqlite: self.init(try SQLiteConnection(path: url.path))
        case .postgreSQL: self.init(try PostgreSQLConnection(url))
        case .mariaDB: self.init(try MariaDBConnection(url))
        }
    }

    package func close() { connection.close() }

    // MARK: Tables

    /// Of this release's tables.
    package static var newestVersion: Int { Migrations.newest }

    /// Which version the tables are of; 0 where there are none.
    package func version() throws(ArchiveError) -> Int {
        try connection.execute(Migrations.ledger(for: dialect))
        let rows = try connection.run("SELECT max(version) FROM martlet_schema", []).rows
        return Int(rows.first?.first?.integer ?? 0)
    }

    /// The same, with nothing made: a database that answers and does not know the ledger has no tables.
    package func versionThere() throws(ArchiveError) -> Int {
        _ = try connection.run("SELECT 1", [])
        // Whatever it says of a table that it does not know.
        let rows = try? connection.run("SELECT max(version) FROM martlet_schema", []).rows
        return Int(rows?.first?.first?.integer ?? 0)
    }

    /// Throws where the tables are not of this release's version.
    package func check() throws(ArchiveError) {
        let (found, known) = (try version(), Migrations.newest)
        if found > known { throw .newer(found: found, known: known) }
        if found < known { throw .older(found: found, known: known) }
    }

    /// Brings the tables to this release's version, however many do so at once; answers which they were of before.
    @discardableResult
    package func migrate() throws(ArchiveError) -> Int {
        try lockTables()
        let (found, known) = (try version(), Migrations.newest)
        guard found <= known else { throw .newer(found: found, known: known) }
        for (index, statements) in Migrations.all(for: dialect).enumerated() where index + 1 > found {
            try connection.transaction { () throws(ArchiveError) in
                for statement in statements { try connection.execute(statement) }
                try note(version: index + 1)
            }
        }
        try unlockTables()
        return found
    }

    /// Says that the tables are of this version by now.
    package func note(version: Int) throws(ArchiveError) {
        try connection.insert(
            "INSERT INTO martlet_schema (version, applied_at)", rows: [[.count(version), .moment(Clocks.now())]],
            tail: dialect.keepsWhatIsThere("version"), bytes: [0])
    }

    /// SQLite's transactions are a lock of their own.
    private func lockTables() throws(ArchiveError) {
        switch dialect {
        case .sqlite: break
        case .postgreSQL: _ = try connection.run("SELECT pg_advisory_lock(?)::text", [.integer(0x6d61_7274)])
        case .mariaDB: _ = try connection.run("SELECT GET_LOCK('martlet_schema', 60)", [])
        }
    }

    private func unlockTables() throws(ArchiveError) {
        switch dialect {
        case .sqlite: break
        case .postgreSQL: _ = try connection.run("SELECT pg_advisory_unlock(?)::text", [.integer(0x6d61_7274)])
        case .mariaDB: _ = try connection.run("SELECT RELEASE_LOCK('martlet_schema')", [])
        }
    }

    // MARK: Writing

    /// Takes a partition: whoever holds a smaller token writes nothing of it any more.
    package func fence(_ partition: Int, token: Int64) throws(ArchiveError) {
        try connection.transaction { () throws(ArchiveError) in
            let tail = dialect.keepsTheLarger("token", of: "martlet_fences", key: "number")
            let row: [[SQLValue]] = [[.count(partition), .integer(token)]]
            try connection.insert("INSERT INTO martlet_fences (number, token)", rows: row, tail: tail, bytes: [0])
            try checkFence(partition, token: token)
        }
    }

    /// The token that a partition was taken with last; 0 where it never was.
    package func token(of partition: Int) throws(ArchiveError) -> Int64 {
        let rows = try connection.run("SELECT token FROM martlet_fences WHERE number = ?", [.count(partition)]).rows
        return rows.first?.first?.integer ?? 0
    }

    private func checkFence(_ partition: Int, token: Int64) throws(ArchiveError) {
        let rows = try connection.run(
            "SELECT token FROM martlet_fences WHERE number = ? \(dialect.forUpdate)", [.count(partition)]
        ).rows
        guard rows.first?.first?.integer == token else { throw .fenced }
    }

    /// How far the archive has the epochs of rooms.
    package func ends(of rooms: [String]) throws(ArchiveError) -> [String: [String: End]] {
        var ends: [String: [String: End]] = [:]
        var start = 0
        while start < rooms.count {
            let size = [100, 10, 1].first { start + $0 <= rooms.count } ?? 1
            let places = Array(repeating: "?", count: size).joined(separator: ", ")
            let rows = try connection.run(
                "SELECT room, epoch, epoch_number, last_seq FROM martlet_epochs WHERE room IN (\(places))",
                rooms[start..<start + size].map { .text($0) }
            ).rows
            for row in rows {
                guard let room = row[0].string, let epoch = row[1].string, let number = row[2].integer,
                    let seq = row[3].integer
                else { continue }
                ends[room, default: [:]][epoch] = End(number: Int(number), seq: Int(seq))
            }
            start += size
        }
        return ends
    }

    /// Writes a batch in one transaction; what is there already stays as it is.
    package func write(_ batch: Batch) throws(ArchiveError) {
        try connection.transaction { () throws(ArchiveError) in
            try checkFence(batch.partition, token: batch.token)
            try writeEnds(of: batch)
            try connection.insert(
                """
                INSERT INTO martlet_messages \
                (room, epoch, epoch_number, seq, user_id, event, msg_type, payload, sent_at)
                """,
                rows: batch.messages.map(ArchiveDatabase.row), tail: dialect.keepsWhatIsThere("room"),
                bytes: batch.messages.map(\.bytes))
            try connection.insert(
                "INSERT INTO martlet_gaps (room, epoch, epoch_number, from_seq, to_seq, found_at)",
                rows: batch.gaps.map { gap in
                    [
                        .text(gap.room), .text(gap.epoch), .count(gap.epochNumber), .count(gap.from), .count(gap.to),
                        .moment(gap.foundAt),
                    ]
                }, tail: dialect.keepsWhatIsThere("room"), bytes: batch.gaps.map { _ in 300 })
            for redaction in batch.redactions {
                _ = try connection.run(
                    """
                    UPDATE martlet_messages SET payload = NULL \
                    WHERE room = ? AND epoch = ? AND seq = ? AND payload IS NOT NULL
                    """, [.text(redaction.room), .text(redaction.epoch), .count(redaction.seq)])
            }
        }
    }

    private static func row(_ message: ArchivedMessage) -> [SQLValue] {
        [
            .text(message.room), .text(message.epoch), .count(message.epochNumber), .count(message.seq),
            .text(message.userId), .optional(message.event), .count(message.msgType),
            message.payload.map { .bytes($0) } ?? .null, .moment(message.sentAt),
        ]
    }

    private func writeEnds(of batch: Batch) throws(ArchiveError) {
        struct Name: Hashable {
            let room: String
            let epoch: String
        }
        var ends: [Name: End] = [:]
        let reached =
            batch.messages.map { (Name(room: $0.room, epoch: $0.epoch), $0.epochNumber, $0.seq) }
            + batch.gaps.map { (Name(room: $0.room, epoch: $0.epoch), $0.epochNumber, $0.to) }
        for (name, number, seq) in reached {
            let known = ends[name]?.seq ?? 0
            ends[name] = End(number: number, seq: max(known, seq))
        }
        // In one order for all: no two transactions wait for each other.
        let rows = ends.sorted { ($0.key.room, $0.value.number) < ($1.key.room, $1.value.number) }.map { name, end in
            [SQLValue.text(name.room), .text(name.epoch), .count(end.number), .count(end.seq)]
        }
        try connection.insert(
            "INSERT INTO martlet_epochs (room, epoch, epoch_number, last_seq)", rows: rows,
            tail: dialect.keepsTheLarger("last_seq", of: "martlet_epochs", key: "room, epoch"),
            bytes: rows.map { _ in 300 })
    }

    /// Deletes what is older than the month that the moment lies in, some thousand rows a transaction; answers how many
    /// messages went, and whether there may be more.
    package func prune(before moment: Int64, most: Int = 5000) throws(ArchiveError) -> (count: Int, hasMore: Bool) {
        let limit = SQLValue.moment(UTCTime.startOfMonth(moment))
        let gone = try connection.run(
            dialect.prune("martlet_messages", by: "sent_at", most: most), [limit]
        ).changed
        if gone < most {
            _ = try connection.run(dialect.prune("martlet_gaps", by: "found_at", most: most), [limit])
        }
        return (gone, gone == most)
    }

    // MARK: Reading

    /// The messages of a room before a place, the oldest first; without one the newest.
    package func page(of room: String, before place: Place?, limit: Int) throws(ArchiveError) -> [ArchivedMessage] {
        let order = "ORDER BY epoch_number DESC, seq DESC LIMIT \(limit)"
        var found: [ArchivedMessage] = []
        if let place {
            found = try messages(
                of: room, where: "AND epoch_number = ? AND seq < ? \(order)",
                [.count(place.epochNumber), .count(place.seq)])
            guard found.count < limit else { return found.reversed() }
            found += try messages(of: room, where: "AND epoch_number < ? \(order)", [.count(place.epochNumber)])
        } else {
            found = try messages(of: room, where: order, [])
        }
        return found.prefix(limit).reversed()
    }

    /// The messages of a room behind a place, the oldest first; without one the oldest.
    package func page(of room: String, after place: Place?, limit: Int) throws(ArchiveError) -> [ArchivedMessage] {
        let order = "ORDER BY epoch_number, seq LIMIT \(limit)"
        guard let place else { return try messages(of: room, where: order, []) }
        var found = try messages(
            of: room, where: "AND epoch_number = ? AND seq > ? \(order)",
            [.count(place.epochNumber), .count(place.seq)])
        if found.count < limit {
            found += try messages(of: room, where: "AND epoch_number > ? \(order)", [.count(place.epochNumber)])
        }
        return Array(found.prefix(limit))
    }

    /// What a node's history asks for, read in parts so that no more is held than is wanted.
    package func answer(_ query: ArchiveQuery) throws(ArchiveError) -> ArchiveAnswer {
        let room = query.room.string
        var place: Place?
        if let position = query.place {
            if let number = try number(of: position.epoch, in: room) {
                place = Place(epochNumber: number, seq: position.seq)
            } else if query.isPresent {
                place = Place(epochNumber: Int(Int32.max), seq: position.seq)
            } else {
                return ArchiveAnswer(messages: [], more: false)
            }
        }
        var found: [ArchivedMessage] = []
        var bytes = 0
        while found.count < query.limit {
            let limit = min(50, query.limit - found.count)
            let part: [ArchivedMessage]
            switch query.direction {
            case .backward:
                part = try page(of: room, before: place, limit: limit)
                found = part + found
            case .forward:
                part = try page(of: room, after: place, limit: limit)
                found += part
            }
            guard part.count == limit, let edge = query.direction == .backward ? part.first : part.last else {
                return ArchiveAnswer(messages: found, more: false)
            }
            place = Place(epochNumber: edge.epochNumber, seq: edge.seq)
            bytes += part.reduce(0) { $0 + $1.bytes }
            if bytes >= query.maxBytes { return ArchiveAnswer(messages: found, more: true) }
        }
        return ArchiveAnswer(messages: found, more: false)
    }

    private func number(of epoch: String, in room: String) throws(ArchiveError) -> Int? {
        let rows = try connection.run(
            "SELECT epoch_number FROM martlet_epochs WHERE room = ? AND epoch = ?", [.text(room), .text(epoch)]
        ).rows
        return rows.first?.first?.integer.map { Int($0) }
    }

    private func messages(
        of room: String, where condition: String, _ values: [SQLValue]
    ) throws(ArchiveError) -> [ArchivedMessage] {
        let sql = """
            SELECT epoch, epoch_number, seq, user_id, event, msg_type, payload, \(dialect.moment("sent_at")) \
            FROM martlet_messages WHERE room = ? \(condition)
            """
        var messages: [ArchivedMessage] = []
        for row in try connection.run(sql, [.text(room)] + values).rows {
            guard let epoch = row[0].string, let number = row[1].integer, let seq = row[2].integer,
                let user = row[3].string, let type = row[5].integer,
                let sentAt = row[7].string.flatMap(UTCTime.milliseconds)
            else { throw .failed("a message in the archive cannot be read") }
            messages.append(
                ArchivedMessage(
                    room: room, epoch: epoch, epochNumber: Int(number), seq: Int(seq), userId: user,
                    event: row[4].string, msgType: Int(type), payload: row[6].bytes, sentAt: sentAt))
        }
        return messages
    }

    /// A user's messages in a room behind a place, in order.
    package func page(
        of user: String, in room: String, after place: Place, limit: Int
    ) throws(ArchiveError) -> [ArchivedMessage] {
        let order = "ORDER BY epoch_number, seq LIMIT \(limit)"
        var found = try messages(
            of: room, where: "AND epoch_number = ? AND seq > ? AND user_id = ? \(order)",
            [.count(place.epochNumber), .count(place.seq), .text(user)])
        if found.count < limit {
            found += try messages(
                of: room, where: "AND epoch_number > ? AND user_id = ? \(order)",
                [.count(place.epochNumber), .text(user)])
        }
        return Array(found.prefix(limit))
    }

    /// Some of the rooms that anything was ever archived of, behind a name, in one order.
    package func rooms(after name: String, limit: Int) throws(ArchiveError) -> [String] {
        try connection.run(
            "SELECT room FROM martlet_epochs WHERE room > ? AND epoch_number = 1 ORDER BY room LIMIT \(limit)",
            [.text(name)]
        ).rows.compactMap { $0.first?.string }
    }

    /// What a room lacks, in order.
    package func gaps(of room: String) throws(ArchiveError) -> [ArchiveGap] {
        let sql = """
            SELECT epoch, epoch_number, from_seq, to_seq, \(dialect.moment("found_at")) FROM martlet_gaps \
            WHERE room = ? ORDER BY epoch_number, from_seq
            """
        var gaps: [ArchiveGap] = []
        for row in try connection.run(sql, [.text(room)]).rows {
            guard let epoch = row[0].string, let number = row[1].integer, let from = row[2].integer,
                let to = row[3].integer, let foundAt = row[4].string.flatMap(UTCTime.milliseconds)
            else { throw .failed("a gap in the archive cannot be read") }
            gaps.append(
                ArchiveGap(
                    room: room, epoch: epoch, epochNumber: Int(number), from: Int(from), to: Int(to), foundAt: foundAt))
        }
        return gaps
    }

    /// How many messages there are in all.
    package func count() throws(ArchiveError) -> Int {
        let rows = try connection.run("SELECT count(*) FROM martlet_messages", []).rows
        return Int(rows.first?.first?.integer ?? 0)
    }
}
