import Archive
import TestKit

/// One server of each kind for all tests of this process, which keep out of each other's rooms.
enum Databases {
    private static let servers = DatabaseProcess.Kind.allCases.map { kind in
        (kind, Task { try DatabaseProcess(kind) })
    }

    static func server(_ kind: DatabaseProcess.Kind) async throws -> DatabaseProcess {
        guard let server = servers.first(where: { $0.0 == kind }) else { throw ArchiveError.failed("no such kind") }
        return try await server.1.value
    }

    /// With its tables.
    static func store(_ kind: DatabaseProcess.Kind) async throws -> ArchiveStore {
        let store = ArchiveStore(try ArchiveURL(try await server(kind).url))
        _ = try await store.perform { database throws(ArchiveError) in try database.migrate() }
        return store
    }

    /// Another database on the same server, without tables.
    static func fresh(_ kind: DatabaseProcess.Kind, _ name: String) async throws -> ArchiveURL {
        let server = try await server(kind)
        let url = try ArchiveURL(server.url)
        switch kind {
        case .sqlite: break
        case .postgreSQL: try PostgreSQLConnection(url).execute("CREATE DATABASE \(name)")
        case .mariaDB: try MariaDBConnection(url).execute("CREATE DATABASE \(name)")
        }
        return try ArchiveURL(server.url(database: name))
    }

    /// Runs one statement beside the archive's own.
    static func run(_ sql: String, in url: ArchiveURL) throws {
        let connection: any SQLConnection =
            switch url.kind {
            case .sqlite: try SQLiteConnection(path: url.path)
            case .postgreSQL: try PostgreSQLConnection(url)
            case .mariaDB: try MariaDBConnection(url)
            }
        try connection.execute(sql)
        connection.close()
    }
}
