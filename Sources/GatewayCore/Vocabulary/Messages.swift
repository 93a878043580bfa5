/// Up to where a room's stream has been seen: all messages with a `seq` up to this one, under this epoch.
package struct Position: Hashable, Sendable {
    /// The run of one Redis under which the numbers were given.
    package var epoch: String
    /// 0 before the first message.
    package var seq: Int

    package init(epoch: String, seq: Int) {
        self.epoch = epoch
        self.seq = seq
    }

    /// Of a message that is sent and not stored.
    package static let unstored = Position(epoch: "", seq: 0)

    /// Whether it is of the same epoch and lies before.
    package func isBehind(_ other: Position?) -> Bool {
        other.map { epoch == $0.epoch && seq < $0.seq } ?? false
    }
}

/// Up to where a client says that it has seen a room's stream, or how much of its end it wants.
package struct ClientPosition: Hashable, Sendable {
    /// Nil: whatever the present epoch is.
    package var epoch: String?
    /// 0: nothing; all that the log holds is asked for. Below 0: all but so many of the newest.
    package var seq: Int

    package init(epoch: String?, seq: Int) {
        self.epoch = epoch
        self.seq = seq
    }

    package init(_ position: Position) {
        self.init(epoch: position.epoch, seq: position.seq)
    }

    /// The newest messages, so many of them, or as many as the log holds.
    package static func last(_ count: Int) -> ClientPosition { ClientPosition(epoch: nil, seq: -count) }

    /// How many of the newest messages are asked for; nil for a position proper.
    package var last: Int? { seq < 0 ? -seq : nil }

    /// Behind which number it is, where the stream stands at this one.
    package func seq(at head: Int) -> Int { seq < 0 ? max(0, head + seq) : seq }
}

/// One message as the log holds it, or as it is sent where it is not stored; immutable, so one instance serves every event loop.
package final class RoomMessage: Sendable {
    package let room: RoomName
    package let userId: UserID
    /// 1 text, 2 control, others the application's.
    package let msgType: Int
    /// The name of what happened; nil where its sender gave none.
    package let event: EventName?
    /// One JSON value, byte for byte as its sender wrote it.
    package let payload: [UInt8]
    /// Whether the payload was taken away: it is `null` then.
    package let isRedacted: Bool
    /// Milliseconds since 1970 by Redis's clock.
    package let timestamp: Int64
    /// `Position.unstored` for one that is volatile.
    package let position: Position
    /// The connection that is not sent it, though it is in the room; it stands in the history for all.
    package let except: String?

    package var seq: Int { position.seq }
    package var isVolatile: Bool { position.seq == 0 }

    /// What it costs in memory, about.
    package var memoryBytes: Int { payload.count + RoomMessage.overheadBytes }

    private static let overheadBytes = 200

    package init(
        room: RoomName, userId: UserID, msgType: Int, event: EventName? = nil, payload: [UInt8],
        isRedacted: Bool = false, timestamp: Int64, position: Position, except: String? = nil
    ) {
        self.room = room
        self.userId = userId
        self.msgType = msgType
        self.event = event
        self.payload = payload
        self.isRedacted = isRedacted
        self.timestamp = timestamp
        self.position = position
        self.except = except
    }

    /// The same without its payload.
    package var redacted: RoomMessage {
        RoomMessage(
            room: room, userId: userId, msgType: msgType, event: event, payload: Array("null".utf8), isRedacted: true,
            timestamp: timestamp, position: position, except: except)
    }
}

/// A message that somebody wants stored in a room, where it is not volatile, and sent to its members.
package struct Publication: Sendable {
    package var room: RoomName
    package var userId: UserID
    package var msgType: Int
    package var event: EventName?
    /// One JSON value, byte for byte.
    package var payload: [UInt8]
    /// Whether it is sent to whoever is there and not stored.
    package var isVolatile = false
    /// Whether a client of an app sent it to others: receivers that ask for it are told.
    package var isClientEvent = false
    /// The connection that is not sent it, by its id.
    package var except: String?
    /// Under the same mark a second publication is not stored again but answered as the first was.
    package var dedupe: DedupeMark?
    /// Whether the room's settings bind it: they bind clients, and no backend.
    package var heedsSettings = false
    /// The call that caused it, as the ledger is told; nil where nobody said.
    package var cause: TraceContext?

    package init(
        room: RoomName, userId: UserID, msgType: Int = 1, event: EventName? = nil, payload: [UInt8],
        dedupe: DedupeMark? = nil
    ) {
        self.room = room
        self.userId = userId
        self.msgType = msgType
        self.event = event
        self.payload = payload
        self.dedupe = dedupe
    }
}

/// A sender's name for one publication within a room, remembered for a while.
package struct DedupeMark: Hashable, Sendable {
    /// The owner of a key: marks of different owners never meet.
    package enum Owner: Hashable, Sendable {
        /// A client's `dedupe`: kept for 2 minutes.
        case user(UserID)
        /// A backend's `idempotencyKey`: kept for 10 minutes.
        case api
        /// A row of the archive's outbox: kept for a day.
        case outbox
    }

    package var owner: Owner
    /// 1 to 128 bytes.
    package var key: String

    package init(owner: Owner, key: String) {
        self.owner = owner
        self.key = key
    }
}

/// The place where a publication was stored.
package struct Published: Hashable, Sendable {
    /// `Position.unstored` for one that is volatile.
    package var position: Position
    /// Milliseconds since 1970 by Redis's clock.
    package var timestamp: Int64
    /// For an inbox: who was reached. Nil for every other room.
    package var reach: Reach?

    package init(position: Position, timestamp: Int64, reach: Reach? = nil) {
        self.position = position
        self.timestamp = timestamp
        self.reach = reach
    }
}

/// The presence of a user when a message was put into the inbox.
package struct Reach: Hashable, Sendable {
    package var isOnline: Bool
    /// Without those in their grace.
    package var connections: Int

    package init(isOnline: Bool, connections: Int) {
        self.isOnline = isOnline
        self.connections = connections
    }
}

/// The part of a room's log that is asked for.
package struct HistoryRange: Hashable, Sendable {
    package enum Edge: Hashable, Sendable {
        /// The newest messages.
        case newest
        /// The newest ones with a `seq` below this one.
        case before(Int)
        /// The oldest ones with a `seq` above this one.
        case after(Int)
    }

    package var edge: Edge
    /// Of which epoch the edge is; nil: of the present one.
    package var epoch: String?
    /// 1 to 1,000 messages.
    package var limit: Int
    /// Bytes of messages after which the page ends, in the midst of one that it then holds as well.
    package var maxBytes = 1 << 20

    package init(edge: Edge, epoch: String? = nil, limit: Int) {
        self.edge = edge
        self.epoch = epoch
        self.limit = limit
    }
}

/// Part of a room's log, oldest first.
package struct HistoryPage: Sendable {
    package var room: RoomName
    /// The room's head at the moment of reading; `seq` 0 with an empty epoch for a room never written to.
    package var head: Position
    package var messages: [RoomMessage]
    /// Whether the log holds more beyond this page, in the direction of reading.
    package var more: Bool
    /// Whether there may be more in the archive, which cannot be asked.
    package var isArchiveAway = false

    package init(room: RoomName, head: Position, messages: [RoomMessage], more: Bool) {
        self.room = room
        self.head = head
        self.messages = messages
        self.more = more
    }
}
