import Synchronization

/// A backlog between an event loop that must not wait and a reader who may; safe from any thread.
final class Reader<Element: Sendable>: Sendable {
    private struct Contents {
        var backlog: Backlog<Element>
        var isFinished = false
    }

    private let contents: Mutex<Contents>
    private let waiters = Waiters<Void>()

    init(_ backlog: Backlog<Element>) {
        contents = Mutex(Contents(backlog: backlog))
    }

    func append(_ element: Element) {
        contents.withLock { if !$0.isFinished { $0.backlog.append(element) } }
        waiters.resumeAll(())
    }

    /// No more will come; what waits can still be taken.
    func finish() {
        contents.withLock { $0.isFinished = true }
        waiters.resumeAll(())
    }

    /// Nil when all was taken and no more will come, or the task is cancelled.
    func next() async -> Element? {
        while !Task.isCancelled {
            let (element, isFinished) = contents.withLock { ($0.backlog.popFirst(), $0.isFinished) }
            if element != nil || isFinished { return element }
            await waiters.wait { contents.withLock { $0.isFinished || !$0.backlog.isEmpty } ? () : nil }
        }
        return nil
    }
}
