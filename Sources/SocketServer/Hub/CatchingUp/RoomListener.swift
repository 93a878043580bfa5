import GatewayCore

/// A room as those see it who are on their way into it.
package protocol RoomStanding: AnyObject {
    /// What every member has been sent, or is about to be.
    var position: Position? { get }
    /// The last one that members were told of; nil where none is kept.
    var roster: RosterState? { get }
}

/// A connection that counts what is held for it of what it missed, or asked for.
package protocol CatchingUp: Numbered {
    /// Of all its listeners together.
    var missedBytes: Int { get }
    func countMissed(_ change: Int)
}

/// One connection on its way into a room: what it has asked, what it is still to be sent, whether it is there.
///
/// Pure: it answers with what its client is to be told, and neither asks nor writes. It belongs to the hub's event loop.
package final class RoomListener<Connection: CatchingUp, Room: RoomStanding> {
    private enum Phase {
        /// Its session has not said where it begins; the position is the one that it gave.
        case arriving(since: ClientPosition?)
        case catchingUp(Backlog)
        /// Its connection has left the room, or begins elsewhere in it.
        case gone
    }

    /// The consequence of an answer.
    package enum Answer: Equatable {
        /// The session says where it begins.
        case begins
        /// The client is told what has changed under it, then it goes on.
        case goesOn(Turn, unseenRoster: RosterState?)
    }

    /// The way in which what the log answered follows what the client has.
    package enum Turn: Equatable {
        case seamless
        /// Messages are missing up to here.
        case gap(Position)
        /// Nothing is missing, but the count is another.
        case epoch(Position)
    }

    /// The consequence of a question without an answer.
    package enum Failure: Equatable {
        /// The session is told, and the listener is none any more.
        case givesUp
        /// What the client has stays true, and the question is put again later.
        case triesAgain
    }

    package let connection: Connection
    package let room: Room
    private var phase: Phase
    /// The question that has no answer yet.
    private var ticket: FollowTicket?
    /// Of the messages that it holds, or that the answer under way may hold.
    package private(set) var missedBytes = 0 {
        didSet { connection.countMissed(missedBytes - oldValue) }
    }
    /// Whether the next message was larger than what the answer could hold.
    package private(set) var needsRoom = false

    /// One that asks where it begins.
    package init(connection: Connection, room: Room, since: ClientPosition?) {
        self.connection = connection
        self.room = room
        phase = .arriving(since: since)
    }

    /// A member that is fed from the log from here on.
    package init(connection: Connection, room: Room, backlog: Backlog) {
        self.connection = connection
        self.room = room
        phase = .catchingUp(backlog)
    }

    package var isGone: Bool {
        if case .gone = phase { return true }
        return false
    }

    /// Nil until its session has said where it begins.
    package var backlog: Backlog? {
        if case .catchingUp(let backlog) = phase { return backlog }
        return nil
    }

    /// Whether it has been sent all that the members have.
    package var isCaughtUp: Bool {
        guard let backlog else { return true }
        guard backlog.isSpent, !backlog.hasMore, backlog.seen == room.position else { return false }
        return backlog.rosterVersion == nil || backlog.rosterVersion == room.roster?.version
    }

    // MARK: Questions

    /// It asks for so much; answers from where.
    package func asks(_ portion: Portion, ticket: FollowTicket) -> ClientPosition? {
        self.ticket = ticket
        missedBytes = portion.bytes
        return since
    }

    private var since: ClientPosition? {
        switch phase {
        case .arriving(let since): since
        case .catchingUp(let backlog): ClientPosition(backlog.seen)
        case .gone: nil
        }
    }

    /// The question has its answer; what was missed is held from here on.
    package func answered(_ start: StreamStart) -> Answer {
        ticket = nil
        needsRoom = missedBytes > 0 && start.hasMore && start.missed.isEmpty
        missedBytes = start.missed.reduce(0) { $0 + $1.memoryBytes }
        guard case .catchingUp(let before) = phase else { return .begins }
        phase = .catchingUp(Backlog(start, since: since))
        let isRosterUnseen = start.roster?.version != before.rosterVersion
        return .goesOn(RoomListener.turn(from: before, to: start), unseenRoster: isRosterUnseen ? start.roster : nil)
    }

    private static func turn(from before: Backlog, to start: StreamStart) -> Turn {
        guard start.recovered else { return .gap(start.beginning) }
        guard start.position.epoch != before.epoch else { return .seamless }
        return .epoch(Position(epoch: start.position.epoch, seq: before.seen.seq))
    }

    package func failed() -> Failure {
        ticket = nil
        missedBytes = 0
        return backlog == nil ? .givesUp : .triesAgain
    }

    // MARK: The way in

    /// The session has told its client where it begins.
    package func begins(with start: StreamStart) { phase = .catchingUp(Backlog(start, since: since)) }

    /// Takes out the next message to be sent.
    package func next() -> RoomMessage? {
        guard case .catchingUp(var backlog) = phase, let message = backlog.next() else { return nil }
        phase = .catchingUp(backlog)
        missedBytes -= message.memoryBytes
        return message
    }

    /// Takes the payloads of messages away that it holds.
    package func redact(_ seqs: Set<Int>) {
        guard case .catchingUp(var backlog) = phase else { return }
        missedBytes -= backlog.redact(seqs)
        phase = .catchingUp(backlog)
    }

    /// Nothing more is asked for it, or sent to it.
    ///
    /// - Returns: the question whose answer is of no interest any more.
    package func ends() -> FollowTicket? {
        phase = .gone
        missedBytes = 0
        return ticket.take()
    }
}
