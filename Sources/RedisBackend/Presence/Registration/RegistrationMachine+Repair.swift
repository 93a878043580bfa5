import GatewayCore

/// Registering again what Redis lost or fenced.
extension RegistrationMachine {
    /// Goes on with the partitions in which not all is registered under the present incarnation, as far as the bound for
    /// calls under way allows; each answer calls it again.
    mutating func registerAgain(_ holder: Holder) {
        while underWay < RegistrationMachine.batch, let (partition, stage) = again.next() {
            let before = underWay
            var hasFailed = false
            let entries: [HeldEntry] =
                switch stage {
                case .connections: held.users(in: partition).compactMap(\.entry)
                case .rooms: held.members(in: partition) + (writesGuests ? guests.entries(in: partition) : [])
                }
            for entry in entries where !register(entry, holder, .all(partition)) { hasFailed = true }
            conclude(partition, again.began(partition, stage, answers: underWay - before, hasFailed: hasFailed), holder)
        }
    }

    /// Asks to register one entry as one that was registered before; false where that cannot be asked now. One that went
    /// meanwhile needs no asking.
    ///
    /// Nor does one that Redis is still to be asked for: its own call knows the limits and the session that it goes on
    /// with. Where it was asked under an older incarnation, the answer is waited for: what that took in goes with it. Its
    /// rooms wait too: one may have been joined under the older incarnation, where that was fenced for the user alone. The
    /// same holds for a single room, whose own call knows who is kept out of it.
    private mutating func register(_ entry: HeldEntry, _ holder: Holder, _ reason: Reason) -> Bool {
        guard let id = entry.connection else { return registerGuests(entry, holder, reason) }
        guard let connection = held[id] else { return true }
        var earlier: Connect.Earlier?
        switch connection.standing {
        case .closing: return true
        case .waiting: if connection.registrant != nil { return true }
        case .asked(let incarnation):
            guard incarnation == holder.incarnation, case .user = entry else { return false }
            return true
        case .registered(let since, let disconnection, let moves):
            earlier = Connect.Earlier(since: since, disconnection: disconnection, moves: moves, rooms: [])
        }
        switch entry {
        case .user:
            guard let registrant = connection.registrant, var earlier else { return true }
            earlier.rooms = connection.allRooms
            earlier.isInvisible = held.isInvisible(registrant.connection.userId)
            send(.connectAgain(registrant, earlier, holder, reason))
        case .member(let user, let id, let room):
            guard let info = connection.rooms[room] else { return true }
            switch entrances.progress(of: id, in: room) {
            case .none: break
            case .waiting: return true
            case .asked(let incarnation): return incarnation >= holder.incarnation
            }
            // Of a single one that is lacking it is not known what others were told of it.
            var settled: Int64?
            if case .all = reason { settled = standing.settled(in: entry.partition) }
            send(
                .joinAgain(
                    Place(room, user), connection: id, info: info, isHidden: held.isInvisible(user), settled: settled,
                    holder, reason))
        case .guests, .count: break
        }
        return true
    }

    private mutating func registerGuests(_ entry: HeldEntry, _ holder: Holder, _ reason: Reason) -> Bool {
        guard case .guests(let room) = entry else { return true }
        let count = guests.count(in: room)
        guard count > 0 else { return true }
        let report = GuestCounts.Report(room, count: count, isRestored: true)
        send(.guests(report, Writer(holder: holder, isKnown: false), reason))
        return true
    }

    /// Something was registered again, or not.
    mutating func registeredAgain(_ entry: HeldEntry, _ holder: Holder, _ reason: Reason?, isRegistered: Bool) {
        switch reason {
        case nil: break
        case .lacking:
            guard isRegistered else { return doubtful.insert(entry.partition) }
            // The session may lack what the room did.
            if case .member(_, let id, let room) = entry { perform(.remember(room, connection: id)) }
        case .all(let partition):
            guard standing.holder == holder else { return }
            conclude(partition, again.answered(partition, isRegistered: isRegistered), holder)
            goOnRegistering(holder)
        }
    }

