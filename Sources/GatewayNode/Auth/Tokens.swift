import Foundation
import GatewayCore
import Logging
import Metrics
import NIOCore
import SocketServer

/// What a node needs to check tokens; without `auth.mode` jwt nothing of it runs.
struct Tokens: Sendable {
    private struct Checking: Sendable {
        let verifier: JWTVerifier
        let service: TokenKeyService
        let fetcher: KeyFetcher
    }

    private let checking: Checking?

    /// - Throws: ``NodeFailure`` where a file that was good when the settings were read is so no longer.
    init(_ settings: Settings, group: any EventLoopGroup, metrics: any MetricsFactory, logger: Logger) throws {
        guard settings.auth.mode == .jwt else {
            checking = nil
            return
        }
        do {
            let fetcher = KeyFetcher(authorities: try settings.tokenAuthorities(), group: group)
            let issuers = try Tokens.issuers(of: settings, by: fetcher)
            checking = Checking(
                verifier: JWTVerifier(
                    issuers: issuers, metrics: metrics, now: { Int64(Date().timeIntervalSince1970 * 1000) }),
                service: TokenKeyService(sources: issuers.map(\.keys), fetcher: fetcher, logger: logger),
                fetcher: fetcher)
        } catch {
            throw NodeFailure("the keys of tokens cannot be read: \(error)", status: NodeFailure.configuration)
        }
    }

    private static func issuers(
        of settings: Settings, by fetcher: KeyFetcher, known: (_ url: String) -> KeySet? = { _ in nil }
    ) throws(KeyProblem) -> [TokenIssuer] {
        try settings.issuers(
            fetch: { url throws(KeyProblem) in try await fetcher.keys(at: url) }, known: known,
            now: Clocks.system.monotonic)
    }

    /// Where the settings ask for tokens that are checked here; nil elsewhere.
    var verifier: JWTVerifier? { checking?.verifier }

    /// Keeps the keys fresh; nil where there are none.
    var service: TokenKeyService? { checking?.service }

    /// How it stands with the keys; nil where none are needed.
    var standings: KeyStandings? { checking?.service.standings }

    /// Has all keys read again at once.
    func renew() { checking?.service.renew() }

    /// Those whose tokens these settings believe; none where none are checked.
    func issuers(of settings: Settings) throws(KeyProblem) -> [TokenIssuer] {
        guard let checking else { return [] }
        return try Tokens.issuers(of: settings, by: checking.fetcher, known: checking.service.known)
    }

    /// From here on these are believed, and nobody else.
    func take(_ issuers: [TokenIssuer]) {
        guard let checking, !issuers.isEmpty else { return }
        checking.service.replace(issuers.map(\.keys))
        checking.verifier.replace(issuers)
    }
}
