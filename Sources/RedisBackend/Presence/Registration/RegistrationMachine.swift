import GatewayCore

/// The rules by which Redis's registry follows the connections of this node.
///
/// What the node holds is entered into a table before anything is asked of Redis, and the table is the truth: whatever
/// Redis lost, fenced or never got is registered again from it. While the node has no place in the index, or its last beat
/// is older than a lease, nothing is asked: operations wait, and are carried out in order.
///
/// Each input answers with what is to be done, in this order. It knows no link and no clock.
package struct RegistrationMachine: ~Copyable {
    /// Calls under way at most when much is registered again.
    static let batch = 500
    package static let gone = BackendError.unavailable(reason: "the connection has closed")

    let nodeId: String
    let settings: PresenceSettings
    let rules: RoomRules
    /// Signs and opens the names of sessions, by a key that others find out.
    let seal: SessionSeal
    package let held = HeldConnections()
    var guests = GuestCounts()
    /// Whether all nodes read what is written of guests: until then it waits.
    var writesGuests = true
    var standing: NodeStanding
    var waiting = WaitingOperations()
    var again = Reregistration()
    var entrances = Entrances()
    var moves = RoomMoves()
    var marks = CloseMarks()
    /// What connections that are not registered yet say of an earlier session.
    var resumptions: [String: SessionResumption] = [:]
    /// Why those that are being registered do not go on with a session; none where they did not ask to.
    var misses: [String: SessionMiss] = [:]
    /// Partitions in which what the node holds may differ from what Redis has of it.
    var doubtful = PartitionSet.none
    /// Connections and places that a comparison found to differ, and that nobody has counted yet.
    var repairs = 0
    /// Calls without an answer.
    package internal(set) var underWay = 0
    /// Turns of `ticked`.
    private var turn = 0
    /// The time of the present input.
    private(set) var now = MonotonicTime(nanoseconds: 0)
    private var actions: [Action] = []

    /// - Parameter goesByFences: whether the node writes though no beat was answered for a lease, as in a Cluster.
    package init(
        nodeId: String, settings: PresenceSettings, rules: RoomRules, seal: SessionSeal, goesByFences: Bool = false
    ) {
        standing = NodeStanding(goesByFences: goesByFences)
        self.nodeId = nodeId
        self.settings = settings
        self.rules = rules
        self.seal = seal
    }

    // MARK: Inputs

    /// Somebody asks something for a connection of this node.
    package mutating func asked(_ request: Request, now: MonotonicTime) -> [Action] {
        self.now = now
        receive(request)
        return taken()
    }

    /// Redis answered a call, or could not.
    package mutating func answered(
        _ call: Call, _ answer: Result<Answer, CallFailure>, now: MonotonicTime
    ) -> [Action] {
        self.now = now
        underWay -= 1
        receive(answer, to: call)
        return taken()
    }

    /// The node has this incarnation, by a beat that went out at `sent`: all that is held is registered under it.
    package mutating func registered(_ incarnation: Int64, sent: MonotonicTime, now: MonotonicTime) -> [Action] {
        self.now = now
        let holder = Holder(node: nodeId, incarnation: incarnation)
        endForgotten(after: standing.registered(holder, sent: sent, now: now))
        again = Reregistration()
        marks.unread()
        goOn()
        return taken()
    }

    /// A beat that went out at `sent` was answered: the node stands in the index, and so many marks were set for it.
    package mutating func beaten(sent: MonotonicTime, marks count: Int64, now: MonotonicTime) -> [Action] {
        self.now = now
        guard let holder = standing.holder else { return [] }
        // What nobody renewed for so long, since the node did not beat or was not told, may have expired: all of it is
        // registered again, under a new incarnation.
        let silence = standing.beaten(sent: sent, now: now)
        endForgotten(after: silence)
        guard silence < min(settings.life, settings.sessionLife) / 2 else {
            fenced(holder, at: holder.incarnation)
            return taken()
        }
        goOn()
        if marks.isNews(count) { readMarks() }
        return taken()
    }

    /// Redis's clock has stepped, and Redis may have forgotten what was to live on, such as sessions: all is compared as soon
    /// as the node may write.
    package mutating func clockStepped() { doubtful = .all }

    /// The node is not in the index any more: nothing is asked until it is again.
    package mutating func lost() { standing.lost() }

    /// The link to the server of these partitions stands.
    package mutating func linked(_ partitions: PartitionSet = .all, now: MonotonicTime) -> [Action] {
        self.now = now
        standing.linked(partitions)
        goOn()
        return taken()
    }

    /// It broke: Redis may come back without what it held.
    package mutating func linkLost(_ partitions: PartitionSet = .all) { standing.linkLost(partitions) }

    /// What was said over the node's channels for a while was lost.
    package mutating func channelsRenewed(_ partitions: PartitionSet = .all, now: MonotonicTime) -> [Action] {
        self.now = now
        readMarks(partitions)
        return taken()
    }

    /// It was decided in Redis that connections are out of a room.
    package mutating func putOut(_ putOut: PutOut, now: MonotonicTime) -> [Action] {
        self.now = now
        for entry in held.members(in: Partition(of: putOut.room)) {
            guard case .member(let user, let id, let room) = entry, room == putOut.room,
                putOut.user == nil || putOut.user == user
            else { continue }
            self.putOut(of: room, id, putOut.change)
        }
        return taken()
    }

    /// A user is invisible from now on, or no longer.
    package mutating func visibilityChanged(of user: UserID, isInvisible: Bool, now: MonotonicTime) -> [Action] {
        self.now = now
        setInvisible(isInvisible, user)
        return taken()
    }

    /// It is time to renew the next partition; they take turns, so that no burst reaches Redis. In longer turns one of
    /// them is compared as well.
    package mutating func ticked(now: MonotonicTime) -> [Action] {
        self.now = now
        let partition = Partition.all[turn % Partition.count]
        guard let writer = standing.writer(now: now, lease: settings.lease) else { return [] }
        turn += 1
        let turns = max(1, Int(settings.comparison / settings.renewal * Double(Partition.count)))
        if turn % turns == 0 { doubtful.insert(Partition.all[turn / turns % Partition.count]) }
        renew(partition, writer)
        tellGuests(in: PartitionSet([partition]))
        // Whoever marked a connection may have died before the count was raised.
        send(.readMarks(partition))
        // Where beats may stay away for long nothing else would try again what waits.
        if standing.goesByFences { goOn() }
        return taken()
    }

    /// The node ends: what waits is given up, and nothing waits any more.
    package mutating func stopped() -> [Action] {
        for operation in waiting.stop() { drop(operation, .unavailable(reason: "the node is shutting down")) }
        return taken()
    }

    // MARK: Outputs

    mutating func emit(_ action: Action) { actions.append(action) }

    mutating func send(_ call: Call) {
        underWay += 1
        actions.append(.send(call))
    }

    private mutating func taken() -> [Action] {
        defer { actions = [] }
        return actions
    }

    // MARK: What follows

    /// A connection is out of a room: what the node has of it there goes.
    mutating func putOut(of room: RoomName, _ id: String, _ change: RoomChange) {
        guard let user = held.leave(room, connection: id) else { return }
        emit(.putOut(id, change))
        perform(.leave(Place(room, user), connection: id, .farewell(.kicked)))
    }

    /// Carries out what waits, as soon as the node may write and a link can carry it; else the next beat tries again.
    private mutating func goOn() {
        guard let writer = standing.writer(now: now, lease: settings.lease), !standing.linked.isEmpty else { return }
        for operation in waiting.open(standing.linked) { perform(operation) }
        tellGuests(in: standing.linked)
        again.retry(standing.linked)
        registerAgain(writer)
        for partition in doubtful where standing.linked.contains(partition) { compare(partition, writer) }
    }

    /// A script found the writer fenced.
    mutating func fenced(_ writer: Holder, at fence: Int64) {
        guard standing.holder == writer else { return }
        standing.lost()
        emit(.takeNewIncarnation(in: writer.incarnation, above: fence))
    }

    mutating func wait(_ operation: Operation) {
        guard let partition = partition(of: operation) else { return endWithout(operation) }
        if let dropped = waiting.add(operation, in: partition) {
            drop(dropped, .unavailable(reason: "too many presence calls wait for Redis"))
        }
    }

    /// Gives an operation up; what Redis has of it meanwhile, the comparison takes away.
    private mutating func drop(_ operation: Operation, _ error: BackendError) {
        switch operation {
        case .connect(let id, let ticket): refuse(id, ticket, .backend(error))
        case .join(let joining):
            if joining.isNew, entrances.isLast(joining) { _ = held.leave(joining.room, connection: joining.connection) }
            doubtful.insert(Partition(of: joining.room))
            answer(joining, .failure(error))
        case .disconnect(let departed, _):
            doubtful.insert(Partition(of: departed.user.string))
            for place in departed.places { doubtful.insert(Partition(of: place.room)) }
        case .setState(_, _, let ticket):
            if let ticket { emit(.shown(ticket, error)) }
        case .hide(let room, _): doubtful.insert(Partition(of: room))
        case .show(let room, _, let ticket):
            doubtful.insert(Partition(of: room))
            emit(.shown(ticket, error))
        case .leave(let place, _, _): doubtful.insert(Partition(of: place.room))
        // Its own node, its grace or a sweep ends it.
        case .evict: break
        case .restore(let left): doubtful.insert(Partition(of: left.place.room))
        case .remember: break
        case .signal(_, _, let ticket): emit(.signalled(ticket, .backend(error)))
        }
    }

    private mutating func renew(_ partition: Partition, _ writer: Holder) {
        let users = held.users(in: partition).compactMap(\.registrant)
        let rooms = Array(Set(held.rooms(in: partition)).union(guests.rooms(in: partition)))
        guard !users.isEmpty || !rooms.isEmpty else { return }
        emit(
            .renew(
                Renewal(
                    partition: partition, holder: writer, users: Set(users.compactMap(\.connection.userId)),
                    sessions: users.map(\.session), rooms: rooms)))
    }
}
