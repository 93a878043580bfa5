import Synchronization

/// Collects what happens, on any thread, and lets a test wait for it.
final class Recorder<Element: Sendable>: Sendable {
    private struct Waiter {
        let id: Int
        let condition: @Sendable ([Element]) -> Bool
        let continuation: CheckedContinuation<Void, any Error>
    }

    private struct State {
        var elements: [Element] = []
        var waiters: [Waiter] = []
        var lastID = 0
    }

    private let state = Mutex(State())

    var all: [Element] { state.withLock { $0.elements } }

    func record(_ element: Element) {
        let due = state.withLock { state in
            state.elements.append(element)
            let elements = state.elements
            let due = state.waiters.filter { $0.condition(elements) }
            state.waiters.removeAll { waiter in due.contains { $0.id == waiter.id } }
            return due
        }
        for waiter in due { waiter.continuation.resume() }
    }

    /// Returns as soon as the condition holds for all that was recorded; throws when the test's time is up.
    func until(_ condition: @escaping @Sendable ([Element]) -> Bool) async throws {
        let id = state.withLock { state in
            state.lastID += 1
            return state.lastID
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let holds = state.withLock { state in
                    if condition(state.elements) { return true }
                    state.waiters.append(Waiter(id: id, condition: condition, continuation: continuation))
                    return false
                }
                if holds { continuation.resume() }
                if Task.isCancelled { cancel(id) }
            }
        } onCancel: {
            cancel(id)
        }
    }

    private func cancel(_ id: Int) {
        let waiter = state.withLock { state -> Waiter? in
            guard let index = state.waiters.firstIndex(where: { $0.id == id }) else { return nil }
            return state.waiters.remove(at: index)
        }
        waiter?.continuation.resume(throwing: CancellationError())
    }
}
