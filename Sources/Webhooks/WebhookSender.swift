import AsyncHTTPClient
import Dispatch
import GatewayCore
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

/// Sends one receiver's batches, each as one signed POST.
///
/// It looks the receiver's name up itself, on a queue of its own, so that a name whose servers are silent holds up nobody
/// else's; and what is dialled is an address that was looked at, never the name again, which may lead elsewhere by then.
package final class WebhookSender: Sendable {
    /// Blocks.
    package typealias Resolver = @Sendable (_ host: String) throws -> [IPAddress]

    /// A client that takes the receiver's name for one address; certificates are still checked by the name.
    private struct Dialer {
        let address: IPAddress
        let client: HTTPClient
        var underWay = 0
    }

    private struct State {
        var route = ReceiverRoute()
        var dialer: Dialer?
        /// Those before it whose last requests are not answered yet.
        var retired: [Dialer] = []
    }

    private let url: String
    private let target: WebhookURL?
    private let settings: HTTPClient.Configuration
    private let secrets: [String]
    private let timeout: Duration
    private let allowsPrivate: Bool
    /// Seconds since 1970.
    private let signingTime: @Sendable () -> Int64
    private let resolve: Resolver
    private let names = DispatchQueue(label: "martlet.webhook.names")
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let state = Mutex(State())
    private let start = ContinuousClock.now

    /// `authorities` are trusted beside the system's. `shutdown` must be called in the end.
    package init(
        to receiver: WebhookReceiver, configuration: WebhookConfiguration, authorities: [NIOSSLCertificate] = [],
        now: @escaping @Sendable () -> Int64,
        resolve: @escaping Resolver = HostLookup.addresses
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
        self.settings = settings
        url = receiver.url
        target = WebhookURL(receiver.url)
        secrets = configuration.secrets
        timeout = configuration.timeout
        allowsPrivate = configuration.allowsPrivate
        signingTime = now
        self.resolve = resolve
    }

    package func shutdown() async throws {
        let last = state.withLock { state in
            let all = (state.retired + (state.dialer.map { [$0] } ?? [])).map(\.client)
            state = State()
            return all
        }
        for client in last { try await client.shutdown() }
        try await group.shutdownGracefully()
    }

    /// Taken is what was answered with 2xx; a redirect is not followed.
    package func send(_ body: [UInt8]) async -> LaneBoard.Answer {
        do {
            let (address, client) = try await dial()
            let status: UInt
            do {
                status = try await post(body, by: client)
            } catch {
                await hangUp(address, client, isReached: false)
                throw error
            }
            await hangUp(address, client, isReached: true)
            if (200..<300).contains(status) { return .taken }
            let isRedirect = (300..<400).contains(status)
            return .failed(
                reason: "the receiver answered \(status)\(isRedirect ? ", and redirects are not followed" : "")")
        } catch {
            return .failed(reason: RequestFailure.reason(of: error, timeout: timeout))
        }
    }

    /// The address for a request and the client that dials it; `hangUp` follows.
    private func dial() async throws -> (IPAddress, HTTPClient) {
        guard let target else { throw HTTPClientError.invalidURL }
        if state.withLock({ $0.route.mustLookUp(now: now()) }) {
            do {
                let found = try await addresses(of: target)
                let allowed = allowsPrivate ? found : try AddressGuard.allowed(found)
                state.withLock { $0.route.found(allowed, now: now()) }
            } catch let refusal as AddressGuard.Refusal {
                // The name has turned private: what it was before counts no longer.
                state.withLock { $0.route = ReceiverRoute() }
                throw refusal
            } catch {
                let isKnown = state.withLock { state in
                    state.route.foundNothing(now: now())
                    return state.route.address != nil
                }
                guard isKnown else { throw error }
            }
        }
        let (dialled, idle): (Dialer, HTTPClient?) = try state.withLock { state in
            // Another request may have failed there meanwhile.
            guard let address = state.route.address else { throw HTTPClientError.connectTimeout }
            var idle: HTTPClient?
            if let last = state.dialer, last.address != address {
                if last.underWay == 0 { idle = last.client } else { state.retired.append(last) }
                state.dialer = nil
            }
            var dialer = state.dialer ?? Dialer(address: address, client: client(for: address, of: target))
            dialer.underWay += 1
            state.dialer = dialer
            return (dialer, idle)
        }
        // A client that nobody uses any more ends without a fault, or is gone already.
        try? await idle?.shutdown()
        return (dialled.address, dialled.client)
    }

    private func client(for address: IPAddress, of target: WebhookURL) -> HTTPClient {
        var settings = settings
        settings.dnsOverride = [target.host: address.description]
        return HTTPClient(eventLoopGroupProvider: .shared(group), configuration: settings)
    }

    private func hangUp(_ address: IPAddress, _ client: HTTPClient, isReached: Bool) async {
        let idle: HTTPClient? = state.withLock { state in
            if !isReached { state.route.failed(address) }
            if state.dialer?.client === client {
                state.dialer?.underWay -= 1
                return nil
            }
            guard let index = state.retired.firstIndex(where: { $0.client === client }) else { return nil }
            state.retired[index].underWay -= 1
            return state.retired[index].underWay == 0 ? state.retired.remove(at: index).client : nil
        }
        // As above.
        try? await idle?.shutdown()
    }

    private func post(_ body: [UInt8], by client: HTTPClient) async throws -> UInt {
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
            let signature = WebhookSignature(of: body, secrets: secrets, timestamp: signingTime())
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
    private func addresses(of target: WebhookURL) async throws -> [IPAddress] {
        if let address = AddressGuard.literal(target.host) { return [address] }
        let (answers, answered) = AsyncStream.makeStream(of: Result<[IPAddress], any Error>.self)
        names.async { [resolve] in
            answered.yield(Result { try resolve(target.host) })
            answered.finish()
        }
        for await answer in answers { return try answer.get() }
        throw CancellationError()
    }

    private func now() -> MonotonicTime {
        MonotonicTime(nanoseconds: start.duration(to: .now).nanoseconds)
    }
}
