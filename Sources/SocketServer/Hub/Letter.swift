import GatewayCore

/// What reaches a hub from other threads.
enum Letter: Sendable {
    case deliveries([StreamDelivery])
    case published(SocketHandler, id: RequestID?, room: RoomName, Result<Published, BackendError>)
    case history(SocketHandler, id: RequestID?, range: HistoryRange, Result<HistoryPage, BackendError>)
    case verified(SocketHandler, Result<Identity, TokenError>)
}

/// Letters for one event loop: however many come before it turns to them, it is woken once.
struct Mailbox: Sendable {
    private var letters: [Letter] = []

    /// Whether the loop has to be woken.
    mutating func put(_ letter: Letter) -> Bool {
        letters.append(letter)
        return letters.count == 1
    }

    mutating func takeAll() -> [Letter] {
        defer { letters = [] }
        return letters
    }
}
