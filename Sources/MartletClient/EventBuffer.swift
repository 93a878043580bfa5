import NIOCore
import Synchronization

/// A queue between an event loop that must not wait and a consumer who may; safe from any thread.
///
/// It never drops anything. Whoever fills it looks at the count that `append` answers and stops its source in time.
package final class EventBuffer<Element: Sendable>: Sendable {
    private struct Queue {
        var elements = CircularBuffer<Element>()
        var isFinished = false
        var onRoom: [@Sendable () -> Void] = []
    }

    private let limit: Int
    private let queue = Mutex(Queue())
    private let waiters = Waiters<Void>()

    /// - Parameter limit: how much is "full"; there is room again at half of it.
    package init(limit: Int) {
        self.limit = max(limit, 1)
    }

    /// Answers how many wait now.
    package func append(_ element: Element) -> Int {
        let count = queue.withLock { queue in
            guard !queue.isFinished else { return 0 }
            queue.elements.append(element)
            return queue.elements.count
        }
        waiters.resumeAll(())
        return count
    }

    /// No more will come; what waits can still be taken.
    package func finish() {
        queue.withLock { $0.isFinished = true }
        waiters.resumeAll(())
    }

    /// Nil when all was taken and no more will come, or the task is cancelled.
    package func next() async -> Element? {
        while true {
            let (element, isFinished, onRoom) = queue.withLock { queue in
                let element = queue.elements.popFirst()
                let hasRoom = queue.elements.count <= limit / 2
                defer { if hasRoom { queue.onRoom.removeAll() } }
                return (element, queue.isFinished, hasRoom ? queue.onRoom : [])
            }
            for act in onRoom { act() }
            if let element { return element }
            if isFinished || Task.isCancelled { return nil }
            await waiters.wait {
                queue.withLock { $0.isFinished || !$0.elements.isEmpty } ? () : nil
            }
        }
    }

    /// Runs `act` once, when at most half of the limit waits: at once where that is so.
    package func onceThereIsRoom(_ act: @escaping @Sendable () -> Void) {
        let hasRoom = queue.withLock { queue in
            if queue.elements.count <= limit / 2 { return true }
            queue.onRoom.append(act)
            return false
        }
        if hasRoom { act() }
    }

    package var hasRoom: Bool { queue.withLock { $0.elements.count <= limit / 2 } }
}
