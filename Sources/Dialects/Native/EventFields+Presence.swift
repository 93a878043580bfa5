import GatewayCore

/// The frames that bring a client into its rooms, and those that tell it who is there.
extension EventFields {
    func joined() throws(UnreadableEvent) -> Joined {
        var roster: RosterState?
        if field("rosterVersion") != nil {
            roster = RosterState(
                members: try integer("members"), version: Int64(try integer("rosterVersion")), timestamp: 0)
        }
        return Joined(
            room: try room(), position: try position(), recovered: try boolean("recovered"), roster: roster)
    }

    func resumedRooms() throws(UnreadableEvent) -> [ResumedRoom] {
        var rooms: [ResumedRoom] = []
        for entry in try objects("rooms") {
            let outcome: ResumedRoom.Outcome =
                entry.field("code") == nil
                ? .joined(position: try entry.position(), recovered: try entry.boolean("recovered"))
                // As with errors, a code of a later version means a request that had better not come again.
                : .refused(ErrorCode(rawValue: try entry.text("code")) ?? .badRequest)
            rooms.append(ResumedRoom(room: try entry.room(), outcome: outcome))
        }
        return rooms
    }

    func rosterChange() throws(UnreadableEvent) -> RosterChange {
        var events: [RosterEvent] = []
        for entry in try objects("events") {
            guard let kind = RosterEvent.Kind(rawValue: try entry.text("event")) else {
                throw .malformed("events: neither join nor leave")
            }
            let info = kind == .join ? try entry.bytes("info") : nil
            events.append(RosterEvent(kind: kind, userId: try entry.userID(), info: info, connection: nil))
        }
        return RosterChange(
            room: try room(), events: events, members: try integer("members"),
            version: Int64(try integer("rosterVersion")), timestamp: Int64(try integer("timestamp")))
    }

    func memberPage() throws(UnreadableEvent) -> MemberPage {
        var members: [Member] = []
        for entry in try objects("members") {
            members.append(
                Member(
                    userId: try entry.userID(), info: try entry.bytes("info"),
                    connections: try entry.integer("connections")))
        }
        return MemberPage(
            members: members, count: try integer("count"), rosterVersion: Int64(try integer("rosterVersion")),
            next: field("next") == nil ? nil : try text("next"))
    }

    func statusChange() throws(UnreadableEvent) -> StatusChange {
        StatusChange(
            userId: try userID(), isOnline: try boolean("online"), timestamp: Int64(try integer("timestamp")))
    }

    func watched() throws(UnreadableEvent) -> [UserStatus] {
        var statuses: [UserStatus] = []
        for entry in try objects("users") {
            let lastSeen = entry.field("lastSeen") == nil ? nil : Int64(try entry.integer("lastSeen"))
            statuses.append(
                UserStatus(userId: try entry.userID(), isOnline: try entry.boolean("online"), lastSeen: lastSeen))
        }
        return statuses
    }

    func signal() throws(UnreadableEvent) -> Signal {
        Signal(
            room: try room(), from: try userID("from"), to: UserID(unchecked: ""), payload: try bytes("payload"))
    }
}
