import Foundation
import TestKit
import TestSupport

/// Why a Redis that is reached refuses what nodes want of it.
enum RedisRefusal: CaseIterable, Sendable {
    /// It has too few replicas.
    case noReplicas
    /// Its disk has failed it.
    case failedSave
    case outOfMemory
    /// No user may run scripts.
    case noScripts
    /// Scripts may not publish, and end in the midst of their work.
    case noPublish

    /// Those of a Redis that takes no writes, and may be read.
    static let ofWrites: [RedisRefusal] = [.noReplicas, .failedSave, .outOfMemory]

    /// - Parameter redis: started with `--enable-protected-configs yes`.
    func begin(at redis: RedisServerProcess) async throws {
        switch self {
        case .noReplicas:
            _ = try await redis.cli("CONFIG", "SET", "min-replicas-to-write", "3")
        case .failedSave:
            _ = try await redis.cli("CONFIG", "SET", "save", "3600 1")
            // The place of its file is taken by a folder.
            let folder = redis.folder + "/taken"
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            _ = try await redis.cli("CONFIG", "SET", "dbfilename", "taken")
            _ = try await redis.cli("BGSAVE")
            try await eventually { try await redis.cli("INFO", "persistence").contains("bgsave_status:err") }
        case .outOfMemory:
            _ = try await redis.cli("CONFIG", "SET", "maxmemory", "1")
        case .noScripts:
            _ = try await redis.cli("ACL", "SETUSER", "default", "-evalsha", "-eval")
        case .noPublish:
            _ = try await redis.cli("ACL", "SETUSER", "default", "-publish")
        }
    }

    func end(at redis: RedisServerProcess) async throws {
        switch self {
        case .noReplicas:
            _ = try await redis.cli("CONFIG", "SET", "min-replicas-to-write", "0")
        case .failedSave:
            _ = try await redis.cli("CONFIG", "SET", "save", "")
            _ = try await redis.cli("CONFIG", "SET", "dbfilename", "dump.rdb")
        case .outOfMemory:
            _ = try await redis.cli("CONFIG", "SET", "maxmemory", "0")
        case .noScripts:
            _ = try await redis.cli("ACL", "SETUSER", "default", "+evalsha", "+eval")
        case .noPublish:
            _ = try await redis.cli("ACL", "SETUSER", "default", "+publish")
        }
    }
}
