import GatewayCore
import Logging
import ServiceLifecycle

/// Keeps the keys of all issuers fresh for as long as the node runs.
struct TokenKeyService: Service {
    private static let tick = Duration.seconds(5)

    let sources: [KeySource]
    let fetcher: KeyFetcher
    let logger: Logger

    func run() async throws {
        await cancelWhenGracefulShutdown {
            await withTaskGroup(of: Void.self) { group in
                for source in sources { group.addTask { await source.run(logger: logger) } }
                group.addTask {
                    while !Task.isCancelled {
                        // It ends early where the task is cancelled.
                        try? await Task.sleep(for: TokenKeyService.tick)
                        for source in sources { source.tick() }
                    }
                }
            }
        }
        try await fetcher.shutdown()
    }
}

extension TokenKeyService: CustomStringConvertible {
    /// What a service group's log calls it: without this, keys included.
    var description: String { "TokenKeyService" }
}
