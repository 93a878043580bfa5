import GatewayCore

/// The frames that bring a client into its rooms, and those that tell it who is there.
extension EventFields {
    func joined() throws(UnreadableEvent) -> Joined {
        var roster: RosterState?
        if field("rosterVersion") != nil {
            roster = RosterState(
                members: try integer("members"), version: Int64(try integer("rosterVersion")), timestamp: 0)
        }
        var joined = Joined(
            room: try room(), position: try position(), recovered: try boolean("recovered"), roster: roster,
            settings: try roomState())
        joined.isArchiveAway = field("archive") != nil
        if field("role") != nil { joined.role = RoleName(unchecked: try text("role")) }
        return joined
    }

    func resumedRooms() throws(UnreadableEvent) -> [ResumedRoom] {
        var rooms: [ResumedRoom] = []
        for entry in try objects("rooms") {
            let outcome: ResumedRoom.Outcome =
                entry.field("code") == nil
                ? .joined(position: try entry.position(), recovered: try entry.boolean("recovered"))
                // As with errors, a code of a later version counts as `bad_request`.
                : .refused(ErrorCode(rawValue: try entry.text("code")) ?? .badRequest)
            var room = ResumedRoom(room: try entry.room(), outcome: outcome)
            room.isArchiveAway = entry.field("archive") != nil
            rooms.append(room)
        }
        return rooms
    }

    /// Events that came with a later version are passed over: the steps that they are stand in `from`.
    func rosterChange() throws(UnreadableEvent) -> RosterChange {
        let entries = try objects("events")
        var events: [RosterEvent] = []
        for entry in entries {
            guard let kind = RosterEvent.Kind(rawValue: try entry.text("event")) else { continue }
            let info = kind == .leave ? nil : try entry.bytes("info")
            events.append(RosterEvent(kind: kind, userId: try entry.userID(), info: info, connection: nil))
        }
        let version = Int64(try integer("rosterVersion"))
        var from: Int64?
        if field("from") != nil {
            from = Int64(try integer("from"))
        } else if events.count < entries.count {
            from = version.subtractingReportingOverflow(Int64(entries.count)).partialValue
        }
        return RosterChange(
            room: try room(), events: events, from: from, members: try integer("members"), version: version,
            timestamp: Int64(try integer("timestamp")))
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
            userId: try userID(), isOnline: try boolean("online"), state: try state(),
            timestamp: Int64(try integer("timestamp")))
    }

    func watched() throws(UnreadableEvent) -> [UserStatus] {
        var statuses: [UserStatus] = []
        for entry in try objects("users") {
            if entry.field("code") != nil {
                let refusal = ErrorCode(rawValue: try entry.text("code")) ?? .badRequest
                statuses.append(
                    UserStatus(userId: try entry.userID(), isOnline: false, lastSeen: nil, refusal: refusal))
                continue
            }
            let lastSeen = entry.field("lastSeen") == nil ? nil : Int64(try entry.integer("lastSeen"))
            statuses.append(
                UserStatus(
                    userId: try entry.userID(), isOnline: try entry.boolean("online"), state: try entry.state(),
                    lastSeen: lastSeen))
        }
        return statuses
    }

    /// One of a later version counts as none.
    private func state() throws(UnreadableEvent) -> UserState? {
        field("state") == nil ? nil : UserState(rawValue: try text("state"))
    }

    func signal() throws(UnreadableEvent) -> Signal {
        Signal(
            room: try room(), from: try userID("from"), to: UserID(unchecked: ""), payload: try bytes("payload"))
    }
}
