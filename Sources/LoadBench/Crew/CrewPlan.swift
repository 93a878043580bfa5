/// The plan for one process's members; sent to worker processes as JSON.
package struct CrewPlan: Codable, Sendable {
    /// The protocol that the server speaks.
    package enum Style: String, Codable, Sendable {
        case gateway
        case floor
        /// Nginx with the nchan module: a subscriber's messages are the bare payloads.
        case nchan
    }

    /// What the members of a gateway's rooms speak.
    package enum Dialect: String, Codable, Sendable, CaseIterable {
        case native
        case pusher
        /// Every other member of a room at one target speaks Pusher's protocol; which of them does is other in the next room.
        case mixed
    }

    package var targets: [LoopbackTarget]
    package var style: Style
    var dialect = Dialect.native
    /// Of the app that those who speak Pusher's protocol name.
    var appKey = ""
    package var layout: RoomLayout
    /// Of all members this process has those with `number mod processes = process`.
    package var process = 0
    package var processes = 1
    package var payloadBytes: Int
    /// So many of 127.0.0.2, 127.0.0.3, … are taken as source addresses in turn; 0 leaves it to the system.
    package var sources: Int
    /// As many connections may be on their way to being ready at once.
    package var handshakes: Int
    /// Whether members join their room, or only connect.
    package var joins: Bool
    /// Whether members keep their sessions, to come back with.
    var keepsSessions = false
    /// So many others come and go, whom members are told of.
    var churners = 0
    /// Whether messages go to everyone instead of to rooms; members join their rooms all the same.
    var isToEveryone = false
    /// What members prove who they are with; nil for a server that believes them.
    var tokens: Tokens?
    /// After so many seconds a connection that is not ready is given up.
    package var patience: Double

    /// Where messages go: to the rooms, or to one that everyone is in.
    var messages: RoomLayout {
        isToEveryone ? RoomLayout(rooms: 1, publishers: layout.publishers, prefix: layout.prefix) : layout
    }

    /// How messages look.
    var shape: FrameReader.Shape { style == .nchan ? .bare : isToEveryone ? .everyone : .rooms }

    /// Rooms are taken first, so that each room has members on all targets; each begins at the next target, so that all have as
    /// many connections, also where a room's members do not go into the targets evenly.
    package func target(of member: Int) -> LoopbackTarget {
        let (round, room) = member.quotientAndRemainder(dividingBy: layout.rooms)
        return targets[(round + room) % targets.count]
    }

    /// Whether a member speaks Pusher's protocol: of those that a room has at one target all, none, or every other. Half of all do, also
    /// where rooms have one member at each target.
    package func speaksPusher(_ member: Int) -> Bool {
        guard style == .gateway else { return false }
        switch dialect {
        case .native: return false
        case .pusher: return true
        case .mixed:
            let (round, room) = member.quotientAndRemainder(dividingBy: layout.rooms)
            return (round / targets.count + room) % 2 == 1
        }
    }

    func source(of member: Int) -> UInt32 {
        sources == 0 ? 0 : 0x7F00_0002 + UInt32(member % sources)
    }
}
