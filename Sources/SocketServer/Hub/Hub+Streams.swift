import GatewayCore
import NIOCore

/// What the streams of rooms bring, on the event loop.
extension Hub {
    /// Messages of one room wait for each other so that each member is written to once a turn, up to this size.
    private static let outgoingLimitBytes = 1 << 16

    func take(_ delivery: StreamDelivery) {
        eventLoop.assertInEventLoop()
        switch delivery {
        case .messages(let room, let messages):
            guard let hubRoom = rooms[room], !hubRoom.members.isEmpty else { return }
            for message in messages { append(message, to: hubRoom) }
        case .following(let ticket, let room, let position, let timestamp, let missed):
            welcome(ticket, to: room, at: position, timestamp: timestamp, missed: missed)
        case .failed(let ticket, let room, let error):
            guard let connection = tickets.removeValue(forKey: ticket), let hubRoom = rooms[room] else { return }
            hubRoom.pending[connection.number] = nil
            connection.streamFailed(room, error)
            closeIfEmpty(hubRoom)
        case .gap(let room, let position):
            tell(.gap(room: room, position: position), of: room, at: position)
        case .epoch(let room, let position):
            tell(.epoch(room: room, position: position), of: room, at: position)
        }
    }

    private func append(_ message: RoomMessage, to hubRoom: HubRoom) {
        var buffer = hubRoom.outgoing ?? ByteBuffer()
        if hubRoom.outgoing == nil { sending.append(hubRoom) }
        hubRoom.outgoing = nil
        write(.message(message), into: &buffer)
        let size = buffer.readableBytes
        hubRoom.outgoing = buffer
        hubRoom.outgoingMessages += 1
        hubRoom.position = message.position
        if size >= Hub.outgoingLimitBytes { send(hubRoom) }
    }

    /// A listener's answer: it gets what it missed, alone, and is then one of the members.
    private func welcome(
        _ ticket: FollowTicket, to room: RoomName, at position: Position, timestamp: Int64, missed: [RoomMessage]
    ) {
        guard let connection = tickets.removeValue(forKey: ticket), let hubRoom = rooms[room] else { return }
        hubRoom.pending[connection.number] = nil
        // What was on its way to the members before is not for the one that comes now.
        send(hubRoom)
        hubRoom.position = missed.last?.position ?? position
        connection.streamReady(room, at: position, timestamp: timestamp, missed: missed)
        closeIfEmpty(hubRoom)
    }

    /// Makes a connection a member of a room and sends it what it missed.
    func enter(_ room: RoomName, _ connection: SocketHandler, missed: [RoomMessage]) {
        guard let hubRoom = rooms[room] else { return }
        hubRoom.add(connection)
        guard !missed.isEmpty else { return }
        var buffer = ByteBuffer()
        for message in missed { write(.message(message), into: &buffer) }
        messagesDelivered += missed.count
        connection.write(buffer)
    }

    private func tell(_ event: ServerEvent, of room: RoomName, at position: Position) {
        guard let hubRoom = rooms[room], !hubRoom.members.isEmpty else { return }
        send(hubRoom)
        hubRoom.position = position
        let buffer = frame(event)
        for member in hubRoom.members { member.write(buffer) }
    }

    /// Where the members of a room stand; what was held back is sent first, so that it is true.
    func position(of room: RoomName) -> Position? {
        guard let hubRoom = rooms[room] else { return nil }
        send(hubRoom)
        return hubRoom.position
    }

    /// Sends a room's members what has come for them: one buffer, shared by all.
    private func send(_ hubRoom: HubRoom) {
        guard let buffer = hubRoom.outgoing else { return }
        hubRoom.outgoing = nil
        let members = hubRoom.members
        for member in members { member.write(buffer) }
        messagesDelivered += hubRoom.outgoingMessages * members.count
        hubRoom.outgoingMessages = 0
    }

    /// Sends what is left at the end of a turn.
    ///
    /// One room alone is written and flushed in one pass, while each socket is warm in the processor's cache; with
    /// several, a socket that is in more than one is still flushed once.
    func sendAll() {
        if sending.count == 1, let hubRoom = sending.popLast() { return sendLast(hubRoom) }
        while let hubRoom = sending.popLast() { send(hubRoom) }
    }

    private func sendLast(_ hubRoom: HubRoom) {
        guard let buffer = hubRoom.outgoing else { return }
        hubRoom.outgoing = nil
        let members = hubRoom.members
        for member in members { member.writeLast(buffer) }
        countBytesOut(buffer.readableBytes * members.count)
        messagesDelivered += hubRoom.outgoingMessages * members.count
        hubRoom.outgoingMessages = 0
    }
}
