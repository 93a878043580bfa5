import GatewayCore

extension RegistrationMachine {
    /// By which whoever asked is answered, once.
    package typealias Ticket = Int

    /// A request for a connection of this node.
    package enum Request: Sendable {
        /// Answered by `registered`; `session` is the one that is begun if no earlier one is gone on with.
        case connect(PresenceConnection, session: SessionID, resuming: SessionResumption?, Ticket)
        /// A connection without a user: there is nothing to register, and no answer.
        case connectGuest(String)
        case disconnect(String, Departure)
        /// Answered by `joined`; `member` is whom it shows in the room, nil for its own user.
        case join(RoomName, connection: String, member: UserID?, info: [UInt8], Ticket)
        case joinQuietly(RoomName, connection: String)
        /// The connection is in the room and shows nobody there; there is no answer.
        case attend(RoomName, connection: String)
        /// Answered by `shown`.
        case show([UInt8], RoomName, connection: String, Ticket)
        /// Answered by `shown`.
        case setState(UserState, connection: String, Ticket)
        case leave(RoomName, connection: String)
        /// Answered by `signalled`.
        case signal(Signal, connection: String, Ticket)
    }

    /// An operation to be carried out in Redis, now or once that can be reached.
    package enum Operation: Hashable, Sendable {
        case connect(String, Ticket)
        case disconnect(Departed, Departure)
        /// Begins the grace of a member that Redis has lost.
        case restore(Left)
        case join(Joining)
        /// Shows what the table has of the connection's member.
        case show(RoomName, connection: String, Ticket)
        /// Without a ticket nobody waits for it.
        case setState(UserState, connection: String, Ticket?)
        /// As invisible as the table has the user.
        case hide(RoomName, UserID)
        case leave(Place, connection: String, Departure)
        /// Takes a connection that this node does not hold out of a room.
        case evict(Place, connection: String)
        /// Writes into the connection's session whether it is in the room.
        case remember(RoomName, connection: String)
        case signal(Signal, connection: String, Ticket)
    }

    /// A user in a room.
    package struct Place: Hashable, Sendable {
        package var room: RoomName
        package var user: UserID

        package init(_ room: RoomName, _ user: UserID) {
            self.room = room
            self.user = user
        }
    }

    package struct Joining: Hashable, Sendable {
        package enum Purpose: Hashable, Sendable {
            case asked(Ticket)
            /// It takes the place of this connection, whose session goes on.
            case moved(from: String)
        }

        package var room: RoomName
        package var connection: String
        /// Whether the connection was not in the room, nor had asked for it, before.
        package var isNew: Bool
        package var purpose: Purpose
        /// Whether it is an app's client, of whom a room takes so many alone.
        package var isVisitor = false
    }

    /// A question to Redis, whose answer comes back with it.
    package enum Call: Hashable, Sendable {
        case connect(HeldConnections.Registrant, Writer, Ticket)
        /// Goes on with an earlier session.
        case resume(HeldConnections.Registrant, SessionID, Writer, Ticket)
        case connectAgain(HeldConnections.Registrant, Connect.Earlier, Holder, Reason)
        case join(Joining, UserID, info: [UInt8], Writer)
        /// `settled`: under which incarnation all of the partition was registered last.
        case joinAgain(
            Place, connection: String, info: [UInt8], isHidden: Bool, settled: Int64?, Holder, Reason)
        case disconnect(Departed, Departure, Holder)
        /// Makes it a member again, whose grace is then begun.
        case restore(Left, Holder)
        case leave(Place, connection: String, Departure, Holder)
        case evict(Place, connection: String, Holder)
        /// `info`: what was said to be shown there; nil where nothing was.
        case remember(RoomName, isIn: Bool, info: [UInt8]?, connection: String, SessionID)
        case show(Place, connection: String, info: [UInt8], Holder, Ticket)
        case setState(UserState, HeldConnections.Registrant, Holder, Ticket?)
        case hide(Place, isHidden: Bool)
        case signal(Signal, connection: String, Ticket)
        /// How many connections show nobody in a room; the reason where it is told again.
        case guests(GuestCounts.Report, Writer, Reason?)
        case renounce(Partition, Holder)
        /// What the node's set in the partition names.
        case readHeld(Partition, Holder)
        /// Which of the first of these lack a part, as many as one call takes.
        case compare(ArraySlice<Compare.Entry>, Partition, Holder)
        /// Takes away what Redis has of a connection that is not held.
        case end(HeldEntry, Holder)
        case readMarks(Partition)
    }

