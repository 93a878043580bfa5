import NIOCore
import Synchronization

/// The wishes for channels, from any thread to one loop: all that come within one turn are handed over together, in order.
final class ChangeInbox: Sendable {
    private struct State {
        var changes: [SubscriberCore.Change] = []
        var isDrainScheduled = false
    }

    private let eventLoop: any EventLoop
    private let apply: @Sendable ([SubscriberCore.Change]) -> Void
    private let state = Mutex(State())

    /// - Parameter apply: called on the loop.
    init(eventLoop: any EventLoop, apply: @escaping @Sendable ([SubscriberCore.Change]) -> Void) {
        self.eventLoop = eventLoop
        self.apply = apply
    }

    func hand(_ change: SubscriberCore.Change) {
        let mustSchedule = state.withLock { state in
            state.changes.append(change)
            defer { state.isDrainScheduled = true }
            return !state.isDrainScheduled
        }
        if mustSchedule {
            eventLoop.execute { self.drain() }
        }
    }

    private func drain() {
        let changes = state.withLock { state in
            state.isDrainScheduled = false
            defer { state.changes = [] }
            return state.changes
        }
        apply(changes)
    }
}
