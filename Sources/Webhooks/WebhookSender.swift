import AsyncHTTPClient
import Dispatch
import GatewayCore
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

/// Sends one receiver's batches, each as one signed POST.
///
/// It has an event loop and a queue for names of its own. NIO looks names up one after the other for each loop: on a
/// shared one, a name whose servers are silent would hold up other receivers' lookups, and Redis's.
package final class WebhookSender: Sendable {
    /// Blocks.
    package typealias Resolver = @Sendable (_ host: String, _ port: Int) throws -> SocketAddress

    private let url: String
    private let target: WebhookURL?
    private let secrets: [String]
    private let timeout: Duration
    private let allowsPrivate: Bool
    /// Seconds since 1970.
    private let now: @Sendable () -> Int64
    private let resolve: Resolver
    private let names = DispatchQueue(label: "martlet.webhook.names")
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let client: HTTPClient
    /// Whether the last request was answered, by whatever status: then its name need not be looked up first.
    private let isReached = Mutex(false)

    /// `authorities` are trusted beside the system's. `shutdown` must be called in the end.
    package init(
        to receiver: WebhookReceiver, configuration: WebhookConfiguration, authorities: [NIOSSLCertificate] = [],
        now: @escaping @Sendable () -> Int64,
        resolve: @escaping Resolver = { try SocketAddress.makeAddressResolvingHost($0, port: $1) }
    ) {
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.minimumTLSVersion = .tlsv12
        tls.additionalTrustRoots = [.certificates(authorities)]
        var settings = HTTPClient.Configuration(
            tlsConfiguration: tls, redirectConfiguration: .disallow,
            timeout: .init(connect: TimeAmount(min(configuration.timeout, .seconds(10)))))
        settings.httpVersion = .http1Only
        settings.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = configuration.concurrency
        // Pauses between attempts are ours to decide.
        settings.connectionPool.retryConnectionEstablishment = false
        if !configuration.allowsPrivate { settings.http1_1ConnectionDebugInitializer = WebhookSender.check }
        client = HTTPClient(eventLoopGroupProvider: .shared(group), configuration: settings)
        url = receiver.url
        target = WebhookURL(receiver.url)
        secrets = configuration.secrets
        timeout = configuration.timeout
        allowsPrivate = configuration.allowsPrivate
        self.now = now
        self.resolve = resolve
    }

    package func shutdown() async throws {
        try await client.shutdown()
        try await group.shutdownGracefully()
    }

    /// Taken is what was answered with 2xx; a redirect is not followed.
    package func send(_ body: [UInt8]) async -> LaneBoard.Answer {
        do {
            let status = try await post(body)
            isReached.withLock { $0 = true }
            if (200..<300).contains(status) { return .taken }
            let isRedirect = (300..<400).contains(status)
            return .failed(
                reason: "the receiver answered \(status)\(isRedirect ? ", and redirects are not followed" : "")")
        } catch {
            isReached.withLock { $0 = false }
            return .failed(reason: RequestFailure.reason(of: error, timeout: timeout))
        }
    }

    private func post(_ body: [UInt8]) async throws -> UInt {
        if let target, !isReached.withLock({ $0 }) {
            let address = try await address(of: target)
            if !allowsPrivate { try AddressGuard.check(address) }
        }
        var request = HTTPClientRequest(url: url)
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/json")
        request.headers.add(name: "User-Agent", value: "Martlet")
        if let credentials = target?.credentials {
            let authorization = HTTPClient.Authorization.basic(
                username: credentials.user, password: credentials.password)
            request.headers.add(name: "Authorization", value: authorization.headerValue)
        }
        if !secrets.isEmpty {
            let signature = WebhookSignature(of: body, secrets: secrets, timestamp: now())
            request.headers.add(name: WebhookSignature.header, value: signature.text)
        }
        request.body = .bytes(ByteBuffer(bytes: body))
        let response = try await client.execute(request, timeout: TimeAmount(timeout))
        var read = 0
        do {
            // A short answer is read to its end, so that the connection can be used again; a long one ends it.
            for try await part in response.body {
                read += part.readableBytes
                if read > 65_536 { break }
            }
        } catch {
            // The status is the answer, however what follows it ends.
        }
        return response.status.code
    }

    /// What the name leads to; ends early, and leaves the lookup behind, where the task is cancelled.
    private func address(of target: WebhookURL) async throws -> SocketAddress {
        let (answers, answered) = AsyncStream.makeStream(of: Result<SocketAddress, any Error>.self)
        names.async { [resolve] in
            answered.yield(Result { try resolve(target.host, target.port) })
            answered.finish()
        }
        for await answer in answers { return try answer.get() }
        throw CancellationError()
    }

    /// Looks at what a connection has really reached: a name may lead elsewhere when it is asked again.
    private static let check: @Sendable (any Channel) -> EventLoopFuture<Void> = { channel in
        do {
            try AddressGuard.check(channel.remoteAddress)
            return channel.eventLoop.makeSucceededVoidFuture()
        } catch {
            channel.close(promise: nil)
            return channel.eventLoop.makeFailedFuture(error)
        }
    }
}