    /// The holder that writes, and what Redis is known to have of it already.
    package struct Writer: Hashable, Sendable {
        package var holder: Holder
        /// Whether the partition has it among its holders.
        package var isKnown: Bool
        /// Whether it has others beside the connection: in the room of a join, in the partition of a connect. What they
        /// share has its life then, and is renewed.
        package var hasOthers: Bool
        /// Of a join: whether the user is invisible.
        package var isHidden: Bool

        package init(holder: Holder, isKnown: Bool, hasOthers: Bool = false, isHidden: Bool = false) {
            self.holder = holder
            self.isKnown = isKnown
            self.hasOthers = hasOthers
            self.isHidden = isHidden
        }
    }

    /// The reason why something is registered again.
    package enum Reason: Hashable, Sendable {
        /// All of the partition is.
        case all(Partition)
        /// Redis lacked it.
        case lacking
    }

    package enum Answer: Sendable {
        case connect(Connect.Answer)
        case resume(ResumeSession.Answer)
        case join(Join.Answer)
        case show(Show.Answer)
        case state(SetState.Answer)
        case disconnect(Disconnect.Answer)
        case signal(PassSignal.Answer)
        case guests(CountGuests.Answer)
        /// Which says nothing.
        case done
        case held([HeldEntry])
        /// Of what was compared.
        case compared(Compare.Answer)
        case marks([CloseMark])
    }

    package enum CallFailure: Error, Hashable, Sendable {
        /// Whether it took effect is not known; it may be made again.
        case failed(BackendError)
        /// It was answered in another shape.
        case unreadable(BackendError)
    }

    package enum Action: Hashable, Sendable {
        case send(Call)
        case registered(Ticket, Result<Registration, RegistrationError>)
        case joined(Ticket, Result<RosterState, BackendError>)
        /// Nil where it is shown, or said.
        case shown(Ticket, BackendError?)
        /// Nil where it was handed on.
        case signalled(Ticket, SignalError?)
        /// A connection of the user is about to be registered.
        case expectInbox(UserID)
        /// Where the inbox stood then; nil where that is not known, or it did not come about.
        case inboxStands(UserID, Position?)
        /// Where a room stood when a connection joined it.
        case roomStands(RoomName, Position, RosterState)
        /// How many connections are in a room, for those of the node's that have not been told.
        case tellNewcomers(of: RoomName, Int)
        /// What came for the user's inbox before went to other nodes, or to none.
        case registeredAgain(UserID)
        /// Tell these nodes, each as often as it is named, that connections of theirs were marked to be closed.
        case tellMarked([String])
        /// Close the socket.
        case close(String, CloseReason, text: String)
        /// The connection is out of the room.
        case putOut(String, RoomChange)
        /// A mark has done its work.
        case eraseMark(String, Partition)
        case renew(Renewal)
        /// The incarnation is fenced: the node must take one above the fence.
        case takeNewIncarnation(in: Int64, above: Int64)
    }

    /// The keys of one partition that are to live on in Redis.
    package struct Renewal: Hashable, Sendable {
        package var partition: Partition
        package var holder: Holder
        package var users: Set<UserID>
        package var sessions: [SessionID]
        package var rooms: [RoomName]

        package init(
            partition: Partition, holder: Holder, users: Set<UserID>, sessions: [SessionID], rooms: [RoomName]
        ) {
            self.partition = partition
            self.holder = holder
            self.users = users
            self.sessions = sessions
            self.rooms = rooms
        }
    }
}