    private mutating func goOnRegistering(_ holder: Holder) {
        if standing.writer(now: now, lease: settings.lease) == holder { registerAgain(holder) }
    }

    private func canWrite(_ holder: Holder) -> Bool {
        standing.writer(now: now, lease: settings.lease) == holder
    }

    private mutating func conclude(_ partition: Partition, _ outcome: Reregistration.Outcome, _ holder: Holder) {
        switch outcome {
        case .open, .connectionsEnded, .roomsFailed: break
        // With everything in place the older incarnations may be swept.
        case .complete:
            standing.settled(holder, in: partition)
            send(.renounce(partition, holder))
            tellGuests(in: PartitionSet([partition]))
        }
    }

    mutating func renounced(_ partition: Partition, _ holder: Holder, _ answer: Result<Answer, CallFailure>) {
        guard standing.holder == holder else { return }
        if case .failure = answer { again.notRenounced(partition) }
        goOnRegistering(holder)
    }

    /// Whether the connection is through: registered, or being closed.
    mutating func connectedAgain(
        _ registrant: HeldConnections.Registrant, _ holder: Holder, _ answer: Result<Answer, CallFailure>
    ) -> Bool {
        guard case .success(.connect(let outcome)) = answer else { return false }
        let id = registrant.connection.id
        switch outcome {
        case .registered(let registered):
            held.registered(id, registered)
            emit(.registeredAgain(registrant.connection.userId))
            setInvisible(registered.isInvisible, registrant.connection.userId)
            if held[id]?.isAway == true { perform(.setState(.away, connection: id, nil)) }
            if !registered.marked.isEmpty { emit(.tellMarked(registered.marked)) }
        case .replaced: end(id, .replaced, "the session goes on elsewhere")
        case .banned, .ended: end(id, .forbidden, CloseReason.forbidden.text)
        case .void: end(id, .unauthorized, "the token is void")
        case .fenced(let fence):
            fenced(holder, at: fence)
            return false
        case .full: return false
        }
        return true
    }

    mutating func joinedAgain(
        _ room: RoomName, _ id: String, _ holder: Holder, _ answer: Result<Answer, CallFailure>
    ) -> Bool {
        guard case .success(.join(let outcome)) = answer else { return false }
        switch outcome {
        case .joined: return true
        case .fenced(let fence):
            fenced(holder, at: fence)
            return false
        // Others than who comes anew are where they were put out, and the node has not heard of it.
        case .barred:
            putOut(of: room, id, RoomChange(room: room, event: .removed, state: .absent))
            return true
        }
    }

    /// Redis remembers nobody who was thrown out so long ago: whoever was may be here yet.
    mutating func endForgotten(after silence: Duration) {
        guard silence >= settings.disconnectionLife else { return }
        for partition in Partition.all {
            for connection in held.users(in: partition) where connection.isRegistered {
                end(connection.id, .goingAway, CloseReason.goingAway.text)
            }
        }
    }

    /// Has a socket closed whose connection is registered no more.
    private mutating func end(_ id: String, _ reason: CloseReason, _ text: String) {
        held.closing(id)
        emit(.close(id, reason, text: text))
    }

    // MARK: Comparison

    /// How many connections and places were found to differ since this was asked last.
    package mutating func takeRepairs() -> Int {
        defer { repairs = 0 }
        return repairs
    }

    /// Reads the node's set in a partition, and mends what differs.
    mutating func compare(_ partition: Partition, _ holder: Holder) {
        doubtful.remove(partition)
        send(.readHeld(partition, holder))
    }

