import DequeModule
import GatewayCore

/// The latest messages of one room that this node has delivered: numbers without a hole, up to where the stream stands.
struct RecentMessages {
    private var messages: Deque<RoomMessage> = []

    /// Whether all messages after `seq` up to the latest are here.
    func holds(after seq: Int) -> Bool {
        guard let first = messages.first else { return false }
        return first.seq <= seq + 1
    }

    /// The messages after `seq`, which are here.
    func after(_ seq: Int) -> some RandomAccessCollection<RoomMessage> {
        guard let last = messages.last else { return messages.suffix(0) }
        return messages.suffix(max(0, last.seq - seq))
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
