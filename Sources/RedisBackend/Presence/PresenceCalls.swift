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

    private var keys: Keys { store.keys }
    private var life: RedisArgument { .integer(settings.life.milliseconds) }
    private var ledgerSize: RedisArgument { .integer(Int64(settings.ledgerSize)) }

    package func connect(
        _ connection: PresenceConnection, session: SessionID, holder: Holder, since: Int64?, isAgain: Bool,
        reply: @escaping Reply
    ) {
        let user = connection.userId
        let partition = Partition(of: user.string)
        let channel = keys.status(of: user)
        let address = connection.address.isEmpty ? "-" : connection.address.replacing(" ", with: "_")
        store.call(
            store.scripts.connect,
            keys: [
                keys.connections(of: user), keys.online(partition), keys.session(session), keys.holders(partition),
                keys.held(by: holder, in: partition), keys.linger(partition), keys.fence(partition),
                keys.events(partition),
            ], channel: channel,
            arguments: [
                .string(holder.node), .integer(holder.incarnation), .string(connection.id), .string(user.string),
                .string(address), .string(session.string),
                .integer(since ?? 0), .string(isAgain ? PresenceCause.restored.rawValue : ""), life,
                .integer(settings.sessionLife.milliseconds), ledgerSize, "PUBLISH", .string(channel.name),
                .string(isAgain ? "again" : "new"),
            ], reply: reply)
    }

    package func disconnect(
        _ connection: PresenceConnection, session: SessionID, holder: Holder, departure: Departure,
        reply: @escaping Reply
    ) {
        let user = connection.userId
        let partition = Partition(of: user.string)
        let channel = keys.status(of: user)
        store.call(
            store.scripts.disconnect,
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

    package func join(
        _ room: RoomName, _ connection: PresenceConnection, info: [UInt8], holder: Holder, isAgain: Bool,
        reply: @escaping Reply
    ) {
        let partition = Partition(of: room)
        let channel = keys.channel(room)
        store.call(
            store.scripts.join,
            keys: [
                keys.members(room), keys.connections(in: room), keys.rooms(partition), keys.head(room),
                keys.holders(partition), keys.held(by: holder, in: partition), keys.linger(partition),
                keys.fence(partition), keys.events(partition),
            ], channel: channel,
            arguments: [
                .string(holder.node), .integer(holder.incarnation), .string(connection.id),
                .string(connection.userId.string), .string(room.string), .bytes(info),
                .string(isAgain ? PresenceCause.restored.rawValue : ""), life, headLife(of: room), ledgerSize,
                "PUBLISH", .string(channel.name),
            ], reply: reply)
    }

    package func leave(
        _ room: RoomName, _ connection: PresenceConnection, holder: Holder, departure: Departure,
        reply: @escaping Reply
    ) {
        let partition = Partition(of: room)
        let channel = keys.channel(room)
        let grace = settings.grace + settings.roomGrace
        store.call(
            store.scripts.leave,
            keys: [
                keys.members(room), keys.connections(in: room), keys.rooms(partition), keys.head(room),
                keys.held(by: holder, in: partition), keys.linger(partition), keys.events(partition),
            ], channel: channel,
            arguments: [
                .string(holder.node), .integer(holder.incarnation), .string(connection.id),
                .string(connection.userId.string), .string(room.string), .string(departure.mode),
                .string(departure.cause.rawValue), .integer(grace.milliseconds), life, headLife(of: room), ledgerSize,
                "PUBLISH", .string(channel.name),
            ], reply: reply)
    }

    /// Writes a room into the connection's session, or takes it out.
    package func remember(_ room: RoomName, _ id: String, session: SessionID, isIn: Bool) {
        store.call(
            store.scripts.remember, keys: [keys.session(session)],
            arguments: [
                .string(id), isIn ? "add" : "remove", .string(room.string),
                .integer(settings.sessionLife.milliseconds),
            ]
        ) { _ in }
    }

    package func renounce(_ partition: Partition, holder: Holder, reply: @escaping Reply) {
        store.call(
            store.scripts.renounce, keys: [keys.fence(partition)],
            arguments: [
                .string(holder.node), .integer(holder.incarnation), .integer(settings.fenceLife.milliseconds),
            ], reply: reply)
    }

    func touch(_ lives: [(key: Key, life: Int64)]) {
        for start in stride(from: 0, to: lives.count, by: 500) {
            let batch = lives[start..<min(start + 500, lives.count)]
            store.call(store.scripts.touch, keys: batch.map(\.key), arguments: batch.map { .integer($0.life) }) { _ in }
        }
    }

    private func headLife(of room: RoomName) -> RedisArgument {
        .integer(rules.log(of: room).headLife.milliseconds)
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
