import GatewayCore
import Logging
import NIOCore
import NIOPosix
import RedisBackend
import RedisClient
import TestKit

/// A link of the test's own, to see what Redis holds; of a Cluster, one to each shard.
final class Observer: Sendable {
    /// One transition as the ledger holds it.
    struct Entry: Hashable, Sendable {
        let type: String
        let user: String
        let room: String
        let cause: String
        /// Milliseconds by Redis's clock.
        let timestamp: Int64

        /// Without its time.
        var text: String { "\(type) \(user)\(room.isEmpty ? "" : " \(room)")\(cause.isEmpty ? "" : " \(cause)")" }
    }

    let link: RedisCommandLink
    let keys = Keys(prefix: "m")
    var store: Store { Store(link: link, keys: keys) }
    private let topology: TopologyWatch

    convenience init(_ redis: RedisServerProcess) throws { try self.init(url: redis.url) }

    init(url: String) throws {
        var configuration = try RedisConfiguration(url: url)
        // A Redis that is started again on a busy machine is waited for.
        configuration.failFastAfter = .seconds(60)
        configuration.commandTimeout = .seconds(60)
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        let (address, map) = (ShardAddress(of: configuration.topology), SlotMap())
        let link = RedisCommandLink(
            configuration: configuration, address: address, map: map, slots: Keys.slots, eventLoop: loop,
            logger: logger, scripts: Scripts.all)
        self.link = link
        topology = TopologyWatch(
            of: configuration, address: address, map: map, slots: Keys.slots, patience: .seconds(1), eventLoop: loop,
            logger: logger
        ) { event in
            switch event {
            case .moved, .mapped: link.follow()
            case .identified(let place, let server, let asked): link.verify(place, is: server, since: asked)
            case .unwatched, .confirmed, .doubtful, .unknown, .refused: break
            }
        }
        topology.start()
        link.start()
    }

    deinit {
        _ = topology.stop()
        _ = link.shutdown()
    }

    /// The ledgers of all partitions, each in its order.
    func ledger() async throws -> [Entry] {
        var marks: [Int: String] = [:]
        return try await ledger(after: &marks)
    }

    /// What each partition's ledger holds beyond the id noted for it, and notes the last one.
    func ledger(after marks: inout [Int: String]) async throws -> [Entry] {
        let known = marks
        let replies = try await ask(Partition.all.map(keys.events)) { number, key in
            ["XRANGE", .string(key.name), .string(known[number].map { "(\($0)" } ?? "-"), "+"]
        }
        var entries: [Entry] = []
        for (partition, reply) in zip(Partition.all, replies) {
            for entry in reply.array ?? [] {
                let fields = entry[1]
                let time = entry[0].string?.split(separator: "-").first.flatMap { Int64($0) }
                entries.append(
                    Entry(
                        type: fields[1].string ?? "", user: fields[3].string ?? "", room: fields[5].string ?? "",
                        cause: fields[7].string ?? "", timestamp: time ?? 0))
                marks[partition.number] = entry[0].string
            }
        }
        return entries
    }

    func texts() async throws -> [String] { try await ledger().map(\.text) }

    /// Whether these sessions, as clients were told them, are all there.
    func has(_ sessions: [String]) async throws -> Bool {
        let known = Set(sessions.compactMap { SessionID(shown: $0) }).map(keys.session)
        return try await count(known) == known.count
    }

    /// In how many partitions anybody's grace runs.
    func lingering() async throws -> Int { try await count(Partition.all.map(keys.linger)) }

    /// The partitions in which a grace runs, each with its coordinator's token.
    func lingerers() async throws -> [String] {
        let there = try await ask(Partition.all.map(keys.linger)) { _, key in ["EXISTS", .string(key.name)] }
        let tokens = try await coordinators()
        return Partition.all.filter { there[$0.number].integer == 1 }
            .map { "\($0.number) of \(tokens[$0.number] ?? "nobody")" }
    }

    /// The token of each partition's coordinator.
    func coordinators() async throws -> [String?] {
        try await ask(Partition.all.map(keys.coordinator)) { _, key in ["GET", .string(key.name)] }.map(\.string)
    }

    /// What nodes hold, by the registry's own sets.
    func holders() async throws -> Set<String> {
        let replies = try await ask(Partition.all.map(keys.holders)) { _, key in ["SMEMBERS", .string(key.name)] }
        return Set(replies.flatMap { $0.array ?? [] }.compactMap(\.string))
    }

    /// How many of these keys are there.
    private func count(_ keys: [Key]) async throws -> Int {
        try await ask(keys) { _, key in ["EXISTS", .string(key.name)] }.count { $0.integer == 1 }
    }

    /// Asks something about each key, of all at once; the answers stand in the order of the keys.
    private func ask(
        _ keys: [Key], _ command: (_ number: Int, Key) -> [RedisArgument]
    ) async throws -> [RedisReply] {
        let loop = link.eventLoop
        let answers = keys.enumerated().map { number, key in
            let answer = loop.makePromise(of: RedisReply.self)
            link.send(command(number, key), for: key.slot) { answer.completeWith($0.mapError { $0 as any Error }) }
            return answer.futureResult
        }
        return try await EventLoopFuture.whenAllSucceed(answers, on: loop).get()
    }
}
