import GatewayCore

/// Connections in rooms that show nobody there.
extension RegistrationMachine {
    mutating func attend(_ room: RoomName, connection id: String) {
        guard held.attend(room, connection: id) else { return }
        guests.came(to: room)
        tellGuests(of: room)
    }

    mutating func leaveAsGuest(_ room: RoomName, connection id: String, _ departure: Departure) {
        guard held.leaveAsGuest(room, connection: id) else { return }
        guests.left(room, departure)
        tellGuests(of: room)
    }

    /// A connection that has gone was a guest of these rooms.
    mutating func leftAsGuest(_ rooms: Set<RoomName>, _ departure: Departure) {
        for room in rooms {
            guests.left(room, departure)
            tellGuests(of: room)
        }
    }

    /// All nodes read what is written of guests from here on, or one does not.
    package mutating func allowGuests(_ areAllowed: Bool) { writesGuests = areAllowed }

    /// A connection was shown in a room, or no longer: where somebody is to know how many there are, that is told.
    mutating func recount(_ room: RoomName) {
        guard !settings.counting(room).isNobody else { return }
        guests.touched(room)
        tellGuests(of: room)
    }

    /// Tells what there is to be told, as soon as the node may write; else that is done once it may. What Redis may have lost
    /// is registered again before: whoever is told that the room is occupied is told as well that they may know it.
    private mutating func tellGuests(of room: RoomName) {
        let partition = Partition(of: room)
        guard writesGuests, !again.isOpen(partition), standing.linked.contains(partition),
            let holder = standing.writer(now: now, lease: settings.lease), let report = guests.next(of: room)
        else { return }
        send(.guests(report, Writer(holder: holder, isKnown: standing.isAnnounced(in: partition)), nil))
    }

    mutating func tellGuests(in partitions: PartitionSet) {
        for partition in partitions {
            for room in guests.due(in: partition) { tellGuests(of: room) }
        }
    }

    mutating func counted(
        _ report: GuestCounts.Report, _ writer: Writer, _ reason: Reason?, _ answer: Result<Answer, CallFailure>
    ) {
        guard reason == nil else {
            tellNewcomers(of: report.room, answer)
            let isRegistered = countedAgain(writer.holder, answer)
            return registeredAgain(.guests(report.room), writer.holder, reason, isRegistered: isRegistered)
        }
        switch answer {
        case .success(.guests(.counted)):
            tellNewcomers(of: report.room, answer)
            // Who says that none are there is put among no holders.
            if report.count > 0 { standing.announced(writer.holder, in: Partition(of: report.room)) }
            guests.told(report)
            // What has changed meanwhile.
            tellGuests(of: report.room)
        case .success(.guests(.fenced(let fence))):
            guests.failed(report)
            fenced(writer.holder, at: fence)
        case .success, .failure: guests.failed(report)
        }
    }

    /// Whoever has come to the room is to hear how many connections there are, though the others are not told of it now.
    private mutating func tellNewcomers(of room: RoomName, _ answer: Result<Answer, CallFailure>) {
        guard case .success(.guests(.counted(let count?))) = answer else { return }
        emit(.tellNewcomers(of: room, count))
    }

    private mutating func countedAgain(_ holder: Holder, _ answer: Result<Answer, CallFailure>) -> Bool {
        guard case .success(.guests(let outcome)) = answer else { return false }
        switch outcome {
        case .counted: return true
        case .fenced(let fence):
            fenced(holder, at: fence)
            return false
        }
    }

    /// What the node's set in a partition should name.
    package func entries(in partition: Partition) -> Set<HeldEntry> {
        held.entries(in: partition).union(writesGuests ? guests.entries(in: partition) : [])
    }

    /// Whether what Redis has of it may be compared: not while a call about it is under way.
    func isComparable(_ entry: HeldEntry) -> Bool {
        switch entry {
        case .guests(let room): guests.isSettled(room)
        case .member(_, let id, let room): entrances.progress(of: id, in: room) == .none
        case .user, .count: true
        }
    }
}
