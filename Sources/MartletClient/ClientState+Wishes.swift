import GatewayCore

/// Rooms that are held.
extension ClientState {
    /// Whether the room is joined, or will be again.
    func wants(_ room: RoomName) -> Bool {
        if streams.wants(room) { return true }
        guard let wish = wishes[room.string] else { return false }
        return wish.refusal == nil
    }

    /// Whether the room is joined on this connection, and not being left.
    func isThere(_ room: RoomName) -> Bool { streams.isLive(room) && streams.wants(room) }

    /// With what a held room is to be joined, or one that was joined before; nil where it is not to be.
    func since(of room: RoomName) -> (position: ClientPosition?, isOwed: Bool) {
        let wish = wishes[room.string]
        if let since = wish?.since { return (since, true) }
        return (
            streams.position(of: room).map { ClientPosition($0) }, wants(room) && !streams.isLive(room)
        )
    }

    /// Has rooms joined that are held and were never joined, or were refused.
    mutating func reviveWishes() {
        let asked = Set(roomsToRejoin)
        for (id, wish) in wishes {
            // What is no room's name for this gateway stays none.
            if case .refused("bad_request", _, _) = wish.refusal { continue }
            let isMissing = wish.refusal != nil || wish.since != nil || streams.position(of: wish.room) == nil
            wishes[id]?.refusal = nil
            if isMissing, !asked.contains(wish.room) { roomsToRejoin.append(wish.room) }
        }
    }

    mutating func forgetRosters() {
        for id in wishes.keys { wishes[id]?.roster.forget() }
    }

    mutating func forgetRoster(of room: RoomName, round: Int) {
        if wishes[room.string]?.roster.isCurrent(round) == true { wishes[room.string]?.roster.forget() }
    }
}
