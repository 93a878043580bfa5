import CMariaDB
import Glibc

/// MariaDB, or MySQL, by MariaDB's client library.
package final class MariaDBConnection: SQLConnection {
    package let dialect: SQLDialect
    private let handle: UnsafeMutablePointer<MYSQL>
    private var statements: [String: UnsafeMutablePointer<MYSQL_STMT>] = [:]
    private var isClosed = false

    /// CLIENT_FOUND_ROWS: a row that an UPDATE finds as it is to be counts as changed.
    private static let foundRows: UInt = 2
    /// What a fetch answers where a value is longer than the room for it: it is fetched by itself then.
    private static let truncated: Int32 = 101
    private static let noData: Int32 = 100

    /// The library is to be made ready once, before threads use it.
    private static let isReady = mysql_server_init(0, nil, nil) == 0

    package init(_ url: ArchiveURL) throws(ArchiveError) {
        guard MariaDBConnection.isReady, let handle = mysql_init(nil) else {
            throw .failed("MariaDB's client library cannot be made ready")
        }
        var seconds: UInt32 = 5
        mysql_options(handle, MYSQL_OPT_CONNECT_TIMEOUT, &seconds)
        seconds = UInt32(url.patience)
        mysql_options(handle, MYSQL_OPT_READ_TIMEOUT, &seconds)
        mysql_options(handle, MYSQL_OPT_WRITE_TIMEOUT, &seconds)
        mysql_options(handle, MYSQL_SET_CHARSET_NAME, "utf8mb4")
        // By itself the library takes "localhost" for the machine's socket.
        var protocolNumber = UInt32((url.socket == nil ? MYSQL_PROTOCOL_TCP : MYSQL_PROTOCOL_SOCKET).rawValue)
        mysql_options(handle, MYSQL_OPT_PROTOCOL, &protocolNumber)
        var yes: my_bool = 1
        switch url.security {
        case .off: break
        case .encrypt: mysql_options(handle, MYSQL_OPT_SSL_ENFORCE, &yes)
        case .verify:
            mysql_ssl_set(handle, nil, nil, url.authorityFile, nil, nil)
            mysql_options(handle, MYSQL_OPT_SSL_ENFORCE, &yes)
            mysql_options(handle, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &yes)
        }
        let connected = mysql_real_connect(
            handle, url.socket == nil ? url.host : nil, url.user, url.password, url.database, UInt32(url.port),
            url.socket, MariaDBConnection.foundRows)
        guard connected != nil else {
            defer { mysql_close(handle) }
            throw MariaDBConnection.error(mysql_errno(handle), String(cString: mysql_error(handle)), isLogin: true)
        }
        // The library goes on without TLS where the server has none, whatever it was told.
        guard url.security == .off || mysql_get_ssl_cipher(handle) != nil else {
            mysql_close(handle)
            throw .refused("the server does not speak TLS; tls=off does without")
        }
        self.handle = handle
        let version = mysql_get_server_info(handle).map { String(cString: $0) } ?? ""
        dialect = .mariaDB(isMySQL: !version.contains("MariaDB"))
        do {
            // Refuses what does not fit instead of cutting it off, and reads moments as they are written.
            try execute(
                """
                SET SESSION time_zone = '+00:00', sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', \
                innodb_lock_wait_timeout = 20
                """)
        } catch {
            close()
            throw error
        }
    }

    deinit { close() }

    package func close() {
        guard !isClosed else { return }
        isClosed = true
        for statement in statements.values { mysql_stmt_close(statement) }
        statements = [:]
        mysql_close(handle)
    }

    package func execute(_ sql: String) throws(ArchiveError) {
        let code = sql.withCString { mysql_real_query(handle, $0, UInt(sql.utf8.count)) }
        guard code == 0 else {
            throw MariaDBConnection.error(mysql_errno(handle), String(cString: mysql_error(handle)))
        }
        if let result = mysql_store_result(handle) { mysql_free_result(result) }
    }

    package func run(_ sql: String, _ values: [SQLValue]) throws(ArchiveError) -> SQLResult {
        let statement = try prepared(sql)
        let arguments = BoundArguments(values)
        defer { arguments.free() }
        guard mysql_stmt_bind_param(statement, arguments.binds) == 0, mysql_stmt_execute(statement) == 0 else {
            throw MariaDBConnection.failure(statement)
        }
        defer { mysql_stmt_free_result(statement) }
        var result = SQLResult()
        let columns = Int(mysql_stmt_field_count(statement))
        guard columns > 0 else {
            result.changed = Int(mysql_stmt_affected_rows(statement))
            return result
        }
        try fetch(statement, columns: columns, into: &result)
        return result
    }

    private func fetch(
        _ statement: UnsafeMutablePointer<MYSQL_STMT>, columns: Int, into result: inout SQLResult
    ) throws(ArchiveError) {
        let room = BoundColumns(columns)
        defer { room.free() }
        guard mysql_stmt_bind_result(statement, room.binds) == 0, mysql_stmt_store_result(statement) == 0 else {
            throw MariaDBConnection.failure(statement)
        }
        while true {
            let code = mysql_stmt_fetch(statement)
            if code == MariaDBConnection.noData { return }
            guard code == 0 || code == MariaDBConnection.truncated else { throw MariaDBConnection.failure(statement) }
            var row: [SQLValue] = []
            for column in 0..<columns {
                if room.isNull(column) {
                    row.append(.null)
                } else if let bytes = room.value(column) {
                    row.append(.bytes(bytes))
                } else {
                    row.append(.bytes(try whole(column, room.length(column), of: statement)))
                }
            }
            result.rows.append(row)
        }
    }

    private func whole(
        _ column: Int, _ length: Int, of statement: UnsafeMutablePointer<MYSQL_STMT>
    ) throws(ArchiveError) -> [UInt8] {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: max(1, length), alignment: 8)
        defer { buffer.deallocate() }
        var bind = MYSQL_BIND()
        var total: UInt = 0
        let code = withUnsafeMutablePointer(to: &total) { total in
            bind.buffer_type = MYSQL_TYPE_BLOB
            bind.buffer = buffer.baseAddress
            bind.buffer_length = UInt(length)
            bind.length = total
            return mysql_stmt_fetch_column(statement, &bind, UInt32(column), 0)
        }
        guard code == 0 else { throw MariaDBConnection.failure(statement) }
        return Array(buffer.prefix(length))
    }

    private func prepared(_ sql: String) throws(ArchiveError) -> UnsafeMutablePointer<MYSQL_STMT> {
        if let known = statements[sql] { return known }
        guard let statement = mysql_stmt_init(handle) else { throw .failed("no memory for a statement") }
        let code = sql.withCString { mysql_stmt_prepare(statement, $0, UInt(sql.utf8.count)) }
        guard code == 0 else {
            defer { mysql_stmt_close(statement) }
            throw MariaDBConnection.failure(statement)
        }
        statements[sql] = statement
        return statement
    }

    private static func failure(_ statement: UnsafeMutablePointer<MYSQL_STMT>) -> ArchiveError {
        error(mysql_stmt_errno(statement), String(cString: mysql_stmt_error(statement)))
    }

    /// By the numbers that the servers and the library give.
    private static func error(_ code: UInt32, _ text: String, isLogin: Bool = false) -> ArchiveError {
        switch code {
        // Disk full, table full, a file that cannot be written.
        case 1021, 1114, 1026: .full(text)
        // Access denied, unknown database, no right.
        case 1044, 1045, 1049, 1142, 1143, 1227, 1698: .refused(text)
        // A certificate that does not fit, or a server without TLS.
        case 2026: .refused(text)
        // Shutdown, deadlock, a lock waited for too long, too many connections.
        case 1040, 1053, 1158...1161, 1205, 1213, 1927, 2000...2062: .away(text)
        default: isLogin ? .away(text) : .failed("\(text) (\(code))")
        }
    }
}

