import MartletClient

/// What one client was told of its rooms, held to what it was promised: each stream whole, each roster true.
///
/// Pure. It keeps no message, only what is wrong.
package struct Testimony: Sendable {
    private var streams: [String: StreamChecker] = [:]
    private var rosters: [String: RosterChecker] = [:]

    package init() {}

    /// The client has joined a room at the answer's position, or at the one it gave.
    package mutating func joined(_ room: String, at seq: Int, rosterVersion: Int64?) {
        streams[room, default: StreamChecker()].joined(at: seq)
        if let rosterVersion { rosters[room, default: RosterChecker()].joined(version: rosterVersion) }
    }

    /// The client has read the whole roster of a room, at this version.
    package mutating func read(_ room: String, members: Set<String>, version: Int64) {
        rosters[room, default: RosterChecker()].read(members, version: version)
    }

    package mutating func received(_ event: MartletClient.Event) {
        switch event {
        case .message(let message):
            // What is not stored has no place in the stream.
            guard message.isStored else { break }
            streams[message.room, default: StreamChecker()].received(message.seq)
        case .gap(let room, let position): streams[room, default: StreamChecker()].gap(to: position.seq)
        case .presence(let presence): rosters[presence.room, default: RosterChecker()].received(presence)
        case .rejoined(let room, _): rosters[room]?.lapsed()
        case .disconnected: for room in rosters.keys { rosters[room]?.lapsed() }
        case .connected(let welcome):
            for (room, position) in welcome.positions {
                streams[room, default: StreamChecker()].joined(at: position.seq)
            }
        case .rejoinFailed, .epoch, .room, .redacted, .invited, .status, .signal, .reconnect, .error: break
        }
    }

    /// Changes what is held against a room's roster, such as who stays in it.
    package mutating func roster(of room: String, _ change: (inout RosterChecker) -> Void) {
        change(&rosters[room, default: RosterChecker()])
    }

    /// What is wrong with a room's stream, which should have come up to this number.
    package func faults(of room: String, upTo seq: Int) -> [StreamChecker.Fault] {
        streams[room]?.faults(upTo: seq) ?? []
    }

    /// After which numbers a room went on where something of it was lost.
    package func gaps(of room: String) -> [Int] { streams[room]?.gaps ?? [] }

    /// What is wrong with what was told of a room's roster, where this is who is in it.
    package func rosterFaults(of room: String, against registry: Set<String>) -> [RosterChecker.Fault] {
        rosters[room]?.faults(against: registry) ?? []
    }
}

extension MartletClient {
    /// The whole roster of a room, page by page, and the version that its first page has.
    package func wholeRoster(of room: String) async throws(Failure) -> (members: Set<String>, version: Int64) {
        var members: Set<String> = []
        var cursor: String?
        var version: Int64?
        repeat {
            let page = try await self.members(of: room, limit: 1000, cursor: cursor)
            members.formUnion(page.members.map(\.userId))
            version = version ?? page.rosterVersion
            cursor = page.next
        } while cursor != nil
        return (members, version ?? 0)
    }
}
