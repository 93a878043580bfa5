import GatewayCore
import NIOCore
import RedisClient

/// The presence scripts with their keys and arguments put together.
package struct PresenceCalls: Sendable {
    package typealias Reply = @Sendable (Result<RedisReply, RedisError>) -> Void

    let store: Store
    let settings: PresenceSettings
    let rules: RoomRules

    package init(store: Store, settings: PresenceSettings, rules: RoomRules) {
        self.store = store
        self.settings = settings
        self.rules = rules
    }

    var keys: Keys { store.keys }
    var life: RedisArgument { .integer(settings.life.milliseconds) }
    var listLife: RedisArgument { .integer(settings.listLife.milliseconds) }
    var ledgerSize: RedisArgument { .integer(Int64(settings.ledgerSize)) }

    /// - Parameter isKnown: whether the holder is known to stand among those of the user's partition.
    package func connect(
        _ connection: PresenceConnection, session: SessionID, holder: Holder, isKnown: Bool = false, since: Int64?,
        isAgain: Bool, reply: @escaping Reply
    ) {
        register(
            Scripts.connect, connection, session, holder, isKnown: isKnown, since: since,
            cause: isAgain ? PresenceCause.restored.rawValue : "", mode: isAgain ? "again" : "new", reply: reply)
    }

    /// Makes a session name this connection in place of the one that it names.
    package func resume(
        _ session: SessionID, _ connection: PresenceConnection, holder: Holder, isKnown: Bool = false,
        reply: @escaping Reply
    ) {
        register(
            Scripts.sessionResume, connection, session, holder, isKnown: isKnown, since: nil, cause: "",
            mode: "resume", reply: reply)
    }

    private func register(
        _ script: RedisScript, _ connection: PresenceConnection, _ session: SessionID, _ holder: Holder, isKnown: Bool,
        since: Int64?, cause: String, mode: String, reply: @escaping Reply
    ) {
        let user = connection.userId
        let partition = Partition(of: user.string)
        let channel = keys.status(of: user)
        store.call(
            script,
            keys: [
                keys.connections(of: user), keys.online(partition), keys.session(session), keys.holders(partition),
                keys.held(by: holder, in: partition), keys.linger(partition), keys.fence(partition),
                keys.events(partition), keys.marks(partition), keys.state(partition),
                keys.head(RoomName(inboxOf: user)), keys.verdict(on: user),
            ], channel: channel,
            arguments: [
                .string(holder.node), .integer(holder.incarnation), .string(connection.id), .string(user.string),
                .string(connection.address), .string(session.secret), .integer(since ?? 0), .string(cause), life,
                .integer(settings.sessionLife.milliseconds), ledgerSize, "PUBLISH", .string(channel.name),
                .string(mode), .integer(Int64(settings.maxConnectionsPerUser)), .string(settings.surplus.rawValue),
                .string(keys.node("", in: partition).name), listLife, .runID, mustAnnounce(isKnown),
                PresenceCalls.issued(connection.issuedAt),
            ], reply: reply)
    }

    /// Whether a fresh token of a user who is there already still counts.
    func admit(_ user: UserID, issuedAt: Int64?, reply: @escaping Reply) {
        store.call(
            Scripts.admit, keys: [keys.verdict(on: user)], arguments: [PresenceCalls.issued(issuedAt)],
            reply: reply)
    }

    /// Milliseconds since 1970, as the scripts want it.
    private static func issued(_ moment: Int64?) -> RedisArgument { moment.map { .integer($0) } ?? "" }

    /// Whether the holder has to be put among a partition's. Sent again after a break it has to in any case: Redis may have
    /// come back empty.
    func mustAnnounce(_ isKnown: Bool) -> RedisArgument { isKnown ? .attempt : 1 }

    package func disconnect(
        _ connection: PresenceConnection, session: SessionID, holder: Holder, departure: Departure,
        reply: @escaping Reply
    ) {
        let user = connection.userId
        let partition = Partition(of: user.string)
        let channel = keys.status(of: user)
        store.call(
            Scripts.disconnect,
            keys: [
                keys.connections(of: user), keys.online(partition), keys.seen(partition), keys.session(session),
                keys.held(by: holder, in: partition), keys.linger(partition), keys.events(partition),
            ], channel: channel,
            arguments: [
                .string(holder.node), .integer(holder.incarnation), .string(connection.id), .string(user.string),
                .string(departure.mode), .string(departure.cause.rawValue), .integer(settings.grace.milliseconds), life,
                ledgerSize, "PUBLISH", .string(channel.name),
            ], reply: reply)
    }

    /// Tells nodes that connections of theirs were marked, once for each time that a node is named.
    func tellMarked(_ nodes: RedisReply) {
        let nodes = (nodes.array ?? []).compactMap(\.string)
        for (node, names) in Dictionary(grouping: nodes, by: { $0 }) {
            store.link.send([
                "HINCRBY", .string(keys.marked.name), .string(node), .integer(Int64(names.count)),
            ]) { _ in }
        }
        guard !nodes.isEmpty else { return }
        store.link.send([
            "PEXPIRE", .string(keys.marked.name), .integer(settings.fenceLife.milliseconds),
        ]) { _ in }
    }

    package func renounce(_ partition: Partition, holder: Holder, reply: @escaping Reply) {
        store.call(
            Scripts.renounce, keys: [keys.fence(partition)],
            arguments: [
                .string(holder.node), .integer(holder.incarnation), .integer(settings.fenceLife.milliseconds),
            ], reply: reply)
    }

    /// Asks which of these entries, all of the partition, lack a part in Redis.
    func compare(
        _ entries: [(entry: HeldEntry, session: SessionID)], in partition: Partition, holder: Holder,
        reply: @escaping Reply
    ) {
        var all = [keys.online(partition), keys.rooms(partition), keys.holders(partition)]
        var arguments: [RedisArgument] = [.string(holder.description)]
        for (entry, session) in entries {
            switch entry {
            case .user(let user, let id):
                all += [keys.connections(of: user), keys.session(session)]
                arguments += ["u", .string(id), .string(user.string)]
            case .member(let user, let id, let room):
                all += [keys.members(room), keys.connections(in: room), keys.head(room)]
                arguments += ["r", .string(id), .string(user.string), .string(room.string)]
            }
        }
        store.call(Scripts.compare, keys: all, arguments: arguments, reply: reply)
    }

    func touch(_ lives: [(key: Key, life: Int64)]) {
        for start in stride(from: 0, to: lives.count, by: 500) {
            let batch = lives[start..<min(start + 500, lives.count)]
            store.call(Scripts.touch, keys: batch.map(\.key), arguments: batch.map { .integer($0.life) }) { _ in }
        }
    }
}

extension Position {
    /// The inbox's in the answer of `connect` or `session_resume`.
    init?(inboxIn answer: RedisReply) {
        guard answer[0].string == "ok" else { return nil }
        self.init(standingIn: answer, at: 5)
    }
}

extension Departure {
    /// As the scripts name it.
    var mode: String {
        switch self {
        case .farewell: "farewell"
        case .abrupt: "lost"
        }
    }
}
