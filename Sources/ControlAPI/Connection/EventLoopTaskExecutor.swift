import NIOCore

/// An executor that runs tasks on an event loop: what serves a connection stays on the connection's thread.
///
/// They must not outlive the loop: what comes after its end never runs.
final class EventLoopTaskExecutor: TaskExecutor {
    let loop: any EventLoop

    init(_ loop: any EventLoop) {
        self.loop = loop
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        loop.execute { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
