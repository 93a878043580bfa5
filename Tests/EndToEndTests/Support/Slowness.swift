import Foundation

/// How much longer things take on this machine than on one that has time for them, since others want it too.
struct Slowness: Sendable {
    private static let work = Duration.milliseconds(2)

    private var wall = Duration.zero
    private var processor = Duration.zero

    /// 1 is not at all.
    var factor: Double { max(1, wall / max(processor, .nanoseconds(1))) }

    /// Does a little work for the processor, and looks how long that takes.
    mutating func measure() {
        let start = (wall: ContinuousClock.now, processor: Slowness.processorTime)
        while Slowness.processorTime - start.processor < Slowness.work {}
        wall += start.wall.duration(to: .now)
        processor += Slowness.processorTime - start.processor
    }

    mutating func add(_ other: Slowness) {
        wall += other.wall
        processor += other.processor
    }

    /// Measures while something is done; answers how long that took and what came of it.
    static func beside<Value: Sendable>(
        _ act: () async throws -> Value
    ) async throws -> (value: Value, time: Duration, slowness: Double) {
        let measuring = Task {
            var slowness = Slowness()
            while !Task.isCancelled {
                slowness.measure()
                try? await ContinuousClock().sleep(for: .milliseconds(50))  // Cancelled at the end.
            }
            return slowness.factor
        }
        defer { measuring.cancel() }
        let start = ContinuousClock.now
        let value = try await act()
        let time = start.duration(to: .now)
        measuring.cancel()
        return (value, time, await measuring.value)
    }

    /// Of this thread.
    private static var processorTime: Duration {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }
}
