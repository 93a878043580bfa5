import GatewayCore

import RedisBackend

/// Rooms whose settings let nobody in who is not there.
extension RegistryModel {
    mutating func lockOrUnlock(_ room: RoomName) {
        if locked.remove(room) == nil { locked.insert(room) }
    }

    /// Whoever is registered again was let in before, and is let in.
    func isBarred(_ joining: Machine.Joining, _ user: UserID) -> Bool {
        locked.contains(joining.room) && members[joining.room]?[user] == nil
    }
}

extension RegistryModelRun {
    /// Sessions that do not name the rooms of their connections.
    func strangeSessions() -> [String] {
        var found: [String] = []
        for node in nodes {
            for partition in Partition.all {
                for held in node.machine.held.users(in: partition) where held.isRegistered {
                    guard let session = held.registrant?.session, let named = redis.sessions[session],
                        named.connection == held.id, named.rooms != held.allRooms
                    else { continue }
                    found.append("the session of \(held.id) names \(named.rooms), not \(held.allRooms)")
                }
            }
        }
        return found
    }
}

/// Who was let into which room by a join, whatever Redis has forgotten since.
struct Doors {
    private var letIn: Set<HeldEntry> = []

    /// What is wrong with the answer to a call; nil where nothing is.
    mutating func failure(of call: RegistrationMachine.Call, _ answer: RegistrationMachine.Answer) -> String? {
        guard case .join(.joined) = answer else { return nil }
        switch call {
        case .join(let joining, let user, _, _):
            letIn.insert(.member(user, connection: joining.connection, room: joining.room))
            return nil
        case .joinAgain(let place, let id, _, _, _, _, _):
            guard !letIn.contains(.member(place.user, connection: id, room: place.room)) else { return nil }
            return "\(id) is registered again in \(place.room.string), which never let it in"
        case .restore(let left, _):
            guard !letIn.contains(.member(left.place.user, connection: left.connection, room: left.place.room)) else {
                return nil
            }
            return "\(left.connection) has its grace in \(left.place.room.string), which never let it in"
        default: return nil
        }
    }
}
