import GatewayCore

/// What is asked, and how it is carried out.
extension RegistrationMachine {
    mutating func receive(_ request: Request) {
        switch request {
        case .connect(let connection, let session, let resumption, let ticket):
            guard held.connect(connection, session: session) else {
                return emit(.registered(ticket, .failure(.backend(.conflict))))
            }
            resumptions[connection.id] = resumption
            perform(.connect(connection.id, ticket))
        case .connectGuest(let id):
            held.connect(guest: id)
        case .disconnect(let id, let departure):
            depart(id, departure)
        case .join(let room, let id, let member, let info, let ticket):
            let isNew = held[id]?.rooms[room] == nil
            guard held.join(room, connection: id, as: member, info: info) else {
                return emit(.joined(ticket, .failure(RegistrationMachine.gone)))
            }
            let joining = Joining(
                room: room, connection: id, isNew: isNew, purpose: .asked(ticket), isVisitor: member != nil)
            begin(joining)
        case .joinQuietly(let room, let id):
            held.joinQuietly(room, connection: id)
            perform(.remember(room, connection: id))
        case .attend(let room, let id): attend(room, connection: id)
        case .show(let info, let room, let id, let ticket):
            guard held.show(info, in: room, connection: id) else {
                return emit(.shown(ticket, RegistrationMachine.gone))
            }
            perform(.show(room, connection: id, ticket))
        case .setState(let state, let id, let ticket):
            guard held.setAway(state == .away, connection: id) else {
                return emit(.shown(ticket, RegistrationMachine.gone))
            }
            perform(.setState(state, connection: id, ticket))
        case .leave(let room, let id):
            if held.leaveQuietly(room, connection: id) { perform(.remember(room, connection: id)) }
            leaveAsGuest(room, connection: id, .farewell(.explicit))
            guard let user = held.leave(room, connection: id) else { return }
            perform(.leave(Place(room, user), connection: id, .farewell(.explicit)))
        case .signal(let signal, let id, let ticket):
            perform(.signal(signal, connection: id, ticket))
        }
    }

    mutating func perform(_ operation: Operation) {
        guard let partition = partition(of: operation) else { return endWithout(operation) }
        guard let holder = admitted(in: partition) else { return wait(operation) }
        switch operation {
        case .connect(let id, let ticket):
            connect(id, ticket, holder)
        case .join(let joining):
            let (id, room) = (joining.connection, joining.room)
            guard let connection = held[id], let info = connection.rooms[room], let user = connection.member(in: room)
            else { return answer(joining, .failure(RegistrationMachine.gone)) }
            entrances.asked(joining, incarnation: holder.incarnation)
            send(.join(joining, user, info: info, writer(holder, for: joining)))
        case .show(let room, let id, let ticket):
            guard let connection = held[id], let info = connection.rooms[room], let user = connection.member(in: room)
            else { return emit(.shown(ticket, RegistrationMachine.gone)) }
            send(.show(Place(room, user), connection: id, info: info, holder, ticket))
        case .setState(let state, let id, let ticket):
            guard let registrant = held[id]?.registrant else { return }
            send(.setState(state, registrant, holder, ticket))
        case .hide(let room, let user):
            send(.hide(Place(room, user), isHidden: held.isInvisible(user)))
        case .leave(let place, let id, let departure):
            // One that waited, and was overtaken by another join of the same connection, is void.
            guard held[id]?.rooms[place.room] == nil else { return }
            if held[id] != nil { perform(.remember(place.room, connection: id)) }
            send(.leave(place, connection: id, departure, holder))
        case .evict(let place, let id):
            send(.evict(place, connection: id, holder))
        case .remember(let room, let id):
            guard let connection = held[id], let session = connection.registrant?.session else { return }
            let info = connection.shownRooms.contains(room) ? connection.rooms[room] : nil
            send(.remember(room, isIn: connection.isIn(room), info: info, connection: id, session))
        case .disconnect(let departed, let departure):
            send(.disconnect(departed, departure, holder))
        case .restore(let left):
            send(.restore(left, holder))
        case .signal(let signal, let id, let ticket):
            send(.signal(signal, connection: id, ticket))
        }
    }

    mutating func begin(_ joining: Joining) {
        entrances.began(joining)
        perform(.join(joining))
    }