/// The values of one statement in memory that the library reads until it has been executed.
private struct BoundArguments {
    let binds: UnsafeMutablePointer<MYSQL_BIND>
    private let lengths: UnsafeMutablePointer<UInt>
    private let storage: UnsafeMutableRawBufferPointer

    init(_ values: [SQLValue]) {
        let count = values.count
        lengths = .allocate(capacity: max(1, count))
        lengths.initialize(repeating: 0, count: max(1, count))
        binds = .allocate(capacity: max(1, count))
        binds.initialize(repeating: MYSQL_BIND(), count: max(1, count))
        let sizes = values.map { value in
            switch value {
            case .null: 0
            case .integer: 8
            case .text(let text): text.utf8.count
            case .bytes(let bytes): bytes.count
            }
        }
        // Each begins where a number may lie.
        storage = .allocate(byteCount: sizes.reduce(8) { $0 + ($1 + 15) & ~7 }, alignment: 8)
        var offset = 0
        for (index, value) in values.enumerated() {
            let place = UnsafeMutableRawBufferPointer(rebasing: storage[offset...])
            binds[index].buffer = place.baseAddress
            binds[index].buffer_length = UInt(sizes[index])
            lengths[index] = UInt(sizes[index])
            binds[index].length = lengths + index
            switch value {
            case .null: binds[index].buffer_type = MYSQL_TYPE_NULL
            case .integer(let number):
                binds[index].buffer_type = MYSQL_TYPE_LONGLONG
                place.storeBytes(of: number, as: Int64.self)
            case .text(let text):
                binds[index].buffer_type = MYSQL_TYPE_STRING
                place.copyBytes(from: text.utf8)
            case .bytes(let bytes):
                binds[index].buffer_type = MYSQL_TYPE_BLOB
                place.copyBytes(from: bytes)
            }
            offset += (sizes[index] + 15) & ~7
        }
    }

