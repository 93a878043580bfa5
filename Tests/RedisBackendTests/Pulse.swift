import NIOCore
import Synchronization

/// How long an event loop stood still, as on a machine that others want too.
final class Pulse: Sendable {
    private static let interval = TimeAmount.milliseconds(20)

    private let longest = Mutex(TimeAmount.zero)
    private let beating = Mutex<RepeatedTask?>(nil)

    init(of loop: any EventLoop) {
        let last = Mutex(NIODeadline.now())
        let task = loop.scheduleRepeatedTask(initialDelay: .zero, delay: Pulse.interval) { [weak self] task in
            guard let self else { return task.cancel() }
            let now = NIODeadline.now()
            let before = last.withLock { last in
                defer { last = now }
                return last
            }
            longest.withLock { $0 = max($0, now - before - Pulse.interval) }
        }
        beating.withLock { $0 = task }
    }

    deinit { beating.withLock { $0?.cancel() } }

    /// The longest time since this was asked last.
    func takeLongest() -> TimeAmount {
        longest.withLock { longest in
            defer { longest = .zero }
            return longest
        }
    }
}
