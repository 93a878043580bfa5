/// The words in which the databases differ.
package enum SQLDialect: Sendable, Hashable {
    case sqlite
    case postgreSQL
    /// - Parameter isMySQL: Oracle's, whose collations have other names.
    case mariaDB(isMySQL: Bool)

    /// A transaction that nothing else writes beside, where the database locks as a whole.
    var begin: String {
        switch self {
        case .sqlite: "BEGIN IMMEDIATE"
        case .postgreSQL, .mariaDB: "BEGIN"
        }
    }

    /// Behind rows to be inserted: those that are there stay as they are. `INSERT IGNORE` would pass over other faults too.
    func keepsWhatIsThere(_ column: String) -> String {
        switch self {
        case .sqlite, .postgreSQL: "ON CONFLICT DO NOTHING"
        case .mariaDB: "ON DUPLICATE KEY UPDATE \(column) = \(column)"
        }
    }

    /// Behind a row to be inserted: one that is there gets the larger of both numbers.
    func keepsTheLarger(_ column: String, of table: String, key: String) -> String {
        switch self {
        case .sqlite: "ON CONFLICT (\(key)) DO UPDATE SET \(column) = max(\(table).\(column), excluded.\(column))"
        case .postgreSQL:
            "ON CONFLICT (\(key)) DO UPDATE SET \(column) = greatest(\(table).\(column), excluded.\(column))"
        case .mariaDB: "ON DUPLICATE KEY UPDATE \(column) = greatest(\(column), VALUES(\(column)))"
        }
    }

    /// Behind a query whose row stays locked to the end of the transaction.
    var forUpdate: String {
        switch self {
        case .sqlite: ""
        case .postgreSQL, .mariaDB: "FOR UPDATE"
        }
    }

    /// A value that is given as text and stands for one of this type.
    func given(_ type: String) -> String {
        switch self {
        case .postgreSQL: "?::text::\(type)"
        case .sqlite, .mariaDB: "?"
        }
    }

    /// A moment as ``UTCTime`` reads it.
    func moment(_ column: String) -> String {
        switch self {
        case .sqlite: column
        case .postgreSQL: "to_char(\(column) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.MS')"
        case .mariaDB: "DATE_FORMAT(\(column), '%Y-%m-%d %H:%i:%s.%f')"
        }
    }

    /// Deletes so many rows of a table that are older than a moment.
    func prune(_ table: String, by column: String, most: Int) -> String {
        switch self {
        case .sqlite:
            "DELETE FROM \(table) WHERE rowid IN (SELECT rowid FROM \(table) WHERE \(column) < ? LIMIT \(most))"
        case .postgreSQL:
            """
            DELETE FROM \(table) WHERE ctid = ANY (ARRAY(SELECT ctid FROM \(table) WHERE \(column) < ?::timestamptz \
            LIMIT \(most)))
            """
        case .mariaDB: "DELETE FROM \(table) WHERE \(column) < ? LIMIT \(most)"
        }
    }
}
