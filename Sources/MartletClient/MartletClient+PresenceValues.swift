import GatewayCore

extension MartletClient {
    /// The outcome of joining a room.
    public struct Joined: Hashable, Sendable {
        /// What was joined.
        public var room: String
        /// Where the room stands; what was missed up to there follows.
        public var position: Position
        /// Whether nothing was lost since the position it was joined with; true where there was none.
        public var recovered: Bool
        /// Whether what is lost may be in the gateway's archive, which it could not ask.
        public var isArchiveAway: Bool
        /// Users in the room; nil where the room keeps no presence.
        public var members: Int?
        /// The version of the roster, from which `presence` events go on; nil where the room keeps no presence.
        public var rosterVersion: Int64?

        init(_ joined: GatewayCore.Joined) {
            isArchiveAway = joined.isArchiveAway
            room = joined.room.string
            position = Position(joined.position)
            recovered = joined.recovered
            members = joined.roster?.members
            rosterVersion = joined.roster?.version
        }
    }

    /// The way to TURN servers, for a while.
    public struct TURNCredentials: Hashable, Sendable {
        /// As a peer connection takes them.
        public var urls: [String]
        /// Until when they are good, and for whom.
        public var username: String
        /// The password.
        public var credential: String
        /// For how many seconds they are good from now.
        public var seconds: Int

        /// As the gateway tells it, or a test.
        public init(urls: [String], username: String, credential: String, seconds: Int) {
            self.urls = urls
            self.username = username
            self.credential = credential
            self.seconds = seconds
        }

        init(_ credentials: TurnCredentials) {
            self.init(
                urls: credentials.urls, username: credentials.username, credential: credentials.credential,
                seconds: credentials.seconds)
        }
    }

    /// One user in a room.
    public struct Member: Hashable, Sendable {
        /// Who it is.
        public var userId: String
        /// A JSON object that the user's token bears.
        public var info: [UInt8]
        /// In this room.
        public var connections: Int

        /// As the gateway tells it, or a test.
        public init(userId: String, info: [UInt8], connections: Int) {
            self.userId = userId
            self.info = info
            self.connections = connections
        }
    }

    /// Part of a room's roster.
    public struct MemberPage: Hashable, Sendable {
        /// Whose members these are.
        public var room: String
        /// In no order.
        public var members: [Member]
        /// All users in the room.
        public var count: Int
        /// Of which `presence` events count the steps.
        public var rosterVersion: Int64
        /// For the next page; nil at the end.
        public var next: String?

        /// As the gateway tells it, or a test.
        public init(room: String, members: [Member], count: Int, rosterVersion: Int64, next: String? = nil) {
            self.room = room
            self.members = members
            self.count = count
            self.rosterVersion = rosterVersion
            self.next = next
        }

        init(_ room: RoomName, _ page: GatewayCore.MemberPage) {
            self.room = room.string
            members = page.members.map { Member(userId: $0.userId.string, info: $0.info, connections: $0.connections) }
            count = page.count
            rosterVersion = page.rosterVersion
            next = page.next
        }
    }

    /// A change in a room's roster.
    public struct Presence: Hashable, Sendable {
        /// A user who came into the room or left it.
        public enum Step: Hashable, Sendable {
            /// With the first connection; `info` is a JSON object.
            case join(userId: String, info: [UInt8])
            /// With the last one.
            case leave(userId: String)
            /// Somebody who stays is shown otherwise from now on.
            case update(userId: String, info: [UInt8])
        }

        /// Where.
        public var room: String
        /// Each is one step of the version, unless there is a `from`; none, without one, where the roster has changed
        /// unseen: ask for the `members`.
        public var steps: [Step]
        /// The version before, where these steps are what is left of all since then. They lead from that roster, and no
        /// other, to the one of `rosterVersion`: whoever has an earlier one asks for the `members`.
        public var from: Int64?
        /// Users in the room after the last step.
        public var members: Int
        /// After the last step.
        public var rosterVersion: Int64
        /// Milliseconds since 1970, by the gateway's Redis.
        public var timestamp: Int64

        /// As the gateway tells it, or a test.
        public init(
            room: String, steps: [Step], from: Int64? = nil, members: Int, rosterVersion: Int64, timestamp: Int64
        ) {
            self.room = room
            self.steps = steps
            self.from = from
            self.members = members
            self.rosterVersion = rosterVersion
            self.timestamp = timestamp
        }

        init(_ change: RosterChange) {
            room = change.room.string
            steps = change.events.map { event in
                switch event.kind {
                case .join: .join(userId: event.userId.string, info: event.info ?? Array("{}".utf8))
                case .leave: .leave(userId: event.userId.string)
                case .update: .update(userId: event.userId.string, info: event.info ?? Array("{}".utf8))
                }
            }
            from = change.from
            members = change.members
            rosterVersion = change.version
            timestamp = change.timestamp
        }
    }

    /// The state of a watched user: online, or last seen.
    public struct Status: Hashable, Sendable {
        /// Who it is.
        public var userId: String
        /// With any connection, anywhere.
        public var isOnline: Bool
        /// With a user who is online: whether all connections are away.
        public var isAway: Bool
        /// When the user went offline, in milliseconds since 1970; nil for one who is online or was never seen.
        public var lastSeen: Int64?
        /// Why this user may not be watched, such as `forbidden`; then the rest says nothing.
        public var refusal: String?

        init(_ status: UserStatus) {
            refusal = status.refusal?.rawValue
            userId = status.userId.string
            isOnline = status.isOnline
            isAway = status.state == .away
            lastSeen = status.lastSeen
        }

        init(_ change: StatusChange) {
            userId = change.userId.string
            isOnline = change.isOnline
            isAway = change.state == .away
            lastSeen = change.isOnline ? nil : change.timestamp
        }
    }

    /// A message from another member of a room to this user alone.
    public struct Signal: Hashable, Sendable {
        /// Where both are members.
        public var room: String
        /// Who tells it.
        public var from: String
        /// One JSON value, byte for byte.
        public var payload: [UInt8]

        init(_ signal: GatewayCore.Signal) {
            room = signal.room.string
            from = signal.from.string
            payload = signal.payload
        }
    }
}
