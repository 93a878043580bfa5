import GatewayCore

extension MartletClient {
    /// Up to where a room's stream has been seen.
    public struct Position: Hashable, Sendable {
        /// Names the run of the gateway's Redis under which the numbers were given.
        public var epoch: String
        /// 0 before the first message.
        public var seq: Int

        /// A place in a room, as a test or a store of positions names it.
        public init(epoch: String, seq: Int) {
            self.epoch = epoch
            self.seq = seq
        }

        init(_ position: GatewayCore.Position) {
            epoch = position.epoch
            seq = position.seq
        }
    }

    /// The gateway's first frame on a connection.
    public struct Welcome: Hashable, Sendable {
        /// Unique for ever.
        public var connectionId: String
        /// The gateway process that holds the connection.
        public var nodeId: String
        /// Who the gateway takes the client for; nil for a guest, who has no inbox.
        public var userId: String?
        /// Whether the connection goes on from the one before, rooms and all.
        public var resumed: Bool
        /// Between the gateway's pings.
        public var heartbeat: Duration
        /// Milliseconds since 1970.
        public var timestamp: Int64
        /// Of the user's inbox (`@user`) and of everyone (`*`).
        public var positions: [String: Position]
        /// What this gateway takes; nil from one that does not say so.
        public var limits: Limits?

        init(_ welcome: GatewayCore.Welcome) {
            connectionId = welcome.connectionId
            nodeId = welcome.nodeId
            userId = welcome.userId?.string
            resumed = welcome.resumed
            heartbeat = .milliseconds(welcome.heartbeat)
            timestamp = welcome.timestamp
            positions = Dictionary(
                welcome.positions.map { ($0.room.string, Position($0.position)) }, uniquingKeysWith: { $1 })
            limits = welcome.limits.map { Limits($0) }
        }
    }

    /// The limits of a gateway on one connection.
    public struct Limits: Hashable, Sendable {
        /// Of one frame.
        public var messageBytes: Int
        /// In the long run.
        public var messagesPerSecond: Int
        /// At once after a rest.
        public var messageBurst: Int
        /// That one may be in.
        public var rooms: Int
        /// Users that one may watch.
        public var watched: Int

        init(_ limits: ClientLimits) {
            messageBytes = limits.messageBytes
            messagesPerSecond = limits.messagesPerSecond
            messageBurst = limits.messageBurst
            rooms = limits.rooms
            watched = limits.watched
        }
    }

    /// One message of a room.
    public struct Message: Hashable, Sendable {
        /// A room, the user's inbox (`@user`) or everyone (`*`).
        public var room: String
        /// Who sent it; empty where a guest did, such as an app's client without a user.
        public var userId: String
        /// 1 text, 2 control, others the application's.
        public var msgType: Int
        /// The name of what it tells of; nil where its sender gave none.
        public var event: String?
        /// One JSON value, byte for byte as it was sent.
        public var payload: [UInt8]
        /// Whether its payload was taken away: it is `null` then.
        public var isRedacted: Bool
        /// Milliseconds since 1970, by the gateway's Redis.
        public var timestamp: Int64
        /// Where it stands in its room; the epoch is empty where the client was never told it. Of one that is not stored:
        /// where the stream stands.
        public var position: Position
        /// Whether the room's log has it: only then it has a number of its own, and comes again after a loss.
        public var isStored: Bool

        /// Its number in its room, or the last one before it where it is not stored.
        public var seq: Int { position.seq }

        init(_ message: RoomMessage, position: Position) {
            isStored = message.seq > 0
            room = message.room.string
            userId = message.userId.string
            msgType = message.msgType
            event = message.event?.string
            payload = message.payload
            isRedacted = message.isRedacted
            timestamp = message.timestamp
            self.position = position
        }
    }

    /// The acknowledgement of a message: where it was stored.
    public struct Ack: Hashable, Sendable {
        /// Where it was published.
        public var room: String
        /// Its number there.
        public var seq: Int
        /// Milliseconds since 1970, by the gateway's Redis.
        public var timestamp: Int64

        /// As the gateway tells it.
        public init(room: String, seq: Int, timestamp: Int64) {
            self.room = room
            self.seq = seq
            self.timestamp = timestamp
        }
    }

    /// Part of a room's log, oldest first.
    public struct Page: Hashable, Sendable {
        /// Whose log it is.
        public var room: String
        /// The room's present one.
        public var epoch: String
        /// Oldest first.
        public var messages: [Message]
        /// Whether the log holds more in the direction of reading.
        public var more: Bool
        /// Whether there may be more in the gateway's archive, which it could not ask.
        public var isArchiveAway: Bool

        /// As the gateway tells it.
        public init(room: String, epoch: String, messages: [Message], more: Bool, isArchiveAway: Bool = false) {
            self.room = room
            self.epoch = epoch
            self.messages = messages
            self.more = more
            self.isArchiveAway = isArchiveAway
        }
    }

    /// The part of a room's log that is asked for.
    public enum Edge: Hashable, Sendable {
        case newest
        /// The newest ones with a `seq` below this one.
        case before(Int)
        /// The oldest ones with a `seq` above this one.
        case after(Int)
    }
}

extension ClientPosition {
    /// Of a position without an epoch the gateway's present one is meant.
    init(_ position: MartletClient.Position) {
        self.init(epoch: position.epoch.isEmpty ? nil : position.epoch, seq: position.seq)
    }
}