    func free() {
        binds.deallocate()
        lengths.deallocate()
        storage.deallocate()
    }
}

/// Room for one row, for values of up to 64 bytes each.
private struct BoundColumns {
    private static let size = 64

    let binds: UnsafeMutablePointer<MYSQL_BIND>
    private let storage: UnsafeMutableRawBufferPointer
    private let lengths: UnsafeMutablePointer<UInt>
    private let nulls: UnsafeMutablePointer<my_bool>
    private let errors: UnsafeMutablePointer<my_bool>

    init(_ count: Int) {
        binds = .allocate(capacity: count)
        binds.initialize(repeating: MYSQL_BIND(), count: count)
        storage = .allocate(byteCount: count * BoundColumns.size, alignment: 8)
        lengths = .allocate(capacity: count)
        lengths.initialize(repeating: 0, count: count)
        nulls = .allocate(capacity: count)
        nulls.initialize(repeating: 0, count: count)
        errors = .allocate(capacity: count)
        errors.initialize(repeating: 0, count: count)
        for index in 0..<count {
            binds[index].buffer_type = MYSQL_TYPE_STRING
            binds[index].buffer = storage.baseAddress?.advanced(by: index * BoundColumns.size)
            binds[index].buffer_length = UInt(BoundColumns.size)
            binds[index].length = lengths + index
            binds[index].is_null = nulls + index
            binds[index].error = errors + index
        }
    }

    func isNull(_ column: Int) -> Bool { nulls[column] != 0 }

    func length(_ column: Int) -> Int { Int(lengths[column]) }

    /// Nil where it is longer than the room for it.
    func value(_ column: Int) -> [UInt8]? {
        let length = length(column)
        guard length <= BoundColumns.size else { return nil }
        let start = column * BoundColumns.size
        return Array(storage[start..<start + length])
    }

    func free() {
        binds.deallocate()
        storage.deallocate()
        lengths.deallocate()
        nulls.deallocate()
        errors.deallocate()
    }
}
