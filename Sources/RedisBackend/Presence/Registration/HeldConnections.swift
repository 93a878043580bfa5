import GatewayCore

/// The connections of this node, with the rooms they are in or have asked for. No I/O; it belongs to the registry's
/// loop, as do the connections it hands out.
package final class HeldConnections {
    /// The progress of a connection's registration.
    package enum Standing: Hashable, Sendable {
        /// Redis is still to be asked.
        case waiting
        /// Redis was asked under this incarnation, and may answer yet.
        case asked(incarnation: Int64)
        /// Redis has taken it in, at milliseconds by its clock, after the disconnection of the user with this number, and
        /// as the one with which its session went on elsewhere for the time that is counted.
        case registered(since: Int64, disconnection: Int64, moves: Int64)
        /// Its session names another connection by now, or its user is not let in any more: it is being closed, and
        /// registers nothing any more.
        case closing
    }

    /// One connection; once it is out of the table nothing in it changes any more.
    ///
    /// `@unchecked Sendable`: it is touched on the registry's loop only.
    package final class Held: @unchecked Sendable {
        private enum Owner {
            case user(Registrant)
            /// It has no user: nothing is registered of it but the rooms in which it shows somebody.
            case guest(id: String)
        }

        private var owner: Owner
        package fileprivate(set) var standing = Standing.waiting
        /// Each with what is shown of the user there, a JSON object.
        package fileprivate(set) var rooms = RoomTable<[UInt8]>()
        /// Whether it has said that it is away.
        package fileprivate(set) var isAway = false
        /// Nil for most, which have nothing of it.
        fileprivate var rarities: Rarities?

        /// What few connections have. On the heap, so that the others are small.
        fileprivate final class Rarities {
            var shownRooms: Set<RoomName> = []
            var quietRooms: Set<RoomName> = []
            var guestRooms: Set<RoomName> = []
            var members: [RoomName: UserID] = [:]
        }

        fileprivate init(_ registrant: Registrant) {
            owner = .user(registrant)
        }

        fileprivate init(guest id: String) {
            owner = .guest(id: id)
        }

        package var id: String {
            switch owner {
            case .user(let registrant): registrant.connection.id
            case .guest(let id): id
            }
        }

        /// Nil for a guest.
        package var registrant: Registrant? {
            switch owner {
            case .user(let registrant): registrant
            case .guest: nil
            }
        }

        /// It is a user's from here on, and stays in the rooms in which it shows somebody.
        fileprivate func becomes(_ registrant: Registrant) {
            owner = .user(registrant)
            standing = .waiting
        }

        fileprivate func goOn(with session: SessionID) {
            if case .user(let registrant) = owner { owner = .user(Registrant(registrant.connection, session)) }
        }

        package var user: UserID? {
            switch owner {
            case .user(let registrant): registrant.connection.userId
            case .guest: nil
            }
        }

        /// Rooms in which something else is shown of the user than the connection came with; the session remembers it.
        package var shownRooms: Set<RoomName> { rarities?.shownRooms ?? [] }
        /// Rooms without a roster, which only the session remembers.
        package var quietRooms: Set<RoomName> { rarities?.quietRooms ?? [] }
        /// Rooms in which it shows nobody.
        package var guestRooms: Set<RoomName> { rarities?.guestRooms ?? [] }

        fileprivate func withRarities() -> Rarities {
            let rarities = rarities ?? Rarities()
            self.rarities = rarities
            return rarities
        }

        /// Its user's, where its session lies as well; nil for a guest, who has neither.
        fileprivate var partition: Partition? {
            switch owner {
            case .user(let registrant): registrant.session.partition
            case .guest: nil
            }
        }

        fileprivate var isGuest: Bool {
            switch owner {
            case .user: false
            case .guest: true
            }
        }

        /// Whether Redis has what there is of it to be had.
        package var isRegistered: Bool {
            switch standing {
            case .registered: true
            case .waiting, .asked, .closing: isGuest
            }
        }

        /// Whom it shows in a room: its own user, if nobody else.
        package func member(in room: RoomName) -> UserID? { rarities?.members[room] ?? user }

        package func isIn(_ room: RoomName) -> Bool { rooms[room] != nil || quietRooms.contains(room) }

        /// Those that its session is to name.
        package var allRooms: Set<RoomName> { quietRooms.union(rooms.keys) }
    }

    /// A connection with the session under which it is registered.
    package struct Registrant: Hashable, Sendable {
        package var connection: PresenceConnection
        package var session: SessionID

        package init(_ connection: PresenceConnection, _ session: SessionID) {
            self.connection = connection
            self.session = session
        }
    }

    private struct Holdings {
        var users: Set<Held> = []
        /// How many of them Redis has taken in.
        var registered = 0
        /// Those that are in one of its rooms.
        var members: Set<Held> = []
        /// Each room with a roster.
        var rooms: [RoomName: Attendance] = [:]
    }

    /// The connections in a room.
    private struct Attendance {
        var count = 0
        /// Whether Redis has taken one of them into the room, as far as is known.
        var hasEntered = false
    }

    private var connections: [String: Held] = [:]
    /// Of the users of connections here, those who are invisible, as far as is known.
    private var invisible: Set<UserID> = []
    private var partitions = [Holdings](repeating: Holdings(), count: Partition.count)

    package init() {}

    package subscript(id: String) -> Held? { connections[id] }

    // MARK: By partition

    /// The connections of its users.
    package func users(in partition: Partition) -> Set<Held> { partitions[partition.number].users }

    /// Its rooms with a roster that a connection is in, or has asked for.
    package func rooms(in partition: Partition) -> some Collection<RoomName> {
        partitions[partition.number].rooms.keys
    }

    /// The members of those rooms.
    package func members(in partition: Partition) -> [HeldEntry] {
        let holdings = partitions[partition.number]
        var entries: [HeldEntry] = []
        for held in holdings.members {
            for (room, _) in held.rooms where holdings.rooms[room] != nil {
                if let entry = held.entry(in: room) { entries.append(entry) }
            }
        }
        return entries
    }

    /// Whether Redis has taken in one of the connections of its users.
    package func hasRegistered(in partition: Partition) -> Bool { partitions[partition.number].registered > 0 }

    /// Whether Redis has taken one of the connections into this room, as far as is known.
    package func hasEntered(_ room: RoomName) -> Bool {
        partitions[Partition(of: room).number].rooms[room]?.hasEntered ?? false
    }

    /// All that the node's set in the partition should name.
    package func entries(in partition: Partition) -> Set<HeldEntry> {
        Set(users(in: partition).compactMap(\.entry)).union(members(in: partition))
    }

    // MARK: Connections

    /// Takes a connection in; false where one of that name is held already, unless it had no user.
    package func connect(_ connection: PresenceConnection, session: SessionID) -> Bool {
        let registrant = Registrant(connection, session)
        guard let guest = connections[connection.id], guest.isGuest else { return insert(Held(registrant)) }
        guest.becomes(registrant)
        partitions[session.partition.number].users.insert(guest)
        return true
    }

    /// Takes in a connection without a user; nothing happens where one of that name is held already.
    package func connect(guest id: String) { insert(Held(guest: id)) }

    @discardableResult
    private func insert(_ held: Held) -> Bool {
        guard connections[held.id] == nil else { return false }
        connections[held.id] = held
        if let partition = held.partition { partitions[partition.number].users.insert(held) }
        return true
    }

    /// Registered again it stays the one that it was to its session.
    package func registered(_ id: String, _ registered: Connect.Registered) {
        guard let held = connections[id] else { return }
        var moves = registered.moves
        switch held.standing {
        case .closing: return
        case .registered(_, _, let before): moves = max(moves, before)
        case .waiting, .asked: break
        }
        setStanding(
            .registered(since: registered.since, disconnection: registered.disconnection, moves: moves), of: held)
    }

    /// Redis is being asked, under this incarnation, to take the connection in.
    package func asked(_ id: String, incarnation: Int64) {
        if let held = connections[id] { setStanding(.asked(incarnation: incarnation), of: held) }
    }

    /// The connection goes on with this session.
    package func resumed(_ id: String, _ session: SessionID) {
        connections[id]?.goOn(with: session)
    }

    /// The connection is being closed.
    package func closing(_ id: String) {
        if let held = connections[id] { setStanding(.closing, of: held) }
    }

    private func setStanding(_ standing: Standing, of held: Held) {
        count(held, -1)
        held.standing = standing
        count(held, 1)
    }

    /// One registered user's connection more, or less, if it is one.
    private func count(_ held: Held, _ change: Int) {
        guard let partition = held.partition, held.isRegistered else { return }
        partitions[partition.number].registered += change
    }

    /// Forgets a connection; answers what it was and the rooms it was in or had asked for.
    package func disconnect(_ id: String) -> Held? {
        guard let held = connections.removeValue(forKey: id) else { return nil }
        count(held, -1)
        if let partition = held.partition { partitions[partition.number].users.remove(held) }
        if let user = held.user, isInvisible(user), connections(of: user).isEmpty { invisible.remove(user) }
        for room in held.rooms.keys {
            let partition = Partition(of: room)
            partitions[partition.number].members.remove(held)
            left(room, in: partition)
        }
        return held
    }

    // MARK: Users

    package func isInvisible(_ user: UserID) -> Bool { !invisible.isEmpty && invisible.contains(user) }

    /// Answers whether that is new; of users who have no connection here nothing is kept.
    package func setInvisible(_ isInvisible: Bool, _ user: UserID) -> Bool {
        guard isInvisible else { return !invisible.isEmpty && invisible.remove(user) != nil }
        return !connections(of: user).isEmpty && invisible.insert(user).inserted
    }

    package func connections(of user: UserID) -> [Held] {
        users(in: Partition(of: user.string)).filter { $0.user == user }
    }

    // MARK: Rooms

    /// Notes that a connection is in a room, or asked for it; false where the connection is not held, or shows nobody.
    ///
    /// - Parameter member: whom it shows there; nil for its own user. It stays the one that it showed first.
    package func join(_ room: RoomName, connection id: String, as member: UserID? = nil, info: [UInt8]) -> Bool {
        guard let held = connections[id], let member = member ?? held.user else { return false }
        if held.rooms[room] == nil {
            let partition = Partition(of: room).number
            partitions[partition].rooms[room, default: Attendance()].count += 1
            partitions[partition].members.insert(held)
            if member != held.user { held.withRarities().members[room] = member }
        }
        held.rooms[room] = info
        return true
    }

    /// Something else is shown of the connection's member in a room from now on; false where it is not there.
    package func show(_ info: [UInt8], in room: RoomName, connection id: String) -> Bool {
        guard let held = connections[id], held.rooms[room] != nil else { return false }
        held.rooms[room] = info
        held.withRarities().shownRooms.insert(room)
        return true
    }

    /// False where the connection is not held, or has no user.
    package func setAway(_ isAway: Bool, connection id: String) -> Bool {
        guard let held = connections[id], held.registrant != nil else { return false }
        held.isAway = isAway
        return true
    }

    /// Redis has taken a connection into a room.
    package func entered(_ room: RoomName, connection id: String) {
        guard connections[id]?.rooms[room] != nil else { return }
        let partition = Partition(of: room).number
        guard var attendance = partitions[partition].rooms[room], !attendance.hasEntered else { return }
        attendance.hasEntered = true
        partitions[partition].rooms[room] = attendance
    }

    /// Whether Redis has anybody in a room is not known any more.
    package func unsure(_ room: RoomName) {
        partitions[Partition(of: room).number].rooms[room]?.hasEntered = false
    }

    /// Notes that a connection is in a room without a roster.
    package func joinQuietly(_ room: RoomName, connection id: String) {
        connections[id]?.withRarities().quietRooms.insert(room)
    }

    /// Forgets a room of a connection; answers whom it showed there, nil where it is not held or not in the room.
    package func leave(_ room: RoomName, connection id: String) -> UserID? {
        guard let held = connections[id], held.rooms.removeValue(forKey: room) != nil else { return nil }
        defer { held.rarities?.members[room] = nil }
        held.rarities?.shownRooms.remove(room)
        let partition = Partition(of: room)
        if !held.rooms.contains(where: { Partition(of: $0.key) == partition }) {
            partitions[partition.number].members.remove(held)
        }
        left(room, in: partition)
        return held.member(in: room)
    }

    /// Notes that a connection is in a room and shows nobody there; false where it is not held, or was there already.
    package func attend(_ room: RoomName, connection id: String) -> Bool {
        connections[id]?.withRarities().guestRooms.insert(room).inserted ?? false
    }

    /// Forgets that; false where it was not so.
    package func leaveAsGuest(_ room: RoomName, connection id: String) -> Bool {
        connections[id]?.rarities?.guestRooms.remove(room) != nil
    }

    /// Forgets a room without a roster; false where the connection is not in it.
    package func leaveQuietly(_ room: RoomName, connection id: String) -> Bool {
        connections[id]?.rarities?.quietRooms.remove(room) != nil
    }

    /// One connection less is in the room.
    private func left(_ room: RoomName, in partition: Partition) {
        partitions[partition.number].rooms[room]?.count -= 1
        if partitions[partition.number].rooms[room]?.count == 0 { partitions[partition.number].rooms[room] = nil }
    }
}

extension HeldConnections.Held {
    /// As its user's partition names it; nil for a guest.
    package var entry: HeldEntry? { user.map { .user($0, connection: id) } }

    package func entry(in room: RoomName) -> HeldEntry? {
        member(in: room).map { .member($0, connection: id, room: room) }
    }
}

extension HeldConnections.Held: Hashable {
    package static func == (left: HeldConnections.Held, right: HeldConnections.Held) -> Bool { left === right }

    package func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}
