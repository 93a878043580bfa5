import GatewayCore

/// A message to a hub from other threads.
enum Letter: Sendable {
    case deliveries([StreamDelivery])
    /// What a session has asked for is there; where it stood in a queue, the next one can begin.
    case answer(SocketHandler, SessionMachine.Answer, ends: QueuedWork? = nil)
    /// A roster that was read again.
    case roster(RoomName, Result<ReadRoster, DirectoryError>)
    /// The session is told more than this, which the hub has to look up.
    case sharersUnknown(SocketHandler, id: RequestID?, users: [UserID], error: DirectoryError)
}

/// A kind of work that a hub does a few at a time, whoever wants it.
enum QueuedWork: Sendable {
    case resumption
    case pageRead
}

/// Letters for one event loop: however many come before it turns to them, it is woken once.
///
/// A loop that falls too far behind gives up the messages that wait: their rooms' members get a `gap` instead, and of
/// each roster and each watched user only the latest state is told. The other letters are bounded by what connections
/// may have under way.
struct Mailbox: Sendable {
    private var letters: [Letter] = []
    /// Of the messages and changes in them, with something for the objects around the payloads.
    private var messageBytes = 0 {
        didSet { memory.add(messageBytes - oldValue, to: .mail) }
    }
    private let mostMessageBytes: Int
    private let memory: MemoryAccount

    init(maxMessageBytes: Int = 64 << 20, memory: MemoryAccount) {
        mostMessageBytes = maxMessageBytes
        self.memory = memory
    }

    /// Less where the node holds too much as it is.
    private var maxMessageBytes: Int { memory.isOverdrawn ? mostMessageBytes / 8 : mostMessageBytes }

    /// Whether the loop has to be woken for it, and how many messages had to be given up.
    mutating func put(_ letter: Letter) -> (mustWake: Bool, givenUp: Int) {
        letters.append(letter)
        var givenUp = 0
        if case .deliveries(let deliveries) = letter {
            messageBytes += deliveries.reduce(0) { $0 + $1.messageBytes }
            if messageBytes > maxMessageBytes {
                givenUp = collapse()
            }
        }
        return (letters.count == 1, givenUp)
    }

    /// Takes out all letters, and the bytes of the messages in them, which are counted here no longer.
    mutating func takeAll() -> (letters: [Letter], messageBytes: Int) {
        defer {
            letters = []
            messageBytes = 0
        }
        return (letters, messageBytes)
    }

    /// Puts one gap in the place of each run of a room's messages, and answers how many messages that were.
    private mutating func collapse() -> Int {
        var givenUp = 0
        var told = Told()
        // Read from the end: the last position of a run is the one that its gap tells.
        for index in letters.indices.reversed() {
            guard case .deliveries(let deliveries) = letters[index] else { continue }
            var kept: [StreamDelivery] = []
            for delivery in deliveries.reversed() {
                if case .messages(_, let messages, _) = delivery { givenUp += messages.count }
                if let rest = told.rest(of: delivery) { kept.append(rest) }
            }
            letters[index] = .deliveries(kept.reversed())
        }
        messageBytes = 0
        return givenUp
    }

    /// The rooms and users of which something that comes later tells.
    private struct Told {
        private var positions: Set<RoomName> = []
        private var rosters: Set<RoomName> = []
        private var counts: Set<RoomName> = []
        private var countsForNewcomers: Set<RoomName> = []
        private var users: Set<UserID> = []

        /// What is left of a delivery; nil where what comes later says it all.
        mutating func rest(of delivery: StreamDelivery) -> StreamDelivery? {
            switch delivery {
            case .messages(let room, let messages, _):
                guard let last = messages.last, positions.insert(room).inserted else { return nil }
                return .gap(room: room, position: last.position)
            case .gap(let room, let position), .epoch(let room, let position):
                return positions.insert(room).inserted ? .gap(room: room, position: position) : nil
            case .presence(var change):
                guard rosters.insert(change.room).inserted else { return nil }
                change.events = []
                return .presence(change)
            case .status(let change):
                return users.insert(change.userId).inserted ? delivery : nil
            case .counted(let room, _): return counts.insert(room).inserted ? delivery : nil
            case .countedForNewcomers(let room, _):
                return !counts.contains(room) && countsForNewcomers.insert(room).inserted ? delivery : nil
            case .signal, .unstored:
                return nil
            case .following(_, let room, _):
                // What comes after a listener's answer is another run than what came before.
                positions.remove(room)
                rosters.remove(room)
                return delivery
            case .watching(_, let statuses):
                for status in statuses { users.remove(status.userId) }
                return delivery
            case .failed, .watchFailed, .close, .room, .redacted, .putOut, .invited, .reviewed:
                return delivery
            }
        }
    }
}

extension StreamDelivery {
    private static let objectBytes = 256

    fileprivate var messageBytes: Int {
        switch self {
        case .messages(_, let messages, _): messages.reduce(0) { $0 + $1.payload.count + StreamDelivery.objectBytes }
        case .unstored(let message): message.payload.count + StreamDelivery.objectBytes
        case .presence(let change):
            change.events.reduce(StreamDelivery.objectBytes) { $0 + ($1.info?.count ?? 0) + StreamDelivery.objectBytes }
        case .room(let change): change.state.settings.count + StreamDelivery.objectBytes
        case .redacted(let redaction): 8 * redaction.seqs.count + StreamDelivery.objectBytes
        case .signal(let signal): signal.payload.count + StreamDelivery.objectBytes
        case .status, .counted, .countedForNewcomers: StreamDelivery.objectBytes
        case .following, .failed, .watching, .watchFailed, .gap, .epoch, .close, .putOut, .invited, .reviewed: 0
        }
    }
}
