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
        if let before = hubRoom.begin(connection.number) { end(before) }
        if connection.dialect != nil {
            if case .kept = entry { return enterOther(listener, isKept: true) }
            return enterOther(listener, isKept: false)
        }
        switch entry {
        case .now, .kept: return becomeMember(listener)
        case .start(let start): listener.begins(with: start)
        }
        if listener.isCaughtUp { return becomeMember(listener) }
        // A member that asked for what it has seen already gets nothing new before that.
        hubRoom.remove(connection.number)
        catchUp(listener)
    }

    /// A listener that asked again has its answer: its client is told what has changed under it.
    func goOn(_ listener: Listener, _ turn: Listener.Turn, _ unseenRoster: RosterState?) {
        let connection = listener.connection
        let room = listener.room.name
        switch turn {
        case .seamless: break
        case .gap(let position): connection.write(writer.frame(.gap(room: room, position: position)))
        case .epoch(let position): connection.write(writer.frame(.epoch(room: room, position: position)))
        }
        if let unseenRoster, seesPresence(connection, in: listener.room) {
            connection.write(writer.frame(.presence(RosterChange(unseen: unseenRoster, in: room))))
        }
        catchUp(listener)
    }

    /// Has a listener be sent what it holds, or ask for more when it is its turn.
    func catchUp(_ listener: Listener) {
        listener.connection.beginCatchUp().add(listener)
        pump(listener.connection)
    }

    /// Sends one connection the next part of what it has missed, or asks for it, when it has paid for the one before.
    func pump(_ connection: SocketHandler) {
        guard let queue = connection.catchUp else { return }
        switch queue.begin(isPaid: !mustWait(connection)) {
        case .isUnderWay: break
        case .now: writeNext(to: connection, queue)
        case .whenPaid:
            whenPaid(connection) { [self] in
                queue.wentOn()
                writeNext(to: connection, queue)
            }
        }
    }

    private func writeNext(to connection: SocketHandler, _ queue: CatchUp<SocketHandler, HubRoom>) {
        var part = ByteBuffer()
        var bytes = 0
        while let step = queue.next(written: part.readableBytes, shares) {
            switch step {
            case .write(let message):
                writer.write(told(of: message, to: connection), into: &part, isCompressed: connection.isCompressing)
                bytes += message.payload.count
                countDelivered(1)
            case .admit(let listener): becomeMember(listener)
            case .ask(let listener, let portion): ask(listener, portion)
            }
        }
        outputTurn.spend(Prices.logBytes(bytes, isCompressing: connection.isCompressing).price)
        if queue.isEmpty { connection.endCatchUp() }
        guard part.readableBytes > 0 else { return }
        if queue.isEmpty { connection.write(part) } else { writePart(part, to: connection) }
    }

    /// A message that leaves the connection out counts as seen.
    private func told(of message: RoomMessage, to connection: SocketHandler) -> ServerEvent {
        guard let except = message.except, except == connection.id.description else { return .message(message) }
        return .seen(room: message.room, seq: message.seq)
    }

    /// Sends a part, and goes on when all of it has left.
    func writePart(_ part: ByteBuffer, to connection: SocketHandler) {
        connection.catchUp?.sends(part.readableBytes)
        connection.write(part) { [self] in
            connection.catchUp?.wentOn()
            pump(connection)
            flush()
        }
    }

    private func becomeMember(_ listener: Listener) {
        let hubRoom = listener.room
        let connection = listener.connection
        // What is on its way to the members has been sent to this one, or lies before its beginning.
        send(hubRoom)
        hubRoom.stopAwaiting(listener)
        hubRoom.bundle?.record(connection.number, knows: hubRoom.roster?.version)
        hubRoom.add(connection)
        connection.slow?.queue.goesLive(below: configuration.maxLiveBytes)
    }
}

/// What is on its way into a room of this port.
typealias Listener = RoomListener<SocketHandler, HubRoom>

extension RosterChange {
    /// The roster has changed by steps that are not told.
    init(unseen roster: RosterState, in room: RoomName) {
        self.init(
            room: room, events: [], members: roster.members, version: roster.version, timestamp: roster.timestamp)
    }
}
