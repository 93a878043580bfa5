import GatewayCore
import RedisClient

/// Asking Redis what the registration machine wants asked.
extension Store {
    typealias Answered = @Sendable (Result<RegistrationMachine.Answer, RegistrationMachine.CallFailure>) -> Void

    func ask(_ call: RegistrationMachine.Call, _ settings: PresenceSettings, reply: @escaping Answered) {
        switch call {
        case .connect(let registrant, let writer, _):
            let registering = Registering(registrant, by: writer, settings: settings)
            ask(Connect(registering, mode: .new), reply) { .connect($0) }
        case .resume(let registrant, let session, let writer, _):
            let next = HeldConnections.Registrant(registrant.connection, session)
            ask(ResumeSession(Registering(next, by: writer, settings: settings)), reply) { .resume($0) }
        case .connectAgain(let registrant, let earlier, let holder, _):
            let registering = Registering(
                registrant.connection, session: registrant.session, holder: holder, settings: settings)
            ask(Connect(registering, mode: .again(earlier)), reply) { .connect($0) }
        case .join(let joining, let user, let info, let writer):
            let mode: Join.Mode =
                switch joining.purpose {
                case .asked: .new
                case .moved(let connection): .replacing(connection)
                }
            let join = Join(
                joining.room, connection: joining.connection, of: user, info: info, holder: writer.holder,
                isKnown: writer.isKnown, hasOthers: writer.hasOthers, isHidden: writer.isHidden, mode: mode,
                most: joining.isVisitor ? settings.maxVisitorMembers : 0, settings: settings)
            ask(join, reply) { .join($0) }
        case .joinAgain(let place, let id, let info, let isHidden, let settled, let holder, _):
            let join = Join(
                place.room, connection: id, of: place.user, info: info, holder: holder, isHidden: isHidden,
                mode: .again(settled: settled), settings: settings)
            ask(join, reply) { .join($0) }
        case .disconnect(let departed, let departure, let holder):
            let disconnect = Disconnect(
                departed.registrant.connection, session: departed.registrant.session, holder: holder,
                departure: departure, known: departed.known, settings: settings)
            ask(disconnect, reply) { .disconnect($0) }
        case .restore(let left, let holder):
            let join = Join(
                left.place.room, connection: left.connection, of: left.place.user, info: left.shown.info,
                holder: holder,
                isHidden: left.isHidden, mode: .again(settled: left.settled), settings: settings)
            ask(join, reply) { .join($0) }
        case .leave(let place, let id, let departure, let holder):
            leave(place, id, .node(holder), departure, settings, reply)
        case .evict(let place, let id, let holder):
            leave(place, id, .anybody(caller: holder), .farewell(.explicit), settings, reply)
        case .setState(let state, let registrant, let holder, _):
            ask(SetState(state, registrant.connection, holder: holder, settings: settings), reply) { .state($0) }
        case .hide(let place, let isHidden):
            ask(Hide(place.user, in: place.room, isHidden: isHidden, settings: settings), reply) { _ in .done }
        case .show(let place, let id, let info, let holder, _):
            ask(Show(info, of: place.user, in: place.room, connection: id, holder: holder), reply) { .show($0) }
        case .remember(let room, let isIn, let info, let id, let session):
            ask(Remember(room, isIn: isIn, info: info ?? [], connection: id, session: session), reply) { _ in .done }
        case .signal(let signal, let id, _):
            ask(PassSignal(signal, connection: id), reply) { .signal($0) }
        case .guests(let report, let writer, _):
            let script = CountGuests(report, holder: writer.holder, isKnown: writer.isKnown, settings: settings)
            ask(script, reply) { .guests($0) }
        case .renounce(let partition, let holder):
            ask(Renounce(partition, holder: holder, settings: settings), reply) { _ in .done }
        case .readHeld(let partition, let holder):
            ask(.entries(of: keys.held(by: holder, in: partition)), reply) { .held($0) }
        case .compare(let entries, let partition, let holder):
            ask(Compare(Array(entries.prefix(Compare.most)), in: partition, holder: holder), reply) { .compared($0) }
        case .end(let entry, let holder): end(entry, holder, settings, reply)
        case .readMarks(let partition):
            ask(.marks(in: keys.marks(partition)), reply) { .marks($0) }
        }
    }

