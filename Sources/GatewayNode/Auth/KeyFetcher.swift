import AsyncHTTPClient
import Glibc
import NIOCore
import NIOPosix
import NIOSSL
import Webhooks

/// Gets keys from https URLs; redirects are not followed.
package final class KeyFetcher: Sendable {
    /// From dialling to the end of the answer.
    package static let timeout = Duration.seconds(5)

    private let client: HTTPClient

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
        client = HTTPClient(eventLoopGroupProvider: .shared(group), configuration: settings)
    }

    package func shutdown() async throws {
        try await client.shutdown()
    }

    package func keys(at url: String) async throws(KeyProblem) -> KeySet {
        let body: ByteBuffer
        do {
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

    private static func problem(_ error: any Error) -> KeyProblem {
        switch error {
        case let problem as KeyProblem: problem
        case is NIOTooManyBytesError: KeyProblem("is longer than \(KeySet.maxBytes) bytes")
        case let error as HTTPClientError where error == .deadlineExceeded || error == .readTimeout:
            KeyProblem("did not answer within \(timeout.components.seconds) s")
        case let error as NIOConnectionError:
            error.connectionErrors.first.map { problem($0.error) } ?? KeyProblem("has a name that does not resolve")
        case let error as IOError: KeyProblem("could not be reached: \(String(cString: strerror(error.errnoCode)))")
        case is NIOSSLError, is BoringSSLError, is NIOSSLExtraError:
            KeyProblem("is not trusted: \(error); auth.caFile names authorities of your own")
        default: KeyProblem("could not be read: \(error)")
        }
    }
}
