import GatewayCore
import NIOCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Keeps the node's banned addresses those of Redis: looks once a second whether they have changed, and reads them where
/// they have. While Redis does not answer, what is known stays.
///
/// `@unchecked Sendable`: all mutable state is touched on the link's loop only.
final class BanFeed: @unchecked Sendable {
    private let store: Store
    private let banned: BannedAddresses
    /// Milliseconds since 1970 by this machine's clock, which the handshakes go by.
    private let wallMilliseconds: @Sendable () -> Int64
    private let interval: TimeAmount
    private var version: String?
    private var looking: RepeatedTask?
    private var isUnderWay = false
    private var mustLookAgain = false

    private var loop: any EventLoop { store.link.eventLoop }

    init(
        store: Store, banned: BannedAddresses, interval: Duration,
        wallMilliseconds: @escaping @Sendable () -> Int64 = BanFeed.systemTime
    ) {
        self.store = store
        self.banned = banned
        self.wallMilliseconds = wallMilliseconds
        self.interval = TimeAmount(interval)
    }

    func start() {
        loop.execute { [self] in
            looking = loop.scheduleRepeatedTask(initialDelay: .zero, delay: interval) { _ in self.look() }
        }
    }

    func stop() {
        loop.execute { [self] in
            looking?.cancel()
            looking = nil
        }
    }

    /// Looks at once; a look that is under way may have come too early, and is followed by another.
    func lookNow() {
        loop.execute { [self] in
            if isUnderWay { mustLookAgain = true } else { look() }
        }
    }

    static let systemTime: @Sendable () -> Int64 = {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }

    private func look() {
        guard !isUnderWay else { return }
        isUnderWay = true
        store.send(.text(of: store.keys.addressBanVersion)) { [self] result in
            guard case .success(let found) = result, found ?? "" != version else { return looked() }
            store.call(ReadBans()) { [self] result in
                if case .success(let list) = result { receive(list) }
                looked()
            }
        }
    }

    private func looked() {
        isUnderWay = false
        guard mustLookAgain else { return }
        mustLookAgain = false
        look()
    }

    private func receive(_ list: ReadBans.Answer) {
        version = list.version
        let ahead = wallMilliseconds() - list.now
        banned.replace(
            with: list.bans.map { BannedAddresses.Ban(range: $0.range, until: $0.until + ahead) })
    }
}