    private func ask<Asked: Script>(
        _ script: Asked, _ reply: @escaping Answered,
        as answer: @escaping @Sendable (Asked.Answer) -> RegistrationMachine.Answer
    ) {
        call(script) { result in reply(result.map(answer).mapError(RegistrationMachine.CallFailure.init)) }
    }

    private func ask<Found>(
        _ command: KeyCommand<Found>, _ reply: @escaping Answered,
        as answer: @escaping @Sendable (Found) -> RegistrationMachine.Answer
    ) {
        send(command) { result in reply(result.map(answer).mapError(RegistrationMachine.CallFailure.init)) }
    }

    private func leave(
        _ place: RegistrationMachine.Place, _ id: String, _ holder: Leave.From, _ departure: Departure,
        _ settings: PresenceSettings, _ reply: @escaping Answered
    ) {
        let leave = Leave(
            place.room, connection: id, of: place.user, holder: holder, departure: departure, settings: settings)
        ask(leave, reply) { _ in .done }
    }

    /// How it ended was not told: it is given the grace.
    private func end(
        _ entry: HeldEntry, _ holder: Holder, _ settings: PresenceSettings, _ reply: @escaping Answered
    ) {
        switch entry {
        case .user(let user, let id):
            let disconnect = Disconnect(
                PresenceConnection(id: id, userId: user, address: ""), session: SessionID(of: user), holder: holder,
                departure: .abrupt(.lost), settings: settings)
            ask(disconnect, reply) { _ in .done }
        case .member(let user, let id, let room):
            leave(RegistrationMachine.Place(room, user), id, .node(holder), .abrupt(.lost), settings, reply)
        case .guests(let room):
            let report = GuestCounts.Report(room, count: 0, departure: .abrupt(.lost))
            ask(CountGuests(report, holder: holder, settings: settings), reply) { .guests($0) }
        // No node holds it.
        case .count: reply(.success(.done))
        }
    }

    /// What the node holds in a partition, and what the partition shares: that must not expire where its coordinator
    /// cannot renew it.
    package func renew(_ renewal: RegistrationMachine.Renewal, _ settings: PresenceSettings) {
        var lives: [(key: Key, life: Duration)] = []
        lives.reserveCapacity(5 + renewal.users.count + renewal.sessions.count + 3 * renewal.rooms.count)
        lives.append((keys.held(by: renewal.holder, in: renewal.partition), settings.listLife))
        lives.append(contentsOf: shared(in: renewal.partition, settings))
        // Connections of one user share a key.
        for user in renewal.users { lives.append((keys.connections(of: user), settings.life)) }
        for session in renewal.sessions { lives.append((keys.session(session), settings.sessionLife)) }
        for room in renewal.rooms {
            lives.append((keys.members(room), settings.life))
            lives.append((keys.connections(in: room), settings.life))
            lives.append((keys.head(room), LogLimits.emptyHeadLife))
        }
        touch(lives)
    }

    /// What no single node holds.
    func shared(in partition: Partition, _ settings: PresenceSettings) -> [(key: Key, life: Duration)] {
        [
            (keys.online(partition), settings.life), (keys.rooms(partition), settings.life),
            (keys.states(partition), settings.life),
            (keys.holders(partition), settings.listLife), (keys.linger(partition), settings.listLife),
        ]
    }
}

extension RegistrationMachine.CallFailure {
    init(_ error: CallError) {
        self =
            switch error {
            case .failed: .failed(BackendError(error))
            case .unreadable: .unreadable(BackendError(error))
            }
    }
}

extension Registering {
    fileprivate init(
        _ registrant: HeldConnections.Registrant, by writer: RegistrationMachine.Writer, settings: PresenceSettings
    ) {
        self.init(
            registrant.connection, session: registrant.session, holder: writer.holder, isKnown: writer.isKnown,
            hasOthers: writer.hasOthers, settings: settings)
    }
}
