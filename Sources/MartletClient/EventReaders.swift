import Synchronization

/// The loops over a client's events, each with a queue of its own; safe from any thread. Where there is none nothing is kept.
final class EventReaders<Event: Sendable>: Sendable {
    private struct Open {
        var nextID = 0
        var buffers: [Int: EventBuffer<Event>] = [:]
    }

    private let limit: Int
    private let open = Mutex(Open())

    /// - Parameter limit: how much is "full" for one of them.
    init(limit: Int) {
        self.limit = limit
    }

    func begin() -> (id: Int, buffer: EventBuffer<Event>) {
        let buffer = EventBuffer<Event>(limit: limit)
        return open.withLock { open in
            open.nextID += 1
            open.buffers[open.nextID] = buffer
            return (open.nextID, buffer)
        }
    }

    func end(_ id: Int) { open.withLock { $0.buffers[id] = nil } }

    private var buffers: [EventBuffer<Event>] { open.withLock { Array($0.buffers.values) } }

    /// Answers how many wait for the one who is furthest behind.
    func append(_ event: Event) -> Int { buffers.reduce(0) { max($0, $1.append(event)) } }

    /// No more will come for those who read; what waits can still be taken.
    func finish() {
        let buffers = open.withLock { open in
            defer { open.buffers = [:] }
            return open.buffers
        }
        for buffer in buffers.values { buffer.finish() }
    }

    var hasRoom: Bool { buffers.allSatisfy { $0.hasRoom } }

    /// Runs `act` whenever somebody who was behind no longer is; at once where nobody is.
    func onceThereIsRoom(_ act: @escaping @Sendable () -> Void) {
        let behind = buffers.filter { !$0.hasRoom }
        if behind.isEmpty { return act() }
        for buffer in behind { buffer.onceThereIsRoom(act) }
    }
}
