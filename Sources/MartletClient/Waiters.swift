import Synchronization

/// Tasks that wait for something to be decided; safe from any thread.
final class Waiters<Value: Sendable>: Sendable {
    private struct Waiting {
        var nextID: UInt64 = 0
        var continuations: [UInt64: CheckedContinuation<Value?, Never>] = [:]
    }

    private let waiting = Mutex(Waiting())

    /// Waits for the next `resumeAll`; nil where the task is cancelled first.
    ///
    /// `decided` is asked once the wait has begun, so that a decision between the caller's look and its wait is not missed.
    func wait(unless decided: () -> Value?) async -> Value? {
        let id = waiting.withLock { waiting in
            waiting.nextID += 1
            return waiting.nextID
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                waiting.withLock { $0.continuations[id] = continuation }
                if Task.isCancelled {
                    resume(id, nil)
                } else if let value = decided() {
                    resume(id, value)
                }
            }
        } onCancel: {
            resume(id, nil)
        }
    }

    func resumeAll(_ value: Value) {
        let continuations = waiting.withLock { waiting in
            defer { waiting.continuations.removeAll() }
            return waiting.continuations
        }
        for continuation in continuations.values { continuation.resume(returning: value) }
    }

    private func resume(_ id: UInt64, _ value: Value?) {
        waiting.withLock { $0.continuations.removeValue(forKey: id) }?.resume(returning: value)
    }
}

extension Waiters where Value == Void {
    /// Waits, through as many `resumeAll` as it takes, for a condition that each of them may have brought about; or for
    /// the task's cancellation.
    func wait(until isTrue: () -> Bool) async {
        while !Task.isCancelled, !isTrue() {
            await wait { isTrue() ? () : nil }
        }
    }
}
