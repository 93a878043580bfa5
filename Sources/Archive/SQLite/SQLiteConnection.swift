import CSQLite
import Glibc
import Synchronization

/// SQLite in a file of its own.
package final class SQLiteConnection: SQLConnection {
    package let dialect = SQLDialect.sqlite
    private let handle: OpaquePointer
    private var statements: [String: OpaquePointer] = [:]
    private var isClosed = false

    /// Makes the file where there is none, readable for its owner alone.
    package init(path: String) throws(ArchiveError) {
        try SQLiteConnection.make(path)
        var handle: OpaquePointer?
        let code = sqlite3_open_v2(path, &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nil)
        guard let handle else { throw .failed("no memory for SQLite") }
        guard code == SQLITE_OK else {
            defer { sqlite3_close_v2(handle) }
            throw SQLiteConnection.error(code, "\(path): \(String(cString: sqlite3_errmsg(handle)))")
        }
        self.handle = handle
        sqlite3_busy_timeout(handle, 10_000)
        do {
            try keepLog()
            // What is acknowledged has been committed: so a commit must outlive the machine too.
            try execute("PRAGMA synchronous = FULL")
        } catch {
            close()
            throw error
        }
    }

    /// Makes the file where there is none.
    ///
    /// One that is there is not opened but by SQLite: a process that closes any descriptor of a file gives up all locks that
    /// it has on it (fcntl(2)), those of SQLite's other connections included. The next process that reads the file would then
    /// take itself for the last, and unlink the log into which this one goes on writing.
    private static func make(_ path: String) throws(ArchiveError) {
        let failure = making.withLock { _ in
            let descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
            guard descriptor >= 0 else { return errno }
            Glibc.close(descriptor)
            return 0
        }
        guard failure != 0, failure != EEXIST else { return }
        let reason = "\(path): \(String(cString: strerror(failure)))"
        throw failure == ENOSPC ? .full(reason) : .refused(reason)
    }

    /// Nobody of this process opens a file before whoever makes it has closed it.
    private static let making = Mutex(())

    /// Of those that come to a new file at once SQLite makes all but one wait no longer than it likes.
    private func keepLog() throws(ArchiveError) {
        let limit = ContinuousClock.now + .seconds(10)
        while true {
            do {
                return try execute("PRAGMA journal_mode = WAL")
            } catch {
                guard case .away = error, ContinuousClock.now < limit else { throw error }
                usleep(20_000)
            }
        }
    }

    deinit { close() }

    package func close() {
        guard !isClosed else { return }
        isClosed = true
        for statement in statements.values { sqlite3_finalize(statement) }
        statements = [:]
        sqlite3_close_v2(handle)
    }

    package func execute(_ sql: String) throws(ArchiveError) {
        let code = sqlite3_exec(handle, sql, nil, nil, nil)
        guard code == SQLITE_OK else { throw failure(code) }
    }

    package func run(_ sql: String, _ values: [SQLValue]) throws(ArchiveError) -> SQLResult {
        let statement = try prepared(sql)
        defer {
            sqlite3_reset(statement)
            sqlite3_clear_bindings(statement)
        }
        for (index, value) in values.enumerated() { try bind(value, to: Int32(index + 1), of: statement) }
        var result = SQLResult()
        while true {
            switch sqlite3_step(statement) {
            case SQLITE_ROW:
                result.rows.append((0..<sqlite3_column_count(statement)).map { SQLiteConnection.column($0, statement) })
            case SQLITE_DONE:
                if sqlite3_stmt_readonly(statement) == 0 { result.changed = Int(sqlite3_changes(handle)) }
                return result
            case let code: throw failure(code)
            }
        }
    }

    private func prepared(_ sql: String) throws(ArchiveError) -> OpaquePointer {
        if let known = statements[sql] { return known }
        var statement: OpaquePointer?
        let code = sqlite3_prepare_v3(handle, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &statement, nil)
        guard code == SQLITE_OK, let statement else { throw failure(code) }
        statements[sql] = statement
        return statement
    }

    private func bind(_ value: SQLValue, to index: Int32, of statement: OpaquePointer) throws(ArchiveError) {
        // SQLITE_TRANSIENT, which C spells as a cast: SQLite takes a copy.
        let copied = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
        let code =
            switch value {
            case .null: sqlite3_bind_null(statement, index)
            case .integer(let number): sqlite3_bind_int64(statement, index, number)
            case .text(let text): sqlite3_bind_text(statement, index, text, Int32(text.utf8.count), copied)
            case .bytes(let bytes):
                bytes.isEmpty
                    ? sqlite3_bind_zeroblob(statement, index, 0)
                    : sqlite3_bind_blob(statement, index, bytes, Int32(bytes.count), copied)
            }
        guard code == SQLITE_OK else { throw failure(code) }
    }

    private static func column(_ index: Int32, _ statement: OpaquePointer) -> SQLValue {
        switch sqlite3_column_type(statement, index) {
        case SQLITE_INTEGER: return .integer(sqlite3_column_int64(statement, index))
        case SQLITE_NULL: return .null
        case SQLITE_TEXT:
            let start = UnsafeRawPointer(sqlite3_column_text(statement, index))
            let bytes = UnsafeRawBufferPointer(start: start, count: Int(sqlite3_column_bytes(statement, index)))
            return .text(String(decoding: bytes, as: UTF8.self))
        default:
            let start = sqlite3_column_blob(statement, index)
            return .bytes(
                Array(UnsafeRawBufferPointer(start: start, count: Int(sqlite3_column_bytes(statement, index)))))
        }
    }

    private func failure(_ code: Int32) -> ArchiveError {
        SQLiteConnection.error(code, String(cString: sqlite3_errmsg(handle)))
    }

    private static func error(_ code: Int32, _ text: String) -> ArchiveError {
        switch code & 0xff {
        case SQLITE_FULL: .full(text)
        case SQLITE_BUSY, SQLITE_LOCKED, SQLITE_IOERR: .away(text)
        case SQLITE_CANTOPEN, SQLITE_PERM, SQLITE_READONLY, SQLITE_NOTADB, SQLITE_AUTH: .refused(text)
        default: .failed(text)
        }
    }
}
