import GatewayCore

/// The frames that tell who is there, and what one member tells another.
extension NativeDialect {
    /// The frame of a room's changed roster: the same bytes serve every member that is told of all its events.
    package func encode(_ change: RosterChange, into bytes: inout [UInt8]) {
        var events = WrittenEvents()
        for event in change.events { events.append(event) }
        encode(change, events: events.suffix(events.count), into: &bytes)
    }

    /// The same with events that have been written before, in place of the change's own.
    package func encode(_ change: RosterChange, events: ArraySlice<UInt8>, into bytes: inout [UInt8]) {
        JSONWriter.append(#"{"type":"presence""#, to: &bytes)
        append(room: change.room, into: &bytes)
        JSONWriter.append(#","events":["#, to: &bytes)
        bytes.append(contentsOf: events)
        JSONWriter.append(#"],"members":"#, to: &bytes)
        JSONWriter.append(integer: change.members, to: &bytes)
        if let from = change.from {
            JSONWriter.append(#","from":"#, to: &bytes)
            JSONWriter.append(integer: from, to: &bytes)
        }
        JSONWriter.append(#","rosterVersion":"#, to: &bytes)
        JSONWriter.append(integer: change.version, to: &bytes)
        JSONWriter.append(#","timestamp":"#, to: &bytes)
        JSONWriter.append(integer: change.timestamp, to: &bytes)
        JSONWriter.append("}", to: &bytes)
    }

    package func encode(_ change: StatusChange, into bytes: inout [UInt8]) {
        JSONWriter.append(#"{"type":"status","userId":"#, to: &bytes)
        append(change.userId, isOnline: change.isOnline, change.state, into: &bytes)
        JSONWriter.append(#","timestamp":"#, to: &bytes)
        JSONWriter.append(integer: change.timestamp, to: &bytes)
        JSONWriter.append("}", to: &bytes)
    }

    /// Whom it is for stays unsaid: whoever gets the frame.
    package func encode(_ signal: Signal, into bytes: inout [UInt8]) {
        bytes.reserveCapacity(bytes.count + signal.payload.count + 512)
        JSONWriter.append(#"{"type":"signal""#, to: &bytes)
        append(room: signal.room, into: &bytes)
        JSONWriter.append(#","from":"#, to: &bytes)
        JSONWriter.append(string: signal.from.string, to: &bytes)
        JSONWriter.append(#","payload":"#, to: &bytes)
        bytes.append(contentsOf: signal.payload)
        JSONWriter.append("}", to: &bytes)
    }

    /// A page of members from `members` to the closing brace.
    func append(_ page: MemberPage, into bytes: inout [UInt8]) {
        bytes.reserveCapacity(bytes.count + page.members.reduce(128) { $0 + $1.info.count + 128 })
        JSONWriter.append(#","members":["#, to: &bytes)
        for (index, member) in page.members.enumerated() {
            if index > 0 { JSONWriter.append(",", to: &bytes) }
            encode(member, into: &bytes)
        }
        JSONWriter.append(#"],"count":"#, to: &bytes)
        JSONWriter.append(integer: page.count, to: &bytes)
        JSONWriter.append(#","rosterVersion":"#, to: &bytes)
        JSONWriter.append(integer: page.rosterVersion, to: &bytes)
        if let next = page.next {
            JSONWriter.append(#","next":"#, to: &bytes)
            JSONWriter.append(string: next, to: &bytes)
        }
        JSONWriter.append("}", to: &bytes)
    }

    /// One member as frames and REST show it.
    package func encode(_ member: Member, into bytes: inout [UInt8]) {
        JSONWriter.append(#"{"userId":"#, to: &bytes)
        JSONWriter.append(string: member.userId.string, to: &bytes)
        JSONWriter.append(#","info":"#, to: &bytes)
        bytes.append(contentsOf: member.info)
        JSONWriter.append(#","connections":"#, to: &bytes)
        JSONWriter.append(integer: member.connections, to: &bytes)
        JSONWriter.append("}", to: &bytes)
    }

    /// A `watching` from `users` to the closing brace.
    func append(_ users: [UserStatus], into bytes: inout [UInt8]) {
        JSONWriter.append(#","users":["#, to: &bytes)
        for (index, status) in users.enumerated() {
            JSONWriter.append(index > 0 ? #",{"userId":"# : #"{"userId":"#, to: &bytes)
            if let refusal = status.refusal {
                JSONWriter.append(string: status.userId.string, to: &bytes)
                JSONWriter.append(#","code":"#, to: &bytes)
                JSONWriter.append(string: refusal.rawValue, to: &bytes)
            } else {
                append(status.userId, isOnline: status.isOnline, status.state, into: &bytes)
                if let lastSeen = status.lastSeen {
                    JSONWriter.append(#","lastSeen":"#, to: &bytes)
                    JSONWriter.append(integer: lastSeen, to: &bytes)
                }
            }
            JSONWriter.append("}", to: &bytes)
        }
        JSONWriter.append("]}", to: &bytes)
    }

    /// The user's name and whether they are there, behind `"userId":`.
    private func append(_ user: UserID, isOnline: Bool, _ state: UserState?, into bytes: inout [UInt8]) {
        JSONWriter.append(string: user.string, to: &bytes)
        JSONWriter.append(isOnline ? #","online":true"# : #","online":false"#, to: &bytes)
        switch state {
        case .active: JSONWriter.append(#","state":"active""#, to: &bytes)
        case .away: JSONWriter.append(#","state":"away""#, to: &bytes)
        // Others are told that such a user is offline.
        case .invisible, nil: break
        }
    }
}
