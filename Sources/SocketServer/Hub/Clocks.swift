import GatewayCore
import NIOCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The two clocks of a hub: one that only runs forward for waiting, and the wall's for what tokens say.
package struct Clocks: Sendable {
    package var monotonic: @Sendable () -> MonotonicTime
    /// Milliseconds since 1970.
    package var wall: @Sendable () -> Int64

    package init(
        monotonic: @escaping @Sendable () -> MonotonicTime, wall: @escaping @Sendable () -> Int64
    ) {
        self.monotonic = monotonic
        self.wall = wall
    }

    /// The system's.
    package static let system = Clocks(
        monotonic: { MonotonicTime(nanoseconds: Int64(clamping: NIODeadline.now().uptimeNanoseconds)) },
        wall: {
            var time = timespec()
            clock_gettime(CLOCK_REALTIME, &time)
            return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
        })
}
