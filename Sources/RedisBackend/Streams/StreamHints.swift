import GatewayCore
import NIOCore

/// Who follows streams, told by other scripts where they stand, so that it need not ask; called on the links' loop.
protocol StreamHints: AnyObject, Sendable {
    /// A connection of this user is about to be registered with this node: what comes for the inbox from now on is kept
    /// until `inbox(of:standsAt:)`, which is called once for each time.
    func expectInbox(of user: UserID)

    /// Where the inbox stood when the connection was registered; nil where that did not come about or is not known.
    func inbox(of user: UserID, standsAt position: Position?)

    /// Where a room's stream and roster stood when a connection of this node joined it.
    func room(_ room: RoomName, standsAt position: Position, _ roster: RosterState)
}

extension Router: StreamHints {
    func expectInbox(of user: UserID) {
        loop.assertInEventLoop()
        let errand = track(of: RoomName(inboxOf: user)).busy
        if errand.expected == 0 { errand.breaksAtExpecting = isConnected ? breaks : nil }
        errand.expected += 1
        errand.idleSince = nil
    }

    func inbox(of user: UserID, standsAt position: Position?) {
        loop.assertInEventLoop()
        guard let track = tracks[RoomName(inboxOf: user)], let errand = track.errand else { return }
        errand.expected -= 1
        if let seen = track.cursor.position {
            // What came while the user had no connection here went to other nodes.
            if seen.epoch != position?.epoch || seen.seq < position?.seq ?? .max { errand.needsCatchUp = true }
        } else if let position, !errand.isAsking, errand.breaksAtExpecting == breaks {
            track.cursor.begin(at: position)
            releaseHeld(track)
        }
        advance(track)
        look(at: track)
        rest(track)
    }

    func room(_ room: RoomName, standsAt position: Position, _ roster: RosterState) {
        loop.assertInEventLoop()
        // A room that is followed already goes on without a hole, so a listener may enter where the script has seen it.
        guard let track = tracks[room], track.cursor.position?.epoch == position.epoch else { return }
        track.busy.known = (PositionAnswer(head: position, roster: roster), .now() + configuration.followTimeout)
        look(at: track)
    }

    /// Takes those live who want nothing of the past, by what is known of the stream without a question.
    ///
    /// Of a room with a roster that is what the last join has found, so that each listener's position is no older than
    /// its own join. An inbox is known by its registration, everyone's room and those without a roster by their channel.
    func serveByWhatIsKnown(_ track: Track) {
        guard let seen = track.cursor.position, let errand = track.errand else { return }
        let known: PositionAnswer
        if rules.presence(of: track.room) == .full {
            guard let found = errand.known?.answer, found.head.epoch == seen.epoch else { return }
            known = found
        } else {
            known = PositionAnswer(head: seen, roster: nil)
        }
        let served = errand.waiters.filter { $0.since == nil }
        guard !served.isEmpty else { return }
        errand.waiters.removeAll { $0.since == nil }
        let now = NIODeadline.now()
        for waiter in served { goLive(waiter, known, since: now, track) }
    }
}
