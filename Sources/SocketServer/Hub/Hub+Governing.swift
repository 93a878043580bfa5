import GatewayCore

/// Rooms with settings, roles and a host: what clients are told of them, and may read by them.
extension Hub {
    /// A followed room's settings have changed; of a room that was closed everybody is out, those who are about to enter
    /// too.
    func receive(_ change: RoomChange) {
        guard let hubRoom = rooms[change.room] else { return }
        send(hubRoom)
        var entering = hubRoom.pending.connections.filter { !hubRoom.hasMember($0.number) }
        guard change.endsMembership else {
            if change.state.isGoverned {
                putOutGuests(of: hubRoom, entering: entering, change.state)
                entering.removeAll { $0.machine.isGuest }
            }
            // Who has not been told that it is in gets them with that.
            let told = hubRoom.members + entering.filter { $0.machine.isMember(of: change.room) }
            let before = hubRoom.outlook
            hubRoom.govern(by: change.state.isGoverned ? change.state : nil)
            let buffer = writer.frame(.room(change))
            for member in told { member.write(buffer) }
            if change.state.isGoverned { putOutUnfit(of: hubRoom, change.state) }
            return tellOwnPart(of: change, to: told, in: hubRoom, before: before)
        }
        hubRoom.govern(by: nil)
        for member in hubRoom.allMembers + entering { member.putOut(change) }
    }

    /// A room with settings holds no apps' clients whom they do not bind, being on no roster, nor such as would be told who
    /// is there though their role may not know it: their protocol has no word for being in a room without.
    private func putOutUnfit(of hubRoom: HubRoom, _ state: RoomState) {
        let change = RoomChange(room: hubRoom.name, event: .removed, state: state)
        for member in hubRoom.others?.members ?? [] {
            let isFit =
                member.machine.isShown(in: hubRoom.name)
                && hubRoom.outlook.showsPresence(to: member.machine.user(in: hubRoom.name))
            if !isFit { member.putOut(change) }
        }
    }

    /// A room with settings holds no guests, whom nothing in them would bind. They are not told what those settings are.
    private func putOutGuests(of hubRoom: HubRoom, entering: [SocketHandler], _ state: RoomState) {
        let version = RoomState(version: state.version, settings: Array("{}".utf8))
        let change = RoomChange(room: hubRoom.name, event: .removed, state: version)
        // One that is about to enter finds out by itself.
        let members = hubRoom.members + entering
        for guest in members where guest.machine.isGuest && guest.machine.isMember(of: hubRoom.name) {
            guest.putOut(change)
        }
    }

    /// What a change means for each of those who were told of it: another role that nobody has told it of, or that it may know
    /// the roster from here on.
    private func tellOwnPart(
        of change: RoomChange, to members: [SocketHandler], in hubRoom: HubRoom, before: RoomOutlook
    ) {
        let now = hubRoom.outlook
        // Of a role that changes by itself all were told.
        let mayHaveMissed = change.event == .updated || change.event == .restored
        let missesRoles = mayHaveMissed && before.settings?.roles ?? [:] != now.settings?.roles ?? [:]
        guard missesRoles || before.readingRoles != nil else { return }
        for member in members {
            guard let user = member.machine.identity?.userId else { continue }
            let role = now.role(of: user)
            if missesRoles, role != before.role(of: user) {
                let person = RoomPerson(user: user, change: .role(role))
                member.write(writer.frame(.room(RoomChange(room: hubRoom.name, person, state: change.state))))
            }
            if !before.showsPresence(to: user), let roster = hubRoom.roster, seesPresence(member, in: hubRoom) {
                member.write(writer.frame(.presence(RosterChange(unseen: roster, in: hubRoom.name))))
            }
        }
    }

    /// Has the user's connections of this loop join a room; the inbox knows which those are.
    func invite(_ user: UserID, to room: RoomName) {
        guard let inbox = rooms[RoomName(inboxOf: user)] else { return }
        for member in inbox.members { member.invited(to: room) }
    }

    // MARK: What roles may read

    /// As the room's members know it; nil where it is not governed, or nobody here is in it.
    func reading(of room: RoomName, by connection: SocketHandler) -> RoomReading? {
        rooms[room]?.outlook.reading(by: connection.machine.identity?.userId)
    }

    /// Whether a connection may be told who is in a room, by its token, the configuration's rule and its role.
    func seesPresence(_ connection: SocketHandler, in hubRoom: HubRoom) -> Bool {
        connection.machine.seesPresence(in: hubRoom.name)
            && hubRoom.outlook.showsPresence(to: connection.machine.identity?.userId)
    }

    /// Finds out whether a connection's role lets it read a page: by what is known where the room is followed, else by
    /// asking; `go` is called on the loop.
    ///
    /// - Parameter go: nil where it may.
    func judge(
        _ action: RoomAction, in room: RoomName, for connection: SocketHandler,
        _ go: @escaping @Sendable (BackendError?) -> Void
    ) {
        let isGuest = connection.machine.isGuest
        guard isGuest || connection.machine.identity != nil, !room.isInbox, !room.isEveryone else { return go(nil) }
        let user = connection.machine.identity?.userId
        // Where there are settings, a guest may read nothing.
        @Sendable func error(_ reading: RoomReading?) -> BackendError? {
            reading.map { isGuest || !$0.allows(action) } == true ? .barred(.role) : nil
        }
        if let hubRoom = rooms[room], hubRoom.position != nil { return go(error(hubRoom.outlook.reading(by: user))) }
        governor.reading(by: user ?? .nobody, in: room) { [eventLoop] result in
            let error: BackendError? =
                switch result {
                case .success(let reading): error(reading)
                case .failure(let error): error
                }
            eventLoop.execute { go(error) }
        }
    }
}
