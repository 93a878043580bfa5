import DequeModule
import GatewayCore

/// The latest messages of one room that this node has delivered.
struct RecentMessages {
    private var messages: Deque<RoomMessage> = []

    /// The messages after `seq` up to the latest; nil where the first of them is no longer here.
    func after(_ seq: Int) -> [RoomMessage]? {
        guard let first = messages.first, let last = messages.last else { return nil }
        if seq >= last.seq { return [] }
        guard first.seq <= seq + 1 else { return nil }
        return Array(messages.suffix(last.seq - seq))
    }

    mutating func append(_ message: RoomMessage) {
        messages.append(message)
    }

    mutating func removeOldest() {
        _ = messages.popFirst()
    }

    /// What follows is not the continuation of what is here.
    mutating func removeAll() {
        messages.removeAll()
    }

    var count: Int { messages.count }
}
