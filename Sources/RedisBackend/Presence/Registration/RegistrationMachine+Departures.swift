import GatewayCore

/// Connections that go, and those that went while Redis was away and came back without them.
extension RegistrationMachine {
    /// A connection with a user that has gone.
    package struct Departed: Hashable, Sendable {
        package var registrant: HeldConnections.Registrant
        package var user: UserID { registrant.connection.userId }
        /// Where it showed somebody.
        package var places: [Place]
        /// Nil where Redis had not taken it in.
        package var known: Known?

        /// By which a Redis that has lost it can begin its grace.
        package struct Known: Hashable, Sendable {
            /// Since when it was there, in ms by Redis's clock.
            package var since: Int64
            /// Under which incarnation all of its partition was registered last.
            package var settled: Int64
            package var isInvisible: Bool
            /// What it showed in each room.
            package var shown: [Shown]

            package init(since: Int64, settled: Int64, isInvisible: Bool, shown: [Shown]) {
                self.since = since
                self.settled = settled
                self.isInvisible = isInvisible
                self.shown = shown
            }
        }
    }

    /// What was shown of a user in a room.
    package struct Shown: Hashable, Sendable {
        package var place: Place
        package var info: [UInt8]

        package init(_ place: Place, _ info: [UInt8]) {
            self.place = place
            self.info = info
        }
    }

    /// What a connection that has gone showed in a room, which Redis has lost.
    package struct Left: Hashable, Sendable {
        package var shown: Shown
        package var connection: String
        package var isHidden: Bool
        /// As `Departed.Known` has it.
        package var settled: Int64
        package var cause: PresenceCause
        package var place: Place { shown.place }

        package init(_ shown: Shown, connection: String, isHidden: Bool, settled: Int64, cause: PresenceCause) {
            self.shown = shown
            self.connection = connection
            self.isHidden = isHidden
            self.settled = settled
            self.cause = cause
        }
    }

    /// A farewell asks Redis first whether the session has gone on elsewhere: then the rooms keep their grace, so that
    /// the connection which took over finds its place there. A guest has no session.
    ///
    /// One that Redis was asked for and that nobody was told of yet never was live: what Redis takes in late goes without a
    /// grace, however it ended.
    mutating func depart(_ id: String, _ departure: Departure) {
        let isAnswered = !isAwaited(id)
        let isInvisible = held[id]?.user.map(held.isInvisible) ?? false
        guard let gone = held.disconnect(id) else { return }
        leftAsGuest(gone.guestRooms, departure)
        let places = gone.rooms.keys.compactMap { room in gone.member(in: room).map { Place(room, $0) } }
        guard let registrant = gone.registrant else {
            for place in places { perform(.leave(place, connection: id, departure)) }
            return
        }
        var departed = Departed(registrant: registrant, places: places)
        departed.known = known(gone, isInvisible: isInvisible)
        if marks.remove(id) { emit(.eraseMark(id, Partition(of: departed.user.string))) }
        guard case .abrupt(let cause) = departure else { return perform(.disconnect(departed, departure)) }
        for place in places { perform(.leave(place, connection: id, departure)) }
        if isAnswered { return perform(.disconnect(departed, departure)) }
        // It was in these rooms before it was anybody's, and has its grace there.
        departed.places = []
        perform(.disconnect(departed, .farewell(cause)))
    }

    /// Whether a connection is being registered as one that is new; one that goes on with a session has that one's grace.
    private func isAwaited(_ id: String) -> Bool {
        guard let connection = held[id], connection.registrant != nil else { return false }
        switch connection.standing {
        case .waiting, .asked: return resumptions[id] == nil || misses[id] != nil
        case .registered, .closing: return false
        }
    }

    /// What Redis should have of a connection that has gone, without the rooms that may yet keep it out; nil where it was
    /// not taken in.
    private func known(_ gone: HeldConnections.Held, isInvisible: Bool) -> Departed.Known? {
        guard case .registered(let since, _, _) = gone.standing, let session = gone.registrant?.session else {
            return nil
        }
        let shown = gone.rooms.compactMap { room, info in
            let isIn = entrances.progress(of: gone.id, in: room) == .none
            return isIn ? gone.member(in: room).map { Shown(Place(room, $0), info) } : nil
        }
        let settled = standing.settled(in: session.partition) ?? standing.holder?.incarnation ?? 0
        return Departed.Known(since: since, settled: settled, isInvisible: isInvisible, shown: shown)
    }

    /// Redis had lost the connection, and its grace has begun: so it is with its places.
    mutating func restore(_ departed: Departed, _ cause: PresenceCause) {
        guard let known = departed.known else { return }
        let id = departed.registrant.connection.id
        for shown in known.shown {
            let isHidden = known.isInvisible && shown.place.user == departed.user
            perform(.restore(Left(shown, connection: id, isHidden: isHidden, settled: known.settled, cause: cause)))
        }
    }

    mutating func restored(_ left: Left, _ holder: Holder, _ answer: Result<Answer, CallFailure>) {
        switch answer {
        case .success(.join(.joined)): perform(.leave(left.place, connection: left.connection, .abrupt(left.cause)))
        case .success(.join(.fenced(let fence))):
            wait(.restore(left))
            fenced(holder, at: fence)
        case .failure(.failed): wait(.restore(left))
        // The room's settings keep it out: nobody has it there.
        case .success, .failure(.unreadable): break
        }
    }
}
