import GatewayCore
import NIOCore
import RedisClient

/// Registering again what Redis lost or fenced.
extension PresenceRegistry {
    /// Goes on with the partitions in which not all is registered under the present incarnation, as far as the bound
    /// for commands under way allows; each answer calls it again.
    ///
    /// Rooms wait until all connections are through: one whose session has gone on elsewhere enters no room again.
    func registerAgain() {
        guard let writer else { return }
        while hasRoom, let partition = unconfirmed.popFirst() {
            confirming += 1
            register(partition, writer, isAboutRooms: false) { [self] batch in
                confirming -= 1
                if batch.hasFailed, holder == writer { unconfirmed.insert(partition) } else { registerAgain() }
            }
        }
        guard unconfirmed.isEmpty, confirming == 0 else { return }
        while hasRoom, let partition = unregistered.popFirst() {
            register(partition, writer, isAboutRooms: true) { [self] in finish(partition, writer, $0) }
        }
    }

    private func register(
        _ partition: Partition, _ writer: Holder, isAboutRooms: Bool, done: @escaping @Sendable (Batch) -> Void
    ) {
        let entries = isAboutRooms ? held.members(in: partition) : held.users(in: partition).map(\.entry)
        let batch = Batch(count: entries.count)
        for entry in entries {
            register(entry, writer) { isRegistered in
                batch.remaining -= 1
                if !isRegistered { batch.hasFailed = true }
                if batch.remaining == 0 { done(batch) }
            }
        }
        if entries.isEmpty { loop.execute { done(batch) } }
    }

    /// With everything in place the older incarnations may be swept; what failed is tried again with the next beat.
    private func finish(_ partition: Partition, _ writer: Holder, _ batch: Batch) {
        guard holder == writer else { return }
        guard !batch.hasFailed else {
            unregistered.insert(partition)
            return
        }
        entered()
        calls.renounce(partition, holder: writer) { [self] result in
            left()
            if case .failure = result, holder == writer { unregistered.insert(partition) } else { registerAgain() }
        }
    }

    /// Registers one entry as one that was registered before; one that went meanwhile counts as done.
    ///
    /// So does one that Redis is still to be asked for: its own call knows the limits and the session that it goes on
    /// with. Where it was asked under an older incarnation, the answer is waited for: what that took in goes with it. Its
    /// rooms wait too: one may have been joined under the older incarnation, where that was fenced for the user alone.
    func register(_ entry: HeldEntry, _ writer: Holder, done: @escaping @Sendable (Bool) -> Void) {
        guard let connection = held[entry.connection], !connection.isReplaced else { return done(true) }
        switch connection.standing {
        case .waiting: return done(true)
        case .asked(let incarnation):
            guard incarnation == writer.incarnation, case .user = entry else {
                return loop.execute { done(false) }
            }
            return done(true)
        case .registered: break
        }
        switch entry {
        case .user:
            entered()
            calls.connect(
                connection.connection, session: connection.session, holder: writer, since: connection.since,
                isAgain: true
            ) { [self] result in
                left()
                done(take(result, writer, of: entry))
            }
        case .member(_, _, let room):
            guard let info = connection.rooms[room] else { return done(true) }
            entered()
            calls.join(room, connection.connection, info: info, holder: writer, isAgain: true) { [self] result in
                left()
                done(take(result, writer, of: entry))
            }
        }
    }

    private func take(_ result: Result<RedisReply, RedisError>, _ writer: Holder, of entry: HeldEntry) -> Bool {
        guard case .success(let answer) = result else { return false }
        switch answer[0].string {
        case "ok":
            if case .user(let user, _) = entry {
                remember(entry.connection, answer)
                onRegisteredAgain(user)
            }
            return true
        case "replaced":
            end(entry.connection, .replaced, "the session goes on elsewhere")
            return true
        case "banned", "ended":
            end(entry.connection, .forbidden, CloseReason.forbidden.text)
            return true
        case "void":
            end(entry.connection, .unauthorized, "the token is void")
            return true
        case "fenced":
            fenced(writer, at: answer[1].integer ?? 0)
            return false
        default:
            return false
        }
    }

    /// Has a socket closed whose connection is registered no more.
    private func end(_ id: String, _ reason: CloseReason, _ text: String) {
        held.replaced(id)
        onClose(.close(connection: id, reason: reason, text: text))
    }

    /// A session that Redis had forgotten is told its rooms again.
    private func remember(_ id: String, _ answer: RedisReply) {
        if let since = answer[1].integer { held.registered(id, since: since) }
        guard answer[3].integer == 1, let connection = held[id] else { return }
        rememberRooms(of: connection)
    }

    /// Tells a session the rooms that its connection is in, or has asked for, already.
    func rememberRooms(of connection: HeldConnections.Held) {
        for room in connection.quietRooms { perform(.remember(room, connection.connection.id)) }
        for room in connection.rooms.keys { perform(.remember(room, connection.connection.id)) }
    }

    /// How many answers of one partition are still to come.
    ///
    /// `@unchecked Sendable`: touched on the registry's loop only.
    private final class Batch: @unchecked Sendable {
        var remaining: Int
        var hasFailed = false

        init(count: Int) { remaining = count }
    }
}
