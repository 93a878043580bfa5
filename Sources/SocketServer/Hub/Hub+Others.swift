import Dialects
import GatewayCore
import NIOCore

/// Members that speak another dialect than the gateway's own. They have no positions: what is missed is missed.
extension Hub {
    /// Messages wait for each other up to this size, as for all members.
    private static let outgoingLimitBytes = 1 << 16

    // MARK: The way in

    /// What a subscriber to the last message of a room is answered with.
    static let lastMessage = Portion(bytes: 1 << 17, atLeastOne: true)

    /// A listener becomes a member at once.
    func enterOther(_ listener: Listener, isKept: Bool) {
        let hubRoom = listener.room
        // What is on its way to the members is not for this one.
        send(hubRoom)
        hubRoom.stopAwaiting(listener)
        end(listener)
        hubRoom.bundle?.record(listener.connection.number, knows: hubRoom.roster?.version)
        hubRoom.addOther(listener.connection, isKept: isKept)
    }

    func release(_ room: RoomName, to connection: SocketHandler, knows version: Int64) {
        guard let hubRoom = rooms[room], let others = hubRoom.others else { return }
        send(hubRoom)
        connection.writeApart(others.release(connection.number, knows: version))
        hubRoom.bundle?.record(connection.number, knows: version)
    }

    func enroll(_ connection: SocketHandler, in room: RoomName, as member: Identity) {
        presence.join(room, connection: connection.id.description, as: member.userId, info: member.info) {
            [self] result in enqueue(.answer(connection, .enrolled(room: room, result: result)))
        }
    }

    /// Reads all who are in a room in a short task, page by page; the steps behind the first page's version are told again.
    func readRoster(_ joined: Joined, id: RequestID?, for connection: SocketHandler) {
        let limit = settings.limits.maxShownMembers
        Task { [self] in
            var whole = joined
            do throws(DirectoryError) {
                let (found, version) = try await self.members(of: joined.room, upTo: limit)
                whole.members = found
                enqueue(
                    .answer(connection, .rosterRead(whole, id: id, result: .success(version)), ends: .pageRead))
            } catch {
                enqueue(.answer(connection, .rosterRead(joined, id: id, result: .failure(error)), ends: .pageRead))
            }
        }
    }

    private func members(
        of room: RoomName, upTo limit: Int
    ) async throws(DirectoryError) -> (members: [Member], version: Int64) {
        var (members, version): ([Member], Int64) = ([], .max)
        var known: Set<UserID> = []
        var cursor: String?
        repeat {
            let page = try await presenceDirectory.members(of: room, limit: min(limit, 1000), cursor: cursor)
            version = min(version, page.rosterVersion)
            members += page.members.filter { known.insert($0.userId).inserted }
            cursor = page.next
        } while cursor != nil && members.count <= limit
        return (members, version)
    }

    // MARK: Messages

    /// One more for the end of the turn.
    func append(_ message: RoomMessage, to others: OtherMembers, of hubRoom: HubRoom) {
        if hubRoom.members.isEmpty {
            if others.outgoing == nil { sending.add(hubRoom) }
            hubRoom.position = message.position
        }
        var buffer = others.outgoing ?? ByteBuffer()
        others.outgoing = nil
        writer.write(.message(message), in: others.dialect, into: &buffer)
        others.outgoing = buffer
        others.outgoingMessages += 1
        guard buffer.readableBytes >= Hub.outgoingLimitBytes else { return }
        send(hubRoom)
        feedOverfull()
    }

    func send(to others: OtherMembers) {
        guard let frames = others.outgoing else { return }
        others.outgoing = nil
        for member in others.members { others.write(frames, to: member) }
        countDelivered(others.outgoingMessages * others.members.count)
        others.outgoingMessages = 0
    }

    /// A message by itself, which one of them may not be sent.
    func send(_ message: RoomMessage, to others: OtherMembers, but leftOut: SocketHandler?) {
        let frames = writer.frames(.message(message), in: others.dialect)
        for member in others.members where member !== leftOut {
            others.write(frames, to: member)
            countDelivered(1)
        }
    }

    // MARK: Presence

    /// Tells of steps, but nobody of its own.
    ///
    /// - Parameter bundle: those steps, where they have waited for each other.
    func tell(_ change: RosterChange, to others: OtherMembers, from bundle: RosterBundle? = nil) {
        let makers = change.events.compactMap { $0.connection.flatMap { ConnectionID($0) } }
        let frames = writer.frames(.presence(change), in: others.dialect)
        for member in others.members {
            let known = bundle?.newcomers[member.number]
            if let known, known >= change.version { continue }
            guard known != nil || makers.contains(member.id) else {
                if frames.readableBytes > 0 { others.write(frames, to: member, version: change.version) }
                continue
            }
            var part = known.flatMap { bundle?.change(after: $0) } ?? change
            part.events.removeAll { $0.connection.flatMap { ConnectionID($0) } == member.id }
            let own = writer.frames(.presence(part), in: others.dialect)
            if own.readableBytes > 0 { others.write(own, to: member, version: change.version) }
        }
    }
}
