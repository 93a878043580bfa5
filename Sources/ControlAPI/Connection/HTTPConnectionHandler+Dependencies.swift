import GatewayCore

extension HTTPConnectionHandler {
    /// The dependencies that all connections of a port share.
    package struct Dependencies: Sendable {
        package var heads: RequestHeadRules
        package var times: HTTPConnectionRules.Times
        package var table: ConnectionTable
        package var now: @Sendable () -> MonotonicTime
        package var date: HTTPDateCache
        /// Told the status of what is refused here.
        package var onRefusal: @Sendable (Int) -> Void

        package init(
            heads: RequestHeadRules, times: HTTPConnectionRules.Times, table: ConnectionTable,
            now: @escaping @Sendable () -> MonotonicTime, date: HTTPDateCache,
            onRefusal: @escaping @Sendable (Int) -> Void
        ) {
            self.heads = heads
            self.times = times
            self.table = table
            self.now = now
            self.date = date
            self.onRefusal = onRefusal
        }
    }
}
