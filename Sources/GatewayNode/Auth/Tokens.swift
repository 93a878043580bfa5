import Foundation
import GatewayCore
import Logging
import Metrics
import NIOCore
import SocketServer

/// What a node needs to check tokens; without `auth.mode` jwt nothing of it runs.
struct Tokens: Sendable {
    let authentication: SocketServerConfiguration.Authentication
    /// Keeps the keys fresh; nil where there are none.
    let service: TokenKeyService?
    private let sources: [KeySource]

    /// - Throws: ``NodeFailure`` where a file that was good when the settings were read is so no longer.
    init(_ settings: Settings, group: any EventLoopGroup, metrics: any MetricsFactory, logger: Logger) throws {
        guard settings.auth.mode == .jwt else {
            (authentication, service, sources) = (.none, nil, [])
            return
        }
        let issuers: [TokenIssuer]
        let fetcher: KeyFetcher
        do {
            fetcher = KeyFetcher(authorities: try settings.tokenAuthorities(), group: group)
            issuers = try settings.issuers(
                fetch: { url throws(KeyProblem) in try await fetcher.keys(at: url) },
                now: Clocks.system.monotonic)
        } catch {
            throw NodeFailure("the keys of tokens cannot be read: \(error)", status: NodeFailure.configuration)
        }
        sources = issuers.map(\.keys)
        authentication = .jwt(
            JWTVerifier(
                issuers: issuers, metrics: metrics, now: { Int64(Date().timeIntervalSince1970 * 1000) }))
        service = TokenKeyService(sources: sources, fetcher: fetcher, logger: logger)
    }

    /// Why no token at all can be checked; nil where some can.
    var problem: String? {
        let problems = sources.compactMap(\.problem)
        return problems.count == sources.count ? problems.first : nil
    }

    /// Has all keys read again at once.
    func renew() {
        for source in sources { source.renew() }
    }
}
