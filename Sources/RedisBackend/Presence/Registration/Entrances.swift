import GatewayCore

/// Joins of connections that were not in the room before, as long as it is not known whether Redis lets them in.
///
/// Their own calls alone are held against who is kept out: whoever is registered again is taken to have been let in before.
struct Entrances {
    enum Progress: Hashable {
        /// None is open.
        case none
        /// Redis is still to be asked.
        case waiting
        /// Redis was asked under this incarnation, and may answer yet.
        case asked(incarnation: Int64)
    }

    private struct Entrance: Hashable {
        let room: RoomName
        let connection: String

        init(_ room: RoomName, _ connection: String) {
            self.room = room
            self.connection = connection
        }

        init(_ joining: RegistrationMachine.Joining) {
            self.init(joining.room, joining.connection)
        }
    }

    /// A connection may have left and joined anew before Redis has answered the first join.
    private struct Joins {
        var open = 0
        var asked = 0
        /// The oldest under which Redis was asked.
        var incarnation = Int64.max
    }

    private var entrances: [Entrance: Joins] = [:]

    mutating func began(_ joining: RegistrationMachine.Joining) {
        guard joining.isNew else { return }
        entrances[Entrance(joining), default: Joins()].open += 1
    }

    mutating func asked(_ joining: RegistrationMachine.Joining, incarnation: Int64) {
        change(joining) { joins in
            joins.asked += 1
            joins.incarnation = min(incarnation, joins.incarnation)
        }
    }

    mutating func answered(_ joining: RegistrationMachine.Joining) {
        change(joining) { joins in
            joins.asked -= 1
            if joins.asked == 0 { joins.incarnation = .max }
        }
    }

    /// Whoever asked is told how it ended.
    mutating func ended(_ joining: RegistrationMachine.Joining) {
        change(joining) { $0.open -= 1 }
    }

    private mutating func change(_ joining: RegistrationMachine.Joining, _ change: (inout Joins) -> Void) {
        let entrance = Entrance(joining)
        guard joining.isNew, var joins = entrances[entrance] else { return }
        change(&joins)
        entrances[entrance] = joins.open > 0 ? joins : nil
    }

    /// Whether this join, which is new and has no end yet, is the only one of its connection to the room.
    func isLast(_ joining: RegistrationMachine.Joining) -> Bool { entrances[Entrance(joining)]?.open == 1 }

    func progress(of connection: String, in room: RoomName) -> Progress {
        guard let joins = entrances[Entrance(room, connection)] else { return .none }
        return joins.asked > 0 ? .asked(incarnation: joins.incarnation) : .waiting
    }
}
