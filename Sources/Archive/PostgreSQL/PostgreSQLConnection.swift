import CPostgreSQL
import Glibc

/// PostgreSQL by libpq.
package final class PostgreSQLConnection: SQLConnection {
    package let dialect = SQLDialect.postgreSQL
    private let handle: OpaquePointer
    private var statements: [String: String] = [:]
    private var isClosed = false
    /// Whose news come over this connection.
    private var channels: Set<String> = []

    /// Types by their numbers in `pg_type`, which never change.
    private enum TypeID {
        static let bytea: Oid = 17
        static let int8: Oid = 20
        static let int2: Oid = 21
        static let int4: Oid = 23
    }

    /// How errors name what is wrong, in a result's field.
    private static let sqlState = Int32(UInt8(ascii: "C"))
    private static let primaryMessage = Int32(UInt8(ascii: "M"))

    package init(_ url: ArchiveURL) throws(ArchiveError) {
        var parameters: [(name: String, value: String)] = [
            ("dbname", url.database), ("client_encoding", "UTF8"), ("application_name", "martlet archive"),
            ("connect_timeout", "5"), ("tcp_user_timeout", "30000"), ("keepalives_idle", "10"),
            ("options", "-c statement_timeout=\(url.patience * 1000) -c lock_timeout=20000 -c TimeZone=UTC"),
        ]
        if let user = url.user { parameters.append(("user", user)) }
        if let password = url.password { parameters.append(("password", password)) }
        parameters += [("host", url.socket ?? url.host), ("port", "\(url.port)")]
        switch url.security {
        case .off: parameters.append(("sslmode", "disable"))
        case .encrypt: parameters.append(("sslmode", "require"))
        case .verify:
            parameters += [("sslmode", "verify-full"), ("sslrootcert", url.authorityFile)]
        }
        handle = try PostgreSQLConnection.connect(parameters)
    }

    private static func connect(_ parameters: [(name: String, value: String)]) throws(ArchiveError) -> OpaquePointer {
        var names: [UnsafePointer<CChar>?] = parameters.map { UnsafePointer(strdup($0.name)) } + [nil]
        var values: [UnsafePointer<CChar>?] = parameters.map { UnsafePointer(strdup($0.value)) } + [nil]
        defer {
            for pointer in names + values { free(UnsafeMutablePointer(mutating: pointer)) }
        }
        guard let handle = PQconnectdbParams(&names, &values, 0) else { throw .failed("no memory for libpq") }
        guard PQstatus(handle) == CONNECTION_OK else {
            defer { PQfinish(handle) }
            throw refusal(String(cString: PQerrorMessage(handle)))
        }
        // What a server has to say beside its answers is nothing that anybody reads here.
        PQsetNoticeProcessor(handle, { _, _ in }, nil)
        return handle
    }

    /// A failed login has no code, only words.
    private static func refusal(_ message: String) -> ArchiveError {
        let text = oneLine(message)
        let refusals = [
            "authentication failed", "does not exist", "no password supplied", "no pg_hba.conf entry",
            "permission denied for database", "certificate", "does not support SSL", "root certificate file",
        ]
        return refusals.contains { text.contains($0) } ? .refused(text) : .away(text)
    }

    deinit { close() }

    package func close() {
        guard !isClosed else { return }
        isClosed = true
        PQfinish(handle)
    }

    package func execute(_ sql: String) throws(ArchiveError) {
        let result = PQexec(handle, sql)
        defer { PQclear(result) }
        try check(result)
    }

    package func run(_ sql: String, _ values: [SQLValue]) throws(ArchiveError) -> SQLResult {
        let name = try prepared(sql, values)
        // Binary values lie one behind the other, as does the text of the others, with its zero.
        var storage: [UInt8] = []
        var offsets: [Int?] = []
        var lengths: [Int32] = []
        var formats: [Int32] = []
        storage.reserveCapacity(values.count * 24)
        for value in values {
            offsets.append(value == .null ? nil : storage.count)
            formats.append(0)
            var length = 0
            switch value {
            case .null: break
            case .integer(let number): storage += Array(String(number).utf8) + [0]
            // PostgreSQL's text holds everything but this character.
            case .text(let text): storage += text.utf8.map { $0 == 0 ? UInt8(ascii: "?") : $0 } + [0]
            case .bytes(let bytes):
                storage += bytes
                length = bytes.count
                formats[formats.count - 1] = 1
                // So that no value, an empty one either, lies behind the end.
                storage.append(0)
            }
            lengths.append(Int32(length))
        }
        let result = storage.withUnsafeBufferPointer { buffer in
            let base = buffer.baseAddress.map { UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self) }
            let pointers = offsets.map { offset in offset.flatMap { base?.advanced(by: $0) } }
            return PQexecPrepared(handle, name, Int32(values.count), pointers, lengths, formats, 1)
        }
        defer { PQclear(result) }
        try check(result)
        return PostgreSQLConnection.read(result)
    }

    package func wait(for channel: String, milliseconds: Int32) throws(ArchiveError) {
        if channels.insert(channel).inserted {
            // What came before is read by whoever waits, behind this.
            return try execute("LISTEN \(channel)")
        }
        var state = pollfd(fd: PQsocket(handle), events: Int16(POLLIN), revents: 0)
        if PQnotifies(handle) == nil { _ = poll(&state, 1, milliseconds) }
        guard PQconsumeInput(handle) == 1 else {
            throw .away(PostgreSQLConnection.oneLine(String(cString: PQerrorMessage(handle))))
        }
        while let notice = PQnotifies(handle) { PQfreemem(notice) }
    }

    private func prepared(_ sql: String, _ values: [SQLValue]) throws(ArchiveError) -> String {
        if let known = statements[sql] { return known }
        let name = "s\(statements.count)"
        var text = ""
        var number = 0
        for part in sql.split(separator: "?", omittingEmptySubsequences: false) {
            text += number == 0 ? "\(part)" : "$\(number)\(part)"
            number += 1
        }
        let types = values.map { value -> Oid in
            switch value {
            case .integer: TypeID.int8
            case .bytes: TypeID.bytea
            // The server takes it from the place.
            case .text, .null: 0
            }
        }
        let result = PQprepare(handle, name, text, Int32(values.count), types)
        defer { PQclear(result) }
        try check(result)
        statements[sql] = name
        return name
    }

    private func check(_ result: OpaquePointer?) throws(ArchiveError) {
        let status = PQresultStatus(result)
        guard status != PGRES_COMMAND_OK, status != PGRES_TUPLES_OK else { return }
        let text = PostgreSQLConnection.oneLine(
            (result.flatMap { PQresultErrorField($0, PostgreSQLConnection.primaryMessage) } ?? PQerrorMessage(handle))
                .map { String(cString: $0) } ?? "")
        guard let field = result.flatMap({ PQresultErrorField($0, PostgreSQLConnection.sqlState) }),
            PQstatus(handle) == CONNECTION_OK
        else { throw .away(text) }
        let code = String(cString: field)
        switch code.prefix(2) {
        case "08", "57", "40", "55": throw .away(text)
        case "53": throw code == "53100" ? .full(text) : .away(text)
        case "28", "3D", "42": throw code == "42P01" ? .failed(text) : .refused(text)
        default: throw .failed("\(text) (\(code))")
        }
    }

    private static func read(_ result: OpaquePointer?) -> SQLResult {
        var answer = SQLResult()
        let columns = (0..<PQnfields(result)).map { ($0, PQftype(result, $0)) }
        for row in 0..<PQntuples(result) {
            answer.rows.append(
                columns.map { column, type in
                    guard PQgetisnull(result, row, column) == 0 else { return .null }
                    let bytes = UnsafeRawBufferPointer(
                        start: PQgetvalue(result, row, column), count: Int(PQgetlength(result, row, column)))
                    switch type {
                    case TypeID.bytea: return .bytes(Array(bytes))
                    case TypeID.int2, TypeID.int4, TypeID.int8:
                        let isNegative = (bytes.first ?? 0) & 0x80 != 0
                        return .integer(bytes.reduce(isNegative ? -1 : 0) { $0 << 8 | Int64($1) })
                    default: return .text(String(decoding: bytes, as: UTF8.self))
                    }
                })
        }
        answer.changed = Int(String(cString: PQcmdTuples(result))) ?? 0
        return answer
    }

    private static func oneLine(_ message: String) -> String {
        message.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    }
}
