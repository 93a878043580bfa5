/// The ledger of what happened, as it is carried out of the house to a backend's receivers.
///
/// Every receiver has a place of its own in each partition's ledger, kept in the store. Whoever coordinates a partition
/// carries its events out; all that changes a place names the assignment under which it does so, and is refused once
/// another node has taken the partition over. Every call may come from any thread.
package protocol EventLedger: Sendable {
    /// The partitions that this node looks after just now.
    func assignments() -> [LedgerAssignment]

    /// The next events of a partition that a receiver has not taken yet, the same ones again until they are settled;
    /// nil where there are none.
    func gather(_ assignment: LedgerAssignment, for receiver: WebhookReceiver) async throws(LedgerError) -> LedgerBatch?

    /// Moves the receiver's place beyond the batch. Twice is as good as once.
    func settle(
        _ batch: LedgerBatch, of assignment: LedgerAssignment, for receiver: WebhookReceiver, as outcome: LedgerOutcome
    ) async throws(LedgerError)

    /// Keeps the reason of a failed attempt, so that any node can tell it.
    func record(_ problem: String, of assignment: LedgerAssignment, for receiver: WebhookReceiver)
        async throws(LedgerError)

    /// Lets go of what all these receivers have taken, and of the places of receivers that are long gone.
    func trim(_ assignment: LedgerAssignment, receivers: [WebhookReceiver]) async throws(LedgerError)
}

/// One partition in this node's care; another token is another term of office.
package struct LedgerAssignment: Hashable, Sendable {
    package var partition: Int
    /// The coordinator's fencing token: `holder number`.
    package var token: String

    package init(partition: Int, token: String) {
        self.partition = partition
        self.token = token
    }
}

/// The reason why the ledger did not do what it was asked.
package enum LedgerError: Error, Hashable, Sendable {
    /// The partition is another node's by now.
    case refused
    /// The store is away; nothing is known to have been done.
    case unavailable(reason: String)
}

/// Events of one partition in their order, as one request carries them.
package struct LedgerBatch: Hashable, Sendable {
    package enum Kind: Hashable, Sendable {
        /// What came after the last batch.
        case news
        /// Events that were lost to this receiver; the batch is one event that says so.
        case loss
        /// Events from further back, which somebody asked to be sent again.
        case replay
    }

    package var kind: Kind
    /// Those that the receiver wants.
    package var events: [LedgerEvent]
    /// All that are settled with the batch, wanted or not, as the ledger names them.
    package var entries: [String]
    /// More may follow at once.
    package var hasMore: Bool
    /// When it was gathered, in milliseconds since 1970 by the store's clock.
    package var gatheredAt: Int64
    /// How many of the partition's events the receiver has not settled, these included.
    package var lag: Int
    /// The store's own receipt for the batch; empty where it needs none.
    package var receipt: String

    package init(
        kind: Kind, events: [LedgerEvent], entries: [String], hasMore: Bool, gatheredAt: Int64, lag: Int,
        receipt: String = ""
    ) {
        self.kind = kind
        self.events = events
        self.entries = entries
        self.hasMore = hasMore
        self.gatheredAt = gatheredAt
        self.lag = lag
        self.receipt = receipt
    }
}

/// One event, as a backend is told it.
package struct LedgerEvent: Hashable, Sendable {
    /// The message that a `message.published` tells of.
    package struct Message: Hashable, Sendable {
        package var position: Position
        package var msgType: Int
        package var event: EventName?
        /// JSON, byte for byte as it was sent.
        package var payload: [UInt8]
        /// Whether the payload was taken away: it is `null` then.
        package var isRedacted: Bool
        /// The connection that sent it, and was left out; nil where none was.
        package var sender: String?

        package init(
            position: Position, msgType: Int, event: EventName? = nil, payload: [UInt8], isRedacted: Bool = false,
            sender: String? = nil
        ) {
            self.position = position
            self.msgType = msgType
            self.event = event
            self.payload = payload
            self.isRedacted = isRedacted
            self.sender = sender
        }
    }

    /// Never that of another event; the same however often the event is sent.
    package var id: String
    /// The ledger's own name for the entry, within its partition; empty for what is no entry.
    package var entry: String
    /// One of `EventType`, or a later version's.
    package var type: String
    package var userId: String?
    package var roomId: String?
    package var cause: String?
    /// Milliseconds since 1970 by the store's clock.
    package var timestamp: Int64
    package var message: Message?
    /// How many were lost, for `events.lost`.
    package var count: Int?
    /// What a change in a governed room says besides: a JSON object, whose fields stand among the others.
    package var details: [UInt8]?
    /// Of the call that caused it, where it said so.
    package var trace: TraceContext?

    package init(
        id: String, entry: String, type: String, userId: String? = nil, roomId: String? = nil, cause: String? = nil,
        timestamp: Int64, message: Message? = nil, count: Int? = nil
    ) {
        self.id = id
        self.entry = entry
        self.type = type
        self.userId = userId
        self.roomId = roomId
        self.cause = cause
        self.timestamp = timestamp
        self.message = message
        self.count = count
    }
}

/// The types of events that a receiver can choose among; `events.lost` goes to all.
package enum EventType: String, CaseIterable, Sendable {
    case userOnline = "user.online"
    case userOffline = "user.offline"
    case roomOccupied = "room.occupied"
    case roomVacated = "room.vacated"
    case memberJoined = "member.joined"
    case memberLeft = "member.left"
    case messagePublished = "message.published"
    case roomUpdated = "room.updated"
    case hostChanged = "room.host_changed"
    case memberRole = "member.role"
    case memberRemoved = "member.removed"
    case memberBanned = "member.banned"
    /// How many connections are in a room, as apps' receivers are told it.
    case roomCounted = "room.counted"
    /// What a client of an app has sent to others, which is stored nowhere else.
    case clientEvent = "client.event"
    /// Somebody came to a room for its last message, and there was none.
    case roomMissed = "room.missed"

    /// Those that only apps' receivers are told of, and that are noted only where one has asked for them.
    package static let ofApps: Set<EventType> = [.roomCounted, .clientEvent, .roomMissed]

    /// Those that any receiver may be told of.
    package static let native = allCases.filter { !ofApps.contains($0) }

    /// What stands in place of events that the ledger could not keep until the receiver took them.
    package static let lost = "events.lost"
}

/// The outcome of a batch.
package enum LedgerOutcome: Hashable, Sendable {
    /// The receiver has it, or wants none of it.
    case sent
    /// Given up: kept as dead letters, of a replay only the order is dropped.
    case givenUp(reason: String)
}
