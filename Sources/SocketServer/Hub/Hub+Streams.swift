import GatewayCore
import NIOCore

/// What the streams of rooms bring, on the event loop.
extension Hub {
    /// Messages of one room wait for each other so that each member is written to once a turn, up to this size.
    private static let outgoingLimitBytes = 1 << 16

    func receive(_ delivery: StreamDelivery) {
        eventLoop.assertInEventLoop()
        switch delivery {
        case .messages(let room, let messages, let arrival):
            guard let hubRoom = rooms[room] else { return }
            guard hubRoom.hasMembers else {
                // Whoever is about to enter goes by it.
                if let last = messages.last { hubRoom.position = last.position }
                return
            }
            for message in messages { append(message, to: hubRoom) }
            if let arrival { deliveries.wrote(messages, of: arrival) }
        case .unstored(let message): receiveUnstored(message)
        case .following(let ticket, let room, let start): following(ticket, room, start)
        case .failed(let ticket, let room, let error): failed(ticket, room, error)
        case .gap(let room, let position):
            tell(.gap(room: room, position: position), of: room, at: position)
            if let others = rooms[room]?.others { tellLoss(to: others, of: room) }
        case .epoch(let room, let position): tell(.epoch(room: room, position: position), of: room, at: position)
        case .presence(let change): receive(change)
        case .counted(let room, let connections): tellCount(connections, of: room) { $0.takeAll() }
        case .countedForNewcomers(let room, let connections):
            tellCount(connections, of: room) { $0.takeUncounted() }
        case .room(let change): receive(change)
        case .redacted(let redaction): receive(redaction)
        case .watching(let ticket, let statuses): watchAnswered(ticket, statuses)
        case .watchFailed(let ticket, let error): watchFailed(ticket, error)
        case .status(let change): receive(change)
        case .signal(let signal): receive(signal)
        case .putOut(let connection, let change):
            guard let id = ConnectionID(connection) else { return }
            heartbeat.connection(id)?.putOut(change)
        case .invited(let user, let room): invite(user, to: room)
        case .reviewed(let user):
            for connection in Array(heartbeat.connections) where connection.machine.identity?.userId == user {
                connection.askAgain()
            }
        case .close(let connection, let reason, let text):
            guard let id = ConnectionID(connection) else { return }
            heartbeat.connection(id)?.close(reason, text: text)
        }
    }

    private func append(_ message: RoomMessage, to hubRoom: HubRoom) {
        if let connection = member(leftOutOf: message, in: hubRoom) {
            return send(message, to: hubRoom, but: connection)
        }
        if let others = hubRoom.others {
            append(message, to: others, of: hubRoom)
            guard !hubRoom.members.isEmpty else { return }
        }
        var buffer = hubRoom.outgoing ?? ByteBuffer()
        if hubRoom.outgoing == nil {
            sending.add(hubRoom)
        }
        hubRoom.outgoing = nil
        let start = buffer.writerIndex
        writer.write(.message(message), into: &buffer)
        if hubRoom.compressingMembers > 0 {
            hubRoom.compressed = writer.addAgain(to: hubRoom.compressed, lastOf: buffer, from: start)
        }
        let size = buffer.readableBytes
        hubRoom.outgoing = buffer
        hubRoom.outgoingMessages += 1
        hubRoom.position = message.position
        if size >= Hub.outgoingLimitBytes {
            send(hubRoom)
            feedOverfull()
        }
    }

    /// It is no part of the stream: whoever is being caught up does not get it.
    private func receiveUnstored(_ message: RoomMessage) {
        guard let hubRoom = rooms[message.room], hubRoom.hasMembers else { return }
        send(hubRoom)
        send(message, to: hubRoom, but: member(leftOutOf: message, in: hubRoom))
    }

    /// Nil where it leaves nobody out whom this hub would send it.
    private func member(leftOutOf message: RoomMessage, in hubRoom: HubRoom) -> SocketHandler? {
        guard let except = message.except, let id = ConnectionID(except), let connection = heartbeat.connection(id),
            hubRoom.hasMember(connection.number)
        else { return nil }
        return connection
    }

    /// A message by itself, which not all of the room's members are sent: who is left out learns that nothing was lost.
    private func send(_ message: RoomMessage, to hubRoom: HubRoom, but leftOut: SocketHandler?) {
        send(hubRoom)
        if let others = hubRoom.others { send(message, to: others, but: leftOut) }
        if !hubRoom.members.isEmpty { sendOwn(message, to: hubRoom, but: leftOut) }
        if !message.isVolatile { hubRoom.position = message.position }
    }

