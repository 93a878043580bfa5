import GatewayCore

/// The followers of streams, told by other scripts where those stand, so that they need not ask; called on the links'
/// loop.
protocol StreamHints: AnyObject, Sendable {
    /// A connection of this user is about to be registered with this node: what comes for the inbox from now on is kept
    /// until `inbox(of:standsAt:)`, which is called once for each time.
    func expectInbox(of user: UserID)

    /// Where the inbox stood when the connection was registered; nil where that did not come about or is not known.
    func inbox(of user: UserID, standsAt position: Position?)

    /// Where a room's stream and roster stood when a connection of this node joined it.
    func room(_ room: RoomName, standsAt position: Position, _ roster: RosterState)

    /// How many connections are in a room, for those of this node that have come and have not been told.
    func room(_ room: RoomName, has connections: Int)
}

extension Router: StreamHints {
    func expectInbox(of user: UserID) {
        loop.assertInEventLoop()
        let track = track(of: RoomName(inboxOf: user))
        track.machine.registrationBegan(conditions(of: track))
    }

    func inbox(of user: UserID, standsAt position: Position?) {
        loop.assertInEventLoop()
        guard let track = tracks[RoomName(inboxOf: user)] else { return }
        perform(track.machine.registrationEnded(at: position, conditions(of: track)), track)
    }

    func room(_ room: RoomName, standsAt position: Position, _ roster: RosterState) {
        loop.assertInEventLoop()
        guard let track = tracks[room] else { return }
        perform(track.machine.joined(at: position, roster, conditions(of: track)), track)
    }

    func room(_ room: RoomName, has connections: Int) {
        loop.assertInEventLoop()
        guard let track = tracks[room] else { return }
        outboxes.add(.countedForNewcomers(room, connections: connections), of: track)
    }
}
