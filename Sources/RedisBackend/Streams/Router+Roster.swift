import GatewayCore

/// How members' comings and goings reach the hubs: each version once and in order, and a version that was lost as a change without events.
extension Router {
    func take(_ change: RosterChange, _ track: Track) {
        if let errand = track.errand, errand.isCatchingUp { return errand.hold(.roster(change)) }
        guard let known = track.roster else {
            // Nobody is live before the first answer, which may be older than this.
            track.roster = change.state
            return
        }
        guard track.cursor.position != nil else {
            if change.version > known.version { track.roster = change.state }
            return
        }
        guard change.version > known.version else { return }
        var change = change
        let steps = Int(change.version - known.version)
        // Steps that were told already go, and with a step missing in front the others would mislead.
        change.events = steps <= change.events.count ? Array(change.events.suffix(steps)) : []
        tell(change, track)
    }

    /// After a break: what the log's answer knows and the channel has not brought.
    func compareRoster(_ track: Track, _ answer: PositionAnswer) {
        guard let errand = track.errand, errand.comparesRoster else { return }
        errand.comparesRoster = false
        guard let state = answer.roster, let known = track.roster, state.version > known.version else {
            return
        }
        tell(RosterChange(state, of: track.room), track)
    }

    private func tell(_ change: RosterChange, _ track: Track) {
        track.roster = change.state
        if !track.hubs.isEmpty {
            outboxes.add(.presence(change), of: track)
            scheduleFlush()
        }
        settleParked(track)
    }
}

extension RosterChange {
    /// A step that came over the room's channel.
    init(_ message: PresenceMessage, of room: RoomName) {
        let events = message.events.map { event in
            switch event.change {
            case .join(let info):
                RosterEvent(kind: .join, userId: event.userId, info: info, connection: event.connection)
            case .leave:
                RosterEvent(kind: .leave, userId: event.userId, info: nil, connection: event.connection)
            }
        }
        self.init(
            room: room, events: events, members: message.members, version: message.version,
            timestamp: message.timestamp)
    }

    /// The roster has changed unseen.
    init(_ state: RosterState, of room: RoomName) {
        self.init(
            room: room, events: [], members: state.members, version: state.version,
            timestamp: state.timestamp)
    }

    /// The roster after the last event.
    var state: RosterState { RosterState(members: members, version: version, timestamp: timestamp) }
}
