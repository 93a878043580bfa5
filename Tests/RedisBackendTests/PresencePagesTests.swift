import GatewayCore
import NIOPosix
import RedisBackend
import TestKit
import Testing
import TestSupport

@Suite("Pages of members out of Redis")
struct PresencePagesTests {
    private let room = RoomName(unchecked: "r")

    /// A room whose members, beside one who is connected, were written into Redis.
    private func withRoom(
        _ options: RedisServerProcess.Options = RedisServerProcess.Options(),
        _ body: (_ redis: RedisServerProcess, _ key: String, _ directory: any PresenceDirectory) async throws -> Void
    ) async throws {
        let redis = try RedisServerProcess(options)
        let node = try await PresenceNode.start(
            "n1", on: redis, settings: PresenceSettings(), loop: MultiThreadedEventLoopGroup.singleton.next())
        try await node.connect("c", "seed")
        try await node.join("r", "c", info: "{}")
        try await body(redis, try Observer(redis).keys.members(room).name, node.directory)
        try await node.stop()
    }

    private func add(_ prefix: String, _ count: Int, to key: String, _ redis: RedisServerProcess) async throws {
        let script = """
            local shown = redis.call('HGET', KEYS[1], 'seed')
            for i = 1, ARGV[2] do redis.call('HSET', KEYS[1], ARGV[1] .. i, shown) end
            """
        _ = try await redis.cli("EVAL", script, "1", key, prefix, "\(count)")
    }

    private func remove(_ prefix: String, _ count: Int, from key: String, _ redis: RedisServerProcess) async throws {
        let script = "for i = 1, ARGV[2] do redis.call('HDEL', KEYS[1], ARGV[1] .. i) end"
        _ = try await redis.cli("EVAL", script, "1", key, prefix, "\(count)")
    }

    private func told(
        _ directory: any PresenceDirectory, _ lengths: [Int], between: (Int) async throws -> Void = { _ in }
    ) async throws -> Set<String> {
        var told: Set<String> = []
        var cursor: String?
        var page = 0
        repeat {
            let limit = lengths[page % lengths.count]
            let found = try await directory.members(of: room, limit: limit, cursor: cursor)
            #expect(found.members.count <= limit)
            told.formUnion(found.members.map(\.userId.string))
            cursor = found.next
            page += 1
            if cursor != nil { try await between(page) }
        } while cursor != nil && page < 20_000
        #expect(cursor == nil)
        return told
    }

    @Test(arguments: [500, 700, 2200]) func `nobody is left out, however long each page is`(size: Int) async throws {
        try await withRoom { redis, key, directory in
            try await add("u", size, to: key, redis)
            for lengths in [[1000], [106, 1000], [100], [13, 333, 2], [7], [1, 5]] {
                #expect(try await told(directory, lengths).count == size + 1, "\(lengths)")
            }
        }
    }

    @Test(arguments: [[20], [106, 1000], [3, 50]])
    func `who stays is told though the room grows and shrinks between two pages`(lengths: [Int]) async throws {
        try await withRoom { redis, key, directory in
            try await add("u", 500, to: key, redis)
            let told = try await told(directory, lengths) { page in
                switch page {
                case 1: try await add("v", 3000, to: key, redis)
                case 4: try await remove("v", 3000, from: key, redis)
                case 6: try await add("w", 300, to: key, redis)
                default: break
                }
            }
            #expect(told.isSuperset(of: (1...500).map { "u\($0)" } + ["seed"]))
        }
    }

    @Test(arguments: [[100], [7, 300]])
    func `who stays is told though Redis is started anew between two pages`(lengths: [Int]) async throws {
        var options = RedisServerProcess.Options()
        options.appendOnly = true
        try await withRoom(options) { redis, key, directory in
            try await add("u", 1500, to: key, redis)
            let told = try await told(directory, lengths) { page in
                if [2, 5, 6].contains(page) { try redis.restart(keepingData: true) }
            }
            let leftOut = Set((1...1500).map { "u\($0)" } + ["seed"]).subtracting(told)
            #expect(leftOut.isEmpty, "\(leftOut.count)")
        }
    }
}
