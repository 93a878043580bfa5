import Foundation
import Synchronization

/// A child process that dies with this one, and is ended once, however often that is asked.
final class WardedChild: Sendable {
    private typealias Child = RedisServerProcess.ChildProcess

    let pid: pid_t
    /// A shell that ends the child when this process is gone, and what tells it so.
    private let warden: (pid: pid_t, lifeline: Int32)
    private let hasEnded = Mutex(false)

    /// - Parameter pid: a child of this process, which nobody else waits for.
    init(_ pid: pid_t) throws {
        self.pid = pid
        warden = try Child.warden(over: pid)
    }

    deinit { end() }

    /// Kills it and waits until it is gone.
    func end() {
        guard takeEnd() else { return }
        Child.end(pid)
        dismissWarden()
    }

    /// Of one that ends by itself: its exit status as a shell counts it; nil where it was ended before. Blocks until then.
    func exitStatus() -> Int32? {
        guard takeEnd() else { return nil }
        defer { dismissWarden() }
        return Child.exitStatus(of: pid)
    }

    /// Whether it is the caller who ends it.
    private func takeEnd() -> Bool {
        hasEnded.withLock { ended in
            defer { ended = true }
            return !ended
        }
    }

    private func dismissWarden() {
        Child.end(warden.pid)
        close(warden.lifeline)
    }
}
