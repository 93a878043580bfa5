import GatewayCore
import NIOCore
import RedisClient

/// The scripts about rooms.
extension PresenceCalls {
    /// Who holds a connection in a room, as `leave` is told.
    package enum LeaveHolder: Sendable {
        case node(Holder)
        /// Whoever it is, or a grace; the caller's own set names nothing of it.
        case anybody(caller: Holder)
    }

    /// - Parameters:
    ///   - isKnown: whether the holder is known to stand among those of the room's partition.
    ///   - replaced: the connection of the same user whose place this one takes.
    package func join(
        _ room: RoomName, _ connection: PresenceConnection, info: [UInt8], holder: Holder, isKnown: Bool = false,
        isAgain: Bool, replaced: String? = nil, reply: @escaping Reply
    ) {
        let partition = Partition(of: room)
        let channel = keys.channel(room)
        store.call(
            isAgain || replaced != nil ? Scripts.joinAgain : Scripts.join,
            keys: [
                keys.members(room), keys.connections(in: room), keys.rooms(partition), keys.head(room),
                keys.holders(partition), keys.held(by: holder, in: partition), keys.linger(partition),
                keys.fence(partition), keys.events(partition), keys.state(partition),
            ], channel: channel,
            arguments: [
                .string(holder.node), .integer(holder.incarnation), .string(connection.id),
                .string(connection.userId.string), .string(room.string), .bytes(info),
                .string(isAgain ? PresenceCause.restored.rawValue : ""), life, headLife, ledgerSize,
                "PUBLISH", .string(channel.name), .string(replaced ?? ""), listLife, .runID,
                mustAnnounce(isKnown),
            ], reply: reply)
    }

    package func leave(
        _ room: RoomName, connection id: String, of user: UserID, holder: LeaveHolder, departure: Departure,
        reply: @escaping Reply
    ) {
        let partition = Partition(of: room)
        let channel = keys.channel(room)
        let grace = settings.grace + settings.roomGrace
        let (caller, node) =
            switch holder {
            case .node(let holder): (holder, holder.node)
            case .anybody(let caller): (caller, "*")
            }
        store.call(
            Scripts.leave,
            keys: [
                keys.members(room), keys.connections(in: room), keys.rooms(partition), keys.head(room),
                keys.held(by: caller, in: partition), keys.linger(partition), keys.events(partition),
            ], channel: channel,
            arguments: [
                .string(node), .integer(caller.incarnation), .string(id), .string(user.string), .string(room.string),
                .string(departure.mode), .string(departure.cause.rawValue), .integer(grace.milliseconds), life,
                headLife, ledgerSize, "PUBLISH", .string(channel.name),
            ], reply: reply)
    }

    /// Writes a room into the connection's session, or takes it out.
    package func remember(
        _ room: RoomName, _ id: String, session: SessionID, isIn: Bool, reply: @escaping Reply
    ) {
        store.call(
            Scripts.remember, keys: [keys.session(session)],
            arguments: [.string(id), isIn ? "add" : "remove", .string(room.string)], reply: reply)
    }

    /// From this connection to the other user's in the room.
    package func signal(_ signal: Signal, connection id: String, reply: @escaping Reply) {
        let nodes = keys.node("", in: Partition(of: signal.room))
        store.call(
            Scripts.signal, keys: [keys.members(signal.room)], channel: nodes,
            arguments: [
                .string(id), .string(signal.from.string), .string(signal.to.string), .string(signal.room.string),
                .bytes(signal.payload), "PUBLISH", .string(nodes.name),
            ], reply: reply)
    }

    /// A roster alone keeps a room's head for a while; its messages keep it for longer.
    private var headLife: RedisArgument { .integer(LogLimits.emptyHeadLife.milliseconds) }
}