    private mutating func connect(_ id: String, _ ticket: Ticket, _ holder: Holder) {
        guard let registrant = held[id]?.registrant else {
            return refuse(id, ticket, .backend(RegistrationMachine.gone))
        }
        let partition = registrant.session.partition
        held.asked(id, incarnation: holder.incarnation)
        emit(.expectInbox(registrant.connection.userId))
        if let resumption = resumptions[id] {
            guard let session = seal.open(resumption.session) else {
                misses[id] = .forged
                return send(.connect(registrant, writer(holder, in: partition), ticket))
            }
            if session.partition == partition {
                return send(.resume(registrant, session, writer(holder, in: partition), ticket))
            }
            misses[id] = .otherUser
        }
        send(.connect(registrant, writer(holder, in: partition), ticket))
    }

    /// For a connection of a user of this partition.
    private func writer(_ holder: Holder, in partition: Partition) -> Writer {
        let isKnown = standing.isAnnounced(in: partition)
        return Writer(holder: holder, isKnown: isKnown, hasOthers: isKnown && held.hasRegistered(in: partition))
    }

    private func writer(_ holder: Holder, for joining: Joining) -> Writer {
        let isKnown = standing.isAnnounced(in: Partition(of: joining.room))
        // One whose place is taken may be the last that the room's keys live by.
        let hasOthers =
            switch joining.purpose {
            case .asked: held.hasEntered(joining.room)
            case .moved: false
            }
        let isHidden = held[joining.connection]?.member(in: joining.room).map(held.isInvisible) ?? false
        return Writer(holder: holder, isKnown: isKnown, hasOthers: isKnown && hasOthers, isHidden: isHidden)
    }

    /// Who may write, if nothing waits that this would overtake.
    private mutating func admitted(in partition: Partition) -> Holder? {
        guard waiting.isOpen(partition), let holder = standing.writer(now: now, lease: settings.lease) else {
            waiting.shut(partition)
            return nil
        }
        return holder
    }

    /// Of a connection that has gone nothing is written: it waits for nobody.
    mutating func endWithout(_ operation: Operation) {
        switch operation {
        case .connect(let id, let ticket): refuse(id, ticket, .backend(RegistrationMachine.gone))
        case .setState(_, _, let ticket?): emit(.shown(ticket, RegistrationMachine.gone))
        case .disconnect, .restore, .join, .show, .setState, .hide, .leave, .evict, .remember, .signal: break
        }
    }

    /// Where it is written; nil where it is not, since its connection has gone.
    func partition(of operation: Operation) -> Partition? {
        switch operation {
        case .connect(let id, _), .remember(_, let id), .setState(_, let id, _):
            held[id]?.registrant?.session.partition
        case .disconnect(let departed, _): departed.registrant.session.partition
        case .join(let joining): Partition(of: joining.room)
        case .restore(let left): Partition(of: left.place.room)
        case .show(let room, _, _), .hide(let room, _): Partition(of: room)
        case .leave(let place, _, _), .evict(let place, _): Partition(of: place.room)
        case .signal(let signal, _, _): Partition(of: signal.room)
        }
    }

    /// The rooms that a connection is in, or has asked for, are told to its session.
    mutating func rememberRooms(of id: String) {
        guard let connection = held[id] else { return }
        for room in connection.quietRooms { perform(.remember(room, connection: id)) }
        for room in connection.rooms.keys { perform(.remember(room, connection: id)) }
    }

    // MARK: Answers to whoever asked

    /// A connection that is not registered after all.
    mutating func refuse(_ id: String, _ ticket: Ticket, _ error: RegistrationError) {
        resumptions[id] = nil
        misses[id] = nil
        if let gone = held.disconnect(id), let user = gone.user {
            leftAsGuest(gone.guestRooms, .farewell(.closed))
            doubtful.insert(Partition(of: user.string))
            // It may have been in rooms before it was anybody's.
            for room in gone.rooms.keys {
                guard let member = gone.member(in: room) else { continue }
                perform(.leave(Place(room, member), connection: id, .farewell(.closed)))
            }
        }
        emit(.registered(ticket, .failure(error)))
    }

    mutating func answer(_ joining: Joining, _ result: Result<RosterState, BackendError>) {
        entrances.ended(joining)
        switch joining.purpose {
        case .asked(let ticket): emit(.joined(ticket, result))
        case .moved: entered(joining, result)
        }
    }
}
