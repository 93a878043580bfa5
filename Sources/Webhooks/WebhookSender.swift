import AsyncHTTPClient
import GatewayCore
import Glibc
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

/// Sends one batch as one signed POST.
package struct WebhookSender: Sendable {
    private let client: HTTPClient
    private let secrets: [String]
    private let timeout: Duration
    private let allowsPrivate: Bool
    /// Seconds since 1970.
    private let now: @Sendable () -> Int64

    /// Throws where the file of certificate authorities cannot be read. `shutdown` must be called in the end.
    package init(
        configuration: WebhookConfiguration, group: any EventLoopGroup, now: @escaping @Sendable () -> Int64
    ) throws {
        var tls = TLSConfiguration.makeClientConfiguration()
        if let file = configuration.certificateAuthorityFile { tls.trustRoots = .file(file) }
        var settings = HTTPClient.Configuration(
            tlsConfiguration: tls, redirectConfiguration: .disallow,
            timeout: .init(connect: TimeAmount(min(configuration.timeout, .seconds(10)))))
        settings.httpVersion = .http1Only
        settings.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit =
            configuration.concurrency * max(1, configuration.receivers.count)
        // Pauses between attempts are ours to decide.
        settings.connectionPool.retryConnectionEstablishment = false
        if !configuration.allowsPrivate { settings.http1_1ConnectionDebugInitializer = WebhookSender.check }
        client = HTTPClient(eventLoopGroupProvider: .shared(group), configuration: settings)
        secrets = configuration.secrets
        timeout = configuration.timeout
        allowsPrivate = configuration.allowsPrivate
        self.now = now
    }

    package func shutdown() async throws {
        try await client.shutdown()
    }

    /// Taken is what was answered with 2xx; a redirect is not followed.
    package func send(_ body: [UInt8], to receiver: WebhookReceiver) async -> LaneBoard.Answer {
        do {
            let status = try await post(body, to: receiver.url)
            if (200..<300).contains(status) { return .taken }
            let isRedirect = (300..<400).contains(status)
            return .failed(
                reason: "the receiver answered \(status)\(isRedirect ? ", and redirects are not followed" : "")")
        } catch {
            return .failed(reason: WebhookSender.reason(of: error, timeout: timeout))
        }
    }

    private func post(_ body: [UInt8], to url: String) async throws -> UInt {
        if !allowsPrivate, let target = WebhookURL(url) {
            try await AddressGuard.check(host: target.host, port: target.port)
        }
        var request = HTTPClientRequest(url: url)
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/json")
        request.headers.add(name: "User-Agent", value: "Martlet")
        if !secrets.isEmpty {
            let signature = WebhookSignature(of: body, secrets: secrets, timestamp: now())
            request.headers.add(name: WebhookSignature.header, value: signature.text)
        }
        request.body = .bytes(ByteBuffer(bytes: body))
        let response = try await client.execute(request, timeout: TimeAmount(timeout))
        var read = 0
        // A short answer is read to its end, so that the connection can be used again; a long one ends it.
        for try await part in response.body {
            read += part.readableBytes
            if read > 65_536 { break }
        }
        return response.status.code
    }

    private static let check: @Sendable (any Channel) -> EventLoopFuture<Void> = { channel in
        do {
            try AddressGuard.check(channel.remoteAddress)
            return channel.eventLoop.makeSucceededVoidFuture()
        } catch {
            channel.close(promise: nil)
            return channel.eventLoop.makeFailedFuture(error)
        }
    }

    /// In an operator's words; holds nothing of the URL or the body.
    private static func reason(of error: any Error, timeout: Duration) -> String {
        switch error {
        case let refusal as AddressGuard.Refusal:
            return refusal.description
        case let error as HTTPClientError where error == .deadlineExceeded || error == .readTimeout:
            return "the receiver did not answer within \(timeout)"
        case let error as HTTPClientError where error == .connectTimeout:
            return "the receiver could not be reached in time"
        case let error as HTTPClientError where error == .remoteConnectionClosed:
            return "the receiver closed the connection without an answer"
        case is SocketAddressError, is SocketAddressError.FailedToParseIPByteBuffer:
            return "the receiver's name does not resolve"
        case let error as NIOConnectionError:
            if let first = error.connectionErrors.first?.error { return reason(of: first, timeout: timeout) }
            return "the receiver's name does not resolve"
        case let error as IOError:
            return "the receiver could not be reached: \(String(cString: strerror(error.errnoCode)))"
        case let error as NIOSSLError:
            return "TLS with the receiver failed: \(error)"
        case is BoringSSLError, is NIOSSLExtraError:
            return "TLS with the receiver failed: \(error)"
        default:
            return "the request failed: \(error)"
        }
    }
}
