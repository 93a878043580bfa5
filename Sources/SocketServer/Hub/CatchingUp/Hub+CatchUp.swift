import GatewayCore
import NIOCore

/// How a listener becomes a member: it is sent what it missed, part by part as its client reads, and asks again for what
/// has come meanwhile, until it stands where the members stand. Messages are not queued for it: ring and log hold them.
///
/// However many rooms a connection catches up with, a bounded part of what it missed is held for it: the other listeners
/// have their positions only, and ask when the socket has drained.
extension Hub {
    private var shares: CatchUpShares {
        CatchUpShares(queuedBytes: configuration.maxQueuedBytes, isOverdrawn: memory.isOverdrawn)
    }

    /// How much a new listener with a position may be answered at once.
    func firstPortion(for connection: SocketHandler) -> Portion {
        shares.firstShare(heldBytes: connection.missedBytes)
    }

    /// The session has told its client where it begins in a room.
    func enter(_ room: RoomName, _ connection: SocketHandler, _ entry: SessionMachine.Entry) {
        guard let hubRoom = rooms[room], let listener = hubRoom.pending[connection.number] else { return }
        if let before = listener.before { end(before) }
        listener.before = nil
        switch entry {
        case .now: return becomeMember(listener)
        case .start(let start): listener.backlog = Backlog(start, since: listener.since)
        }
        if listener.isCaughtUp { return becomeMember(listener) }
        // A member that asked for what it has seen already gets nothing new before that.
        hubRoom.remove(connection.number)
        catchUp(listener)
    }

    /// The answer to a listener that asked again, from where it had got to.
    func goOn(_ listener: Listener, _ backlog: Backlog, _ start: StreamStart) {
        let connection = listener.connection
        let room = listener.room.name
        if !start.recovered {
            connection.write(writer.frame(.gap(room: room, position: start.beginning)))
        } else if start.position.epoch != backlog.epoch {
            let position = Position(epoch: start.position.epoch, seq: backlog.seen.seq)
            connection.write(writer.frame(.epoch(room: room, position: position)))
        }
        if let roster = start.roster, roster.version != backlog.rosterVersion,
            connection.machine.seesPresence(in: room)
        {
            connection.write(writer.frame(.presence(RosterChange(unseen: roster, in: room))))
        }
        listener.backlog = Backlog(start, since: listener.since)
        catchUp(listener)
    }

    /// Has a listener be sent what it holds, or ask for more when it is its turn.
    func catchUp(_ listener: Listener) {
        let connection = listener.connection
        let queue = connection.catchUp ?? CatchUp()
        connection.catchUp = queue
        if listener.backlog?.rest.isEmpty == false {
            queue.ready.append(listener)
        } else {
            queue.hungry.append(listener)
        }
        pump(connection)
    }

    /// Sends one connection the next part of what it has missed, or asks for it, when it has paid for the one before.
    func pump(_ connection: SocketHandler) {
        guard let queue = connection.catchUp, !queue.isSending else { return }
        guard mustWait(connection) else { return pump(connection, queue) }
        queue.isSending = true
        whenPaid(connection) { [self] in
            queue.isSending = false
            pump(connection, queue)
        }
    }

    private func pump(_ connection: SocketHandler, _ queue: CatchUp) {
        var part = ByteBuffer()
        while part.readableBytes < shares.partBytes, let listener = queue.ready.first {
            if !listener.isGone {
                fill(&part, from: listener)
                if listener.backlog?.rest.isEmpty == false { break }
                if listener.isCaughtUp { becomeMember(listener) } else { queue.hungry.append(listener) }
            }
            queue.ready.removeFirst()
        }
        guard part.readableBytes > 0 else {
            ask(queue, for: connection)
            if queue.isEmpty { connection.catchUp = nil }
            return
        }
        guard !queue.isEmpty else {
            connection.catchUp = nil
            return connection.write(part)
        }
        send(part, to: connection, queue)
    }

    /// Goes on once all that waits in the socket has left.
    func pumpWhenDrained(_ connection: SocketHandler, _ queue: CatchUp) {
        send(ByteBuffer(), to: connection, queue)
    }

    private func send(_ part: ByteBuffer, to connection: SocketHandler, _ queue: CatchUp) {
        queue.sendingBytes = part.readableBytes
        queue.isSending = true
        connection.write(part) { [self] in
            connection.catchUp?.isSending = false
            pump(connection)
            flush()
        }
    }

    private func fill(_ part: inout ByteBuffer, from listener: Listener) {
        let isCompressing = listener.connection.isCompressing
        var bytes = 0
        while part.readableBytes < shares.partBytes, let message = listener.next() {
            writer.write(.message(message), into: &part, isCompressed: isCompressing)
            bytes += message.payload.count
            countDelivered(1)
        }
        outputTurn.spend(Prices.logBytes(bytes, isCompressing: isCompressing).price)
    }

    /// Asks for more while nothing waits in the socket, so that a slow client is not read ahead of.
    private func ask(_ queue: CatchUp, for connection: SocketHandler) {
        var asked = 0
        defer { queue.hungry.removeFirst(asked) }
        while asked < queue.hungry.count {
            let listener = queue.hungry[asked]
            if !listener.isGone, let seen = listener.backlog?.seen {
                if listener.isCaughtUp {
                    becomeMember(listener)
                } else {
                    let portion = shares.nextShare(
                        heldBytes: connection.missedBytes, among: queue.hungry.count - asked,
                        needsRoom: listener.needsRoom)
                    guard let portion else { return }
                    ask(listener, since: ClientPosition(seen), portion)
                }
            }
            asked += 1
        }
    }

    private func becomeMember(_ listener: Listener) {
        let hubRoom = listener.room
        let connection = listener.connection
        // What is on its way to the members has been sent to this one, or lies before its beginning.
        send(hubRoom)
        hubRoom.stopAwaiting(listener)
        hubRoom.bundle?.note(connection.number, knows: hubRoom.roster?.version)
        hubRoom.add(connection)
        connection.slow?.queue.goesLive(below: configuration.maxLiveBytes)
    }
}

extension RosterChange {
    /// The roster has changed by steps that are not told.
    init(unseen roster: RosterState, in room: RoomName) {
        self.init(
            room: room, events: [], members: roster.members, version: roster.version, timestamp: roster.timestamp)
    }
}
