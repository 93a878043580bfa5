import GatewayCore

/// Who listens where.
extension Hub {
    /// A request as it came, but for the name of a room that is here already: all who join it share one string.
    func sharing(_ request: ClientRequest) -> ClientRequest {
        guard case .join(let room, let since) = request.command, let known = rooms[room]?.name else { return request }
        return ClientRequest(id: request.id, command: .join(room: known, since: since))
    }

    /// Asks for a room's stream for one more listener, or anew for one that asked before.
    ///
    /// Until the answer, a connection that is a member or being caught up gets what it would have got without asking.
    func follow(_ room: RoomName, since: ClientPosition?, for connection: SocketHandler) {
        eventLoop.assertInEventLoop()
        let hubRoom = rooms[room] ?? open(room)
        let listener = Listener(connection: connection, room: hubRoom, since: since)
        if let before = hubRoom.await(listener) { end(before) }
        let portion = connection.dialect == nil ? firstPortion(for: connection) : Hub.lastMessage
        ask(listener, since == nil ? .none : portion)
    }

    func ask(_ listener: Listener, _ portion: Portion) {
        let ticket = tickets.next(for: listener)
        let since = listener.asks(portion, ticket: ticket)
        streams.follow(listener.room.name, since: since, portion: portion, ticket: ticket, hub: number)
    }

    /// Forgets a listener, live or pending; the last one takes the room along.
    func leave(_ room: RoomName, _ connection: SocketHandler) {
        eventLoop.assertInEventLoop()
        guard let hubRoom = rooms[room] else { return }
        for listener in hubRoom.stopAwaiting(connection.number) { end(listener) }
        hubRoom.remove(connection.number)
        closeIfEmpty(hubRoom)
        // What was held for it may be asked for by another.
        pump(connection)
    }

    /// Nothing more is asked for a listener, or sent to it.
    func end(_ listener: Listener) {
        if let ticket = listener.ends() { _ = tickets.take(ticket) }
    }

    private func open(_ room: RoomName) -> HubRoom {
        let hubRoom = HubRoom(name: room)
        insert(hubRoom)
        census.roomOpened(room)
        return hubRoom
    }

    func closeIfEmpty(_ hubRoom: HubRoom) {
        guard hubRoom.isEmpty, rooms[hubRoom.name] === hubRoom else { return }
        remove(hubRoom)
        streams.unfollow(hubRoom.name, hub: number)
        census.roomClosed(hubRoom.name)
    }

    /// Where the members of a room stand; what was held back is sent first, so that it is true.
    func standing(of room: RoomName) -> (position: Position, roster: RosterState?)? {
        guard let hubRoom = rooms[room], let position = hubRoom.position else { return nil }
        send(hubRoom)
        return (position, hubRoom.roster)
    }

    /// As its members know them; nil where it has none.
    func settings(of room: RoomName) -> RoomState? { rooms[room]?.outlook.settings }

    /// Where one connection stands that is a member, or being caught up: what it has been sent ends here.
    func standing(
        of room: RoomName, for connection: SocketHandler
    ) -> (position: Position, roster: RosterState?)? {
        guard let hubRoom = rooms[room] else { return nil }
        if let backlog = hubRoom.pending[connection.number]?.backlog { return (backlog.sent, hubRoom.roster) }
        tellBundle(of: hubRoom, to: connection)
        return standing(of: room)
    }
}
