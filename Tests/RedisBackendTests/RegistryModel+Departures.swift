import GatewayCore

import RedisBackend

/// How connections and places in rooms end.
extension RegistryModel {
    mutating func disconnect(
        _ id: String, _ user: UserID, _ session: SessionID?, _ departure: Departure, _ holder: Holder,
        known: Machine.Departed.Known? = nil
    ) -> Disconnect.Answer {
        let corner = Partition(of: user.string).number
        corners[corner].held[holder]?.remove(.user(user, connection: id))
        guard let record = connections[user]?[id] else {
            let named = session.flatMap { sessions[$0]?.connection }
            if let known, named == nil, isForgotten(known, holder, corner) {
                connections[user, default: [:]][id] = Record(holder: nil, since: known.since)
                corners[corner].lingering.insert(.user(user, connection: id))
                online.insert(user)
                return .forgotten
            }
            removeConnection(id, of: user)
            return named.map { $0 != id } ?? false ? .replaced : .notHeld
        }
        guard let theirs = record.holder, theirs.node == holder.node, theirs.incarnation <= holder.incarnation else {
            return .notHeld
        }
        if case .abrupt = departure {
            connections[user]?[id]?.holder = nil
            corners[corner].lingering.insert(.user(user, connection: id))
            return .gone
        }
        if let session, let held = sessions[session], held.connection == id {
            sessions[session] = held.before.map { _ in Session(user: UserID(unchecked: ""), connection: id) }
        }
        removeConnection(id, of: user)
        return .gone
    }

    /// But for when users were seen, which nobody keeps here.
    private func isForgotten(_ known: Machine.Departed.Known, _ holder: Holder, _ corner: Int) -> Bool {
        guard corners[corner].fences[holder.node] ?? 0 <= known.settled else { return false }
        return holder.incarnation != known.settled || !corners[corner].holders.contains(holder)
    }

    mutating func leave(
        _ room: RoomName, _ id: String, _ user: UserID, _ departure: Departure, _ caller: Holder
    ) {
        let corner = Partition(of: room).number
        let entry = HeldEntry.member(user, connection: id, room: room)
        corners[corner].held[caller]?.remove(entry)
        guard let theirs = members[room]?[user]?[id] ?? nil, theirs.node == caller.node,
            theirs.incarnation <= caller.incarnation
        else { return }
        if case .abrupt = departure {
            members[room]?[user]?[id] = .some(nil)
            corners[corner].lingering.insert(entry)
        } else {
            removeMember(id, of: user, in: room)
        }
    }

    // MARK: What is taken away

    mutating func removeConnection(_ id: String, of user: UserID) {
        connections[user]?[id] = nil
        guard connections[user]?.isEmpty ?? true else { return }
        connections[user] = nil
        online.remove(user)
    }

    mutating func removeMember(_ id: String, of user: UserID, in room: RoomName) {
        members[room]?[user]?[id] = nil
        if members[room]?[user]?.isEmpty == true { members[room]?[user] = nil }
        if members[room]?.isEmpty == true { members[room] = nil }
    }
}
