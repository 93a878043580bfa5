import GatewayCore

/// What reaches a hub from other threads.
enum Letter: Sendable {
    case deliveries([StreamDelivery])
    case published(SocketHandler, id: RequestID?, room: RoomName, Result<Published, BackendError>)
    case history(SocketHandler, id: RequestID?, range: HistoryRange, Result<HistoryPage, BackendError>)
    case verified(SocketHandler, Result<Identity, TokenError>)
}

/// Letters for one event loop: however many come before it turns to them, it is woken once.
///
/// A loop that falls too far behind gives up the messages that wait: their rooms' members get a `gap` instead. The other
/// letters are bounded by what connections may have under way.
struct Mailbox: Sendable {
    private var letters: [Letter] = []
    /// Of the messages in them, with something for the objects around the payloads.
    private var messageBytes = 0
    private let maxMessageBytes: Int

    init(maxMessageBytes: Int = 64 << 20) {
        self.maxMessageBytes = maxMessageBytes
    }

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

    mutating func takeAll() -> [Letter] {
        defer {
            letters = []
            messageBytes = 0
        }
        return letters
    }

    /// Puts one gap in the place of each run of a room's messages, and answers how many messages that were.
    private mutating func collapse() -> Int {
        var givenUp = 0
        // Read from the end: the last position of a run is the one that its gap tells.
        var told: Set<RoomName> = []
        for index in letters.indices.reversed() {
            guard case .deliveries(let deliveries) = letters[index] else { continue }
            var kept: [StreamDelivery] = []
            for delivery in deliveries.reversed() {
                switch delivery {
                case .messages(let room, let messages):
                    givenUp += messages.count
                    guard let last = messages.last, told.insert(room).inserted else { continue }
                    kept.append(.gap(room: room, position: last.position))
                case .gap(let room, let position), .epoch(let room, let position):
                    if told.insert(room).inserted { kept.append(.gap(room: room, position: position)) }
                case .following(_, let room, _, _, _):
                    // What comes after a listener's answer is another run than what came before.
                    told.remove(room)
                    kept.append(delivery)
                case .failed:
                    kept.append(delivery)
                }
            }
            letters[index] = .deliveries(kept.reversed())
        }
        messageBytes = 0
        return givenUp
    }
}

extension StreamDelivery {
    private static let objectBytes = 256

    fileprivate var messageBytes: Int {
        switch self {
        case .messages(_, let messages): messages.reduce(0) { $0 + $1.payload.count + StreamDelivery.objectBytes }
        case .following, .failed, .gap, .epoch: 0
        }
    }
}