    private func sendOwn(_ message: RoomMessage, to hubRoom: HubRoom, but leftOut: SocketHandler?) {
        let plain = writer.frame(.message(message))
        let compressed = hubRoom.compressingMembers > 0 ? writer.frameAgain(plain) : plain
        for member in hubRoom.members where member !== leftOut {
            member.write(member.isCompressing ? compressed : plain)
            countDelivered(1)
        }
        guard !message.isVolatile, let leftOut, leftOut.dialect == nil else { return }
        leftOut.write(writer.frame(.seen(room: message.room, seq: message.seq)))
    }

    /// A listener's answer: its session is told, or it goes on with what it missed.
    private func following(_ ticket: FollowTicket, _ room: RoomName, _ start: StreamStart) {
        guard let listener = tickets.take(ticket) else { return }
        let answer = listener.answered(start)
        if listener.missedBytes > 0 {
            let connection = listener.connection
            let price = Prices.logBytes(listener.missedBytes, isCompressing: connection.isCompressing)
            connection.spend(price, now: now)
        }
        let hubRoom = listener.room
        // What was on its way to the members before is not for the one that comes now.
        send(hubRoom)
        hubRoom.position = start.position
        if let roster = start.roster { hubRoom.roster = roster }
        hubRoom.govern(by: start.settings)
        switch answer {
        case .goesOn(let turn, let unseenRoster): goOn(listener, turn, unseenRoster)
        case .begins:
            // A member is told below where the roster stands: what waits for it lies before that.
            tellBundle(of: hubRoom, to: listener.connection)
            var start = start
            start.reading = hubRoom.outlook.reading(by: listener.connection.machine.user(in: room))
            listener.connection.answered(.streamReady(room: room, start: start))
        }
    }

    private func failed(_ ticket: FollowTicket, _ room: RoomName, _ error: BackendError) {
        guard let listener = tickets.take(ticket) else { return }
        switch listener.failed() {
        case .triesAgain: retryLater(.listener(listener))
        case .givesUp:
            listener.room.stopAwaiting(listener)
            listener.connection.answered(.streamFailed(room: room, error: error))
            closeIfEmpty(listener.room)
            pump(listener.connection)
        }
    }

    /// Messages have no payloads any more: those who are in the room are told, and what waits for those who are being caught
    /// up loses its payload too.
    private func receive(_ redaction: Redaction) {
        guard let hubRoom = rooms[redaction.room] else { return }
        send(hubRoom)
        if redaction.isPresent {
            let seqs = Set(redaction.seqs)
            for listener in hubRoom.pending.listeners { listener.redact(seqs) }
        }
        let entering = hubRoom.pending.connections.filter {
            !hubRoom.hasMember($0.number) && $0.machine.isMember(of: redaction.room)
        }
        for seq in redaction.seqs {
            let position = Position(epoch: redaction.epoch, seq: seq)
            let buffer = writer.frame(.redacted(room: redaction.room, position: position))
            for member in hubRoom.members + entering { member.write(buffer) }
        }
    }

    private func tell(_ event: ServerEvent, of room: RoomName, at position: Position) {
        guard let hubRoom = rooms[room] else { return }
        send(hubRoom)
        hubRoom.position = position
        guard !hubRoom.members.isEmpty else { return }
        let buffer = writer.frame(event)
        for member in hubRoom.members { member.write(buffer) }
    }

    /// Sends a room's members what has come for them: one buffer, shared by all.
    func send(_ hubRoom: HubRoom) {
        if let others = hubRoom.others { send(to: others) }
        guard let buffer = hubRoom.outgoing else { return }
        hubRoom.outgoing = nil
        let members = hubRoom.members
        if let compressed = hubRoom.compressed {
            hubRoom.compressed = nil
            for member in members { member.write(member.isCompressing ? compressed.bytes : buffer) }
        } else {
            for member in members { member.write(buffer) }
        }
        countDelivered(Int(hubRoom.outgoingMessages) * members.count)
        hubRoom.outgoingMessages = 0
    }

    /// Sends what is left at the end of a turn.
    ///
    /// One room alone is written and flushed in one pass, while each socket is warm in the processor's cache; with
    /// several, a socket that is in more than one is still flushed once.
    func sendAll() {
        if sending.count == 1, let hubRoom = sending.popLast() { return sendLast(hubRoom) }
        while let hubRoom = sending.popLast() {
            send(hubRoom)
            feedOverfull()
        }
    }

    private func sendLast(_ hubRoom: HubRoom) {
        guard hubRoom.compressed == nil, hubRoom.others == nil else { return send(hubRoom) }
        guard let buffer = hubRoom.outgoing else { return }
        hubRoom.outgoing = nil
        let members = hubRoom.members
        buffer.withUnsafeReadableBytes { bytes in
            for member in members { member.writeLast(buffer, bytes) }
        }
        countBytesOut(buffer.readableBytes * members.count)
        countDelivered(Int(hubRoom.outgoingMessages) * members.count)
        hubRoom.outgoingMessages = 0
    }
}
