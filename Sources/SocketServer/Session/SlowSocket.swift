import GatewayCore

/// The extra state of a connection for which bytes wait; on the heap, since most connections have none.
///
/// It belongs to the hub's event loop.
final class SlowSocket {
    var queue: SocketQueue

    init(now: MonotonicTime) {
        queue = SocketQueue(now: now)
    }
}
