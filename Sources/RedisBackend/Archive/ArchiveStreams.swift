import GatewayCore
import Logging
import NIOCore
import RedisClient

/// What a worker of the archive does in Redis: one link, over which it leases partitions, takes messages and reads logs.
package final class ArchiveStreams: Sendable {
    /// For how long a worker that says nothing has a partition.
    package static let lease = Duration.seconds(3)

    private let topology: TopologyWatch
    private let link: RedisCommandLink
    private let store: Store
    private let rules: RoomRules
    private let names = NameSource()
    /// Of the link.
    private let linkName: String
    private let receivers: [WebhookReceiver]
    /// How much of messages the ledgers keep; nil where nobody is told of them.
    private let ledger: Publish.Bound?
    /// Names the worker among others.
    package let worker: String

    /// - Parameter onState: told whether Redis is there, from a loop: nil, or what is missing. In a Cluster only what the
    ///   topology says.
    package init(
        configuration: Backend.Configuration, eventLoop: any EventLoop, logger: Logger,
        onState: @escaping @Sendable (String?) -> Void
    ) {
        worker = names.instance()
        linkName = names.link()
        rules = configuration.rules
        receivers = configuration.receivers
        ledger =
            receivers.isEmpty
            ? nil
            : Publish.Bound(
                entries: configuration.webhookLedger.backlog, bytes: configuration.webhookLedger.bytes)
        var redis = configuration.redis
        redis.clientName = "martlet-archive:\(worker)"
        let keys = Keys(prefix: configuration.prefix, database: redis.database, isSharded: redis.topology.isSharded)
        let address = ShardAddress(of: redis.topology)
        let map = SlotMap()
        link = RedisCommandLink(
            configuration: redis, address: address, map: map, slots: Keys.slots, eventLoop: eventLoop, logger: logger,
            scripts: Scripts.archive,
            onState: { state in
                switch state {
                case .connected: onState(nil)
                case .disconnected(let reason), .unfit(let reason), .refused(let reason):
                    onState("Redis is not reached: \(reason)")
                }
            },
            onServer: { _, state in if case .connected = state { onState(nil) } })
        store = Store(link: link, keys: keys)
        topology = TopologyWatch(
            of: redis, address: address, map: map, slots: Keys.slots, patience: ArchiveStreams.lease,
            eventLoop: eventLoop, logger: logger
        ) { [link] event in
            switch event {
            case .moved, .mapped: link.follow()
            case .identified(let place, let server, let asked): link.verify(place, is: server, since: asked)
            case .unknown(let reason), .refused(let reason): onState("Redis is not reached: \(reason)")
            case .unwatched, .confirmed, .doubtful: break
            }
        }
    }

    package func start() {
        topology.start()
        link.start()
    }

    package func shutdown() async {
        try? await topology.stop().get()  // It only waits, and cannot fail.
        try? await link.shutdown().get()  // The same.
    }

    /// What nodes have written of how they divide rooms, where that is not as here; nil where all is well.
    package func foreignLayout() async throws(CallError) -> String? {
        let layout = try await store.send(.field("partitions", of: store.keys.deployment))
        return layout.flatMap { $0 == Partition.layout ? nil : $0 }
    }

    /// Says that this worker is at work; answers how many partitions it may have.
    package func share() async throws(CallError) -> Int {
        let workers = try await store.call(ShareArchive(as: worker, life: ArchiveStreams.lease))
        return (Partition.count + max(1, workers) - 1) / max(1, workers)
    }

    /// It goes: the others need not wait for its end.
    package func leave() async throws(CallError) {
        _ = try await store.call(ShareArchive(as: worker, life: nil))
    }

    package func take(
        _ partition: Partition, above floor: Int64, limit: Int, isRepeat: Bool
    ) async throws(CallError) -> TakeForArchive.Answer {
        try await store.call(
            TakeForArchive(
                partition, by: worker, life: ArchiveStreams.lease, floor: floor, limit: limit, isRepeat: isRepeat))
    }

    /// Answers how many messages of the partition are not in the archive.
    package func settle(
        _ ids: [String], _ redactions: [ArchiveRedaction] = [], of partition: Partition
    ) async throws(CallError) -> Int {
        try await store.call(SettleArchived(ids, redactions, of: partition, kept: rules.keptForConsumers))
    }

    /// Answers whether the partition was this worker's.
    package func keep(_ partition: Partition, token: Int64) async throws(CallError) -> Bool {
        try await store.call(KeepForArchive(partition, by: worker, token: token, life: ArchiveStreams.lease))
    }

    /// Looks without taking anything.
    package func waiting(_ partition: Partition) async throws(CallError) -> LookForArchive.Answer {
        try await store.call(LookForArchive(partition, by: worker))
    }

    package func release(_ partition: Partition, token: Int64) async throws(CallError) {
        _ = try await store.call(KeepForArchive(partition, by: worker, token: token, life: nil))
    }

    /// Stores a message and sends it to the room's members, as a node does.
    package func publish(_ publication: Publication) async throws(CallError) -> Published {
        let room = publication.room
        if publication.event != nil {
            let borne = try await store.send(.field("format", of: store.keys.deployment))
            guard borne.flatMap({ Int($0) }) ?? 0 >= MessageBody.formatOfNames else {
                throw .failed(.unavailable("nodes of an earlier release still run, and know of no event"))
            }
        }
        var call = Publish(
            MessageBody.encode(publication), to: room, under: publication.dedupe, limits: rules.log(of: room),
            candidate: names.epoch(), link: linkName)
        if let ledger, rules.tellsMessages(of: room) { call.ledger = ledger }
        if rules.isStreamed(room) || rules.isArchived(room) {
            let bound = rules.streamBound
            call.stream = Publish.Bound(entries: bound.entries, bytes: bound.bytes)
        }
        return try await store.call(call)
    }

    /// Takes the payloads of a user's messages away, and all that lies in the user's inbox.
    ///
    /// - Parameter progress: told after each room in which there were any.
    package func eraseMessages(
        of user: UserID, progress: @Sendable (Erased) -> Void
    ) async throws(CallError) -> Erased {
        try await RedisMessageErasure(
            store: store, rules: Current(rules), receivers: Current(receivers), directory: nil
        )
        .eraseMessages(of: user, progress: progress)
    }

    /// The epochs of a room; nil where Redis knows nothing of it.
    package func course(of room: RoomName) async throws(CallError) -> EpochCourse? {
        try await store.send(.course(ofHead: store.keys.head(room)))
    }

    /// What the room's log has behind a message, the oldest first; some of it.
    package func log(of room: RoomName, after seq: Int) async throws(CallError) -> HistoryPage {
        let range = HistoryRange(edge: .after(seq), limit: 200)
        return try await store.call(
            ReadHistory(of: room, range: range, age: rules.log(of: room).age, candidate: names.epoch()))
    }
}
