import GatewayCore

/// How many connections of this node are in a room and show nobody there, and what Redis is still to be told of it.
///
/// Of each room one call is under way at a time, and what changes meanwhile is told with the next: a thousand that come at
/// once are a few calls. Pure; it belongs to the registry's loop.
package struct GuestCounts {
    /// What Redis is told of a room.
    package struct Report: Hashable, Sendable {
        package var room: RoomName
        package var count: Int
        /// How the last of those left that have gone; nil where none has. An abrupt one's grace runs.
        package var departure: Departure?
        /// Whether Redis is known, or feared, to have lost it.
        package var isRestored: Bool

        package init(_ room: RoomName, count: Int, departure: Departure? = nil, isRestored: Bool = false) {
            self.room = room
            self.count = count
            self.departure = departure
            self.isRestored = isRestored
        }
    }

    fileprivate struct Attendance {
        var count = 0
        var departure: Departure?
        /// Whether a call is under way.
        var isAsked = false
        /// Whether there is something that no call has told.
        var isDue = false
    }

    private var partitions = [[RoomName: Attendance]](repeating: [:], count: Partition.count)
    /// Rooms of which something is to be told, for a partition each.
    private var dues = [Set<RoomName>](repeating: [], count: Partition.count)

    package init() {}

    // MARK: Who comes and goes

    package mutating func came(to room: RoomName) {
        change(room) { $0.count += 1 }
    }

    package mutating func left(_ room: RoomName, _ departure: Departure) {
        change(room) { attendance in
            attendance.count -= 1
            attendance.note(departure)
        }
    }

    /// Somebody else has come to the room, or left it: how many connections there are is another number.
    package mutating func touched(_ room: RoomName) {
        change(room) { _ in }
    }

    private mutating func change(_ room: RoomName, _ body: (inout Attendance) -> Void) {
        body(&self[room])
        fall(due: room)
    }

    private mutating func fall(due room: RoomName) {
        self[room].isDue = true
        dues[Partition(of: room).number].insert(room)
    }

    private subscript(room: RoomName) -> Attendance {
        get { partitions[Partition(of: room).number][room] ?? Attendance() }
        set { partitions[Partition(of: room).number][room] = newValue.isOver ? nil : newValue }
        _modify { yield &partitions[Partition(of: room).number][room, default: Attendance()] }
    }

    // MARK: What Redis is told

    /// What a call is to tell now; nil where there is nothing, or one is under way.
    package mutating func next(of room: RoomName) -> Report? {
        let attendance = self[room]
        guard attendance.isDue, !attendance.isAsked else { return nil }
        dues[Partition(of: room).number].remove(room)
        self[room].isAsked = true
        self[room].isDue = false
        self[room].departure = nil
        return Report(room, count: attendance.count, departure: attendance.departure)
    }

    /// Redis has what a call told.
    package mutating func told(_ report: Report) {
        settle(report.room) { $0.isAsked = false }
    }

    /// Whether Redis has it is not known, or it does not: it is told again.
    package mutating func failed(_ report: Report) {
        fall(due: report.room)
        settle(report.room) { attendance in
            attendance.isAsked = false
            if let departure = report.departure { attendance.note(departure) }
        }
    }

    private mutating func settle(_ room: RoomName, _ body: (inout Attendance) -> Void) {
        var attendance = self[room]
        body(&attendance)
        self[room] = attendance
    }

    /// Rooms of which something is to be told, and no call is under way.
    package func due(in partition: Partition) -> Set<RoomName> {
        dues[partition.number].filter { !self[$0].isAsked }
    }

    // MARK: What Redis should have

    package func count(in room: RoomName) -> Int { self[room].count }

    /// Rooms of the partition that have some.
    package func rooms(in partition: Partition) -> [RoomName] {
        partitions[partition.number].filter { $0.value.count > 0 }.map(\.key)
    }

    /// What the node's set in the partition should name.
    package func entries(in partition: Partition) -> [HeldEntry] { rooms(in: partition).map { .guests($0) } }

    /// Whether Redis has been told all there is of the room.
    package func isSettled(_ room: RoomName) -> Bool { !self[room].isAsked && !self[room].isDue }
}

extension GuestCounts.Attendance {
    fileprivate var isOver: Bool { count == 0 && !isAsked && !isDue }

    /// A grace that has been begun is not taken back by one that says farewell.
    fileprivate mutating func note(_ new: Departure) {
        if case .abrupt = departure, case .farewell = new { return }
        departure = new
    }
}
