import GatewayCore
import Logging
import ServiceLifecycle

/// Keeps the keys of all issuers fresh for as long as the node runs.
final class TokenKeyService: Service {
    private static let tick = Duration.seconds(5)

    private let sources: Current<[KeySource]>
    private let (changes, change) = AsyncStream.makeStream(of: [KeySource].self)
    private let fetcher: KeyFetcher
    private let logger: Logger

    init(sources: [KeySource], fetcher: KeyFetcher, logger: Logger) {
        self.sources = Current(sources)
        self.fetcher = fetcher
        self.logger = logger
        change.yield(sources)
    }

    var standings: KeyStandings { KeyStandings(sources.now) }

    /// What was read last from a URL.
    func known(at url: String) -> KeySet? { sources.now.first { $0.url == url }?.known }

    /// Has all keys read again at once.
    func renew() {
        for source in sources.now { source.renew() }
    }

    /// Keeps these from here on, and those of before no more; for one caller at a time.
    func replace(_ next: [KeySource]) {
        let last = sources.now
        sources.replace(next)
        change.yield(next)
        for source in last { source.end() }
    }

    func run() async throws {
        await cancelWhenGracefulShutdown { [self] in
            await withDiscardingTaskGroup { group in
                group.addTask {
                    while !Task.isCancelled {
                        // It ends early where the task is cancelled.
                        try? await Task.sleep(for: TokenKeyService.tick)
                        for source in self.sources.now { source.tick() }
                    }
                }
                for await sources in changes {
                    for source in sources { group.addTask { await source.run(logger: self.logger) } }
                }
                group.cancelAll()
            }
        }
        try await fetcher.shutdown()
    }
}

extension TokenKeyService: CustomStringConvertible {
    /// What a service group's log calls it: without this, keys included.
    var description: String { "TokenKeyService" }
}
