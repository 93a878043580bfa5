import AsyncHTTPClient
import Glibc
import NIOCore
import NIOPosix
import NIOSSL
import ServerTrust
import Synchronization
import Webhooks

/// Gets keys from https URLs; redirects are not followed.
package final class KeyFetcher: Sendable {
    /// From dialling to the end of the answer.
    package static let timeout = Duration.seconds(5)

    private enum Clients {
        /// By the host whose certificates they take: of those that the settings have named since the node began.
        case open([String: HTTPClient])
        case ended
    }

    private let settings: HTTPClient.Configuration
    private let group: any EventLoopGroup
    private let clients = Mutex(Clients.open([:]))

    /// `authorities` are trusted beside the system's. `shutdown` must be called in the end.
    package init(authorities: [NIOSSLCertificate] = [], group: any EventLoopGroup) {
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.minimumTLSVersion = .tlsv12
        tls.additionalTrustRoots = [.certificates(authorities)]
        var settings = HTTPClient.Configuration(
            tlsConfiguration: tls, redirectConfiguration: .disallow,
            timeout: .init(connect: TimeAmount(KeyFetcher.timeout)))
        settings.httpVersion = .http1Only
        settings.connectionPool.retryConnectionEstablishment = false
        settings.connectionPool.idleTimeout = .seconds(10)
        self.settings = settings
        self.group = group
    }

    package func shutdown() async throws {
        let last: [HTTPClient] = clients.withLock { clients in
            defer { clients = .ended }
            return if case .open(let open) = clients { Array(open.values) } else { [] }
        }
        for client in last { try await client.shutdown() }
    }

    package func keys(at url: String) async throws(KeyProblem) -> KeySet {
        let body: ByteBuffer
        do {
            let client = try client(for: url)
            var request = HTTPClientRequest(url: url)
            request.headers.add(name: "Accept", value: "application/json")
            request.headers.add(name: "User-Agent", value: "Martlet")
            let answer = try await client.ask(request, within: KeyFetcher.timeout, upTo: KeySet.maxBytes)
            guard answer.status == .ok else { throw KeyProblem("answered \(answer.status.code)") }
            body = try answer.body.get()
        } catch {
            throw KeyFetcher.problem(error)
        }
        return try KeySet(jwks: body.readableBytesView)
    }

    private func client(for url: String) throws(KeyProblem) -> HTTPClient {
        guard let target = WebhookURL(url), target.isSecure else { throw KeyProblem("is no https:// URL") }
        let client: HTTPClient? = clients.withLock { clients in
            guard case .open(var open) = clients else { return nil }
            if let known = open[target.host] { return known }
            var settings = settings
            settings.holdCertificates(to: target)
            let client = HTTPClient(eventLoopGroupProvider: .shared(group), configuration: settings)
            open[target.host] = client
            clients = .open(open)
            return client
        }
        guard let client else { throw KeyProblem("is asked no more: this node ends") }
        return client
    }

    private static func problem(_ error: any Error) -> KeyProblem {
        switch error {
        case let problem as KeyProblem: problem
        case is NIOTooManyBytesError: KeyProblem("is longer than \(KeySet.maxBytes) bytes")
        case let error as HTTPClientError where error == .deadlineExceeded || error == .readTimeout:
            KeyProblem("did not answer within \(timeout.components.seconds) s")
        case let error as NIOConnectionError:
            error.connectionErrors.first.map { problem($0.error) } ?? KeyProblem("has a name that does not resolve")
        case let error as IOError: KeyProblem("could not be reached: \(String(cString: strerror(error.errnoCode)))")
        default:
            switch TLSRefusal(error) {
            case nil: KeyProblem("could not be read: \(error)")
            case .untrusted?:
                KeyProblem("is not trusted: \(TLSRefusal.untrusted); auth.caFile names authorities of your own")
            case let refusal?: KeyProblem("is not trusted: \(refusal)")
            }
        }
    }
}