    mutating func readHeld(_ partition: Partition, _ holder: Holder, _ answer: Result<Answer, CallFailure>) {
        guard standing.holder == holder else { return }
        guard case .success(.held(let found)) = answer, canWrite(holder) else {
            return doubtful.insert(partition)
        }
        let known = Set(found)
        let held = entries(in: partition)
        let missing = held.subtracting(known).filter { isComparable($0) }
        let stale = known.subtracting(held).filter { isComparable($0) }
        repairs += missing.count + stale.count
        for entry in missing { registerLacking(entry, holder) }
        // The set may name what the other keys have lost.
        let named = known.subtracting(stale).compactMap { compared($0) }
        compare(named[...], partition, holder)
        // How it ended was not told: it is given the grace.
        for entry in stale { send(.end(entry, holder)) }
    }

    /// An entry as it is compared; nil where Redis is not known to have it.
    private func compared(_ entry: HeldEntry) -> Compare.Entry? {
        if case .guests(let room) = entry {
            return isComparable(entry) ? .guests(room, count: guests.count(in: room)) : nil
        }
        guard let connection = entry.connection.flatMap({ held[$0] }), connection.isRegistered else { return nil }
        switch entry {
        case .guests, .count: return nil
        case .user(let user, let id):
            return connection.registrant.map { .user(user, connection: id, session: $0.session) }
        case .member(let user, let id, let room):
            return .member(user, connection: id, room: room)
        }
    }

    /// One call after the other: a room of tens of thousands would else be held in memory as commands.
    private mutating func compare(_ entries: ArraySlice<Compare.Entry>, _ partition: Partition, _ holder: Holder) {
        if !entries.isEmpty { send(.compare(entries, partition, holder)) }
    }

    mutating func compared(
        _ entries: ArraySlice<Compare.Entry>, _ partition: Partition, _ holder: Holder,
        _ answer: Result<Answer, CallFailure>
    ) {
        // The next round looks again.
        guard case .success(.compared(let found)) = answer, canWrite(holder) else { return }
        let asked = entries.prefix(Compare.most)
        mendVisibility(Array(asked), hidden: Set(found.hidden))
        for place in found.lacking where asked.indices.contains(asked.startIndex + place) {
            let lacking = asked[asked.startIndex + place]
            guard isStillSo(lacking) else { continue }
            repairs += 1
            registerLacking(lacking.entry, holder)
        }
        compare(entries.dropFirst(asked.count), partition, holder)
    }

    /// Whether what was compared is what the node has: how many guests a room has may have changed, and is told by itself.
    private func isStillSo(_ compared: Compare.Entry) -> Bool {
        guard case .guests(let room, let count) = compared else { return true }
        return guests.isSettled(room) && guests.count(in: room) == count
    }

    /// What was said of users who are invisible, or no longer, may not have come.
    private mutating func mendVisibility(_ asked: [Compare.Entry], hidden: Set<Int>) {
        for (place, entry) in asked.enumerated() {
            let isHidden = hidden.contains(place)
            switch entry {
            case .user(let user, _, _): setInvisible(isHidden, user)
            case .member(let user, _, let room):
                if isHidden != held.isInvisible(user) { perform(.hide(room, user)) }
            case .guests: break
            }
        }
    }

    private mutating func registerLacking(_ entry: HeldEntry, _ holder: Holder) {
        if !register(entry, holder, .lacking) { doubtful.insert(entry.partition) }
    }

    // MARK: Marks

    /// Reads the node's marks in these partitions.
    mutating func readMarks(_ partitions: PartitionSet = .all) {
        for partition in partitions { send(.readMarks(partition)) }
    }

    /// A mark is kept until its connection has gone.
    mutating func readMarks(_ partition: Partition, _ answer: Result<Answer, CallFailure>) {
        // The next beat asks again.
        guard case .success(.marks(let found)) = answer else { return marks.unread() }
        for mark in found where mark.node == nodeId {
            // Of a room: somebody was put out of it.
            if mark.connection.hasPrefix("|") {
                doubtful.insert(partition)
                emit(.eraseMark(mark.connection, partition))
                continue
            }
            guard held[mark.connection] != nil else {
                emit(.eraseMark(mark.connection, partition))
                continue
            }
            marks.add(mark.connection)
            emit(.close(mark.connection, mark.reason, text: mark.text))
        }
    }
}
