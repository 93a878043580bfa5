import AsyncHTTPClient
import Dispatch
import GatewayCore
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

/// Makes signed POSTs to one URL.
///
/// It looks the host's name up itself, on a queue of its own, so that a name whose servers are silent holds up nobody
/// else's: one look-up at a time, whose end all wait for while no address is known. What is dialled is an address that was
/// looked at, never the name again, which may lead elsewhere by then.
package final class HookCaller: Sendable {
    /// Blocks.
    package typealias Resolver = @Sendable (_ host: String) throws -> [IPAddress]

    package struct Configuration: Sendable {
        package var url: String
        /// Each request is signed with all of them; with none it is not signed.
        package var secrets: [String]
        /// From dialling to the end of the answer.
        package var timeout: Duration
        /// Connections that are kept and used again.
        package var concurrency: Int
        package var reach: AddressGuard.Reach
        /// Trusted beside the system's.
        package var authorities: [NIOSSLCertificate]

        package init(
            url: String, secrets: [String], timeout: Duration, concurrency: Int, reach: AddressGuard.Reach,
            authorities: [NIOSSLCertificate] = []
        ) {
            self.url = url
            self.secrets = secrets
            self.timeout = timeout
            self.concurrency = concurrency
            self.reach = reach
            self.authorities = authorities
        }
    }

    package struct Answer: Sendable {
        package let status: UInt
        /// Nil where it did not come to its end, or is longer than ``maxBytes``.
        package let body: [UInt8]?
    }

    /// What is read of an answer.
    package static let maxBytes = 65_536

    /// A client that takes the host's name for one address; certificates are still checked by the name.
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
        /// Those who wait for the look-up under way.
        var waiting: [Int: AsyncStream<LookUp>.Continuation] = [:]
        var count = 0
    }

    private typealias LookUp = Result<IPAddress, any Error>

    private let configuration: Configuration
    private let target: WebhookURL?
    private let settings: HTTPClient.Configuration
    /// Seconds since 1970.
    private let signingTime: @Sendable () -> Int64
    private let resolve: Resolver
    private let names = DispatchQueue(label: "martlet.webhook.names")
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let state = Mutex(State())
    private let start = ContinuousClock.now

    /// `shutdown` must be called in the end.
    package init(
        _ configuration: Configuration, now: @escaping @Sendable () -> Int64,
        resolve: @escaping Resolver = HostLookup.addresses
    ) {
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.minimumTLSVersion = .tlsv12
        tls.additionalTrustRoots = [.certificates(configuration.authorities)]
        var settings = HTTPClient.Configuration(
            tlsConfiguration: tls, redirectConfiguration: .disallow,
            // Half of the time, so that an address where nobody is can be told from one that is slow to answer.
            timeout: .init(connect: TimeAmount(min(configuration.timeout / 2, .seconds(10)))))
        settings.httpVersion = .http1Only
        settings.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = configuration.concurrency
        // Pauses between attempts are the caller's to decide.
        settings.connectionPool.retryConnectionEstablishment = false
        self.settings = settings
        self.configuration = configuration
        target = WebhookURL(configuration.url)
        signingTime = now
        self.resolve = resolve
    }

    package func shutdown() async throws {
        let last = state.withLock { state in
            let all = (state.retired + (state.dialer.map { [$0] } ?? [])).map(\.client)
            for waiter in state.waiting.values { waiter.finish() }
            state = State()
            return all
        }
        for client in last { try await client.shutdown() }
        try await group.shutdownGracefully()
    }

    /// Redirects are not followed.
    ///
    /// - Parameters:
    ///   - path: what is added to the URL.
    ///   - fields: beside those that every request has.
    ///   - timeout: where it is less than the configuration's.
    package func post(
        _ body: [UInt8], path: String = "", fields: [(name: String, value: String)] = [],
        within timeout: Duration? = nil
    ) async throws -> Answer {
        let (address, client) = try await dial()
        let answer: Answer
        do {
            answer = try await post(body, path, fields, timeout ?? configuration.timeout, by: client)
        } catch {
            await hangUp(address, client, isReached: !RequestFailure.isUnreached(error))
            throw error
        }
        await hangUp(address, client, isReached: true)
        return answer
    }

    /// The address for a request and the client that dials it; `hangUp` follows.
    private func dial() async throws -> (IPAddress, HTTPClient) {
        guard let target else { throw HTTPClientError.invalidURL }
        let address = try await address(of: target)
        let (dialled, idle): (Dialer, HTTPClient?) = state.withLock { state in
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
        settings.holdCertificates(to: target)
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

    private func post(
        _ body: [UInt8], _ path: String, _ fields: [(name: String, value: String)], _ timeout: Duration,
        by client: HTTPClient
    ) async throws -> Answer {
        var request = HTTPClientRequest(url: configuration.url + path)
        request.method = .POST
        for field in fields { request.headers.add(name: field.name, value: field.value) }
        request.headers.replaceOrAdd(name: "Content-Type", value: "application/json")
        if !request.headers.contains(name: "User-Agent") { request.headers.add(name: "User-Agent", value: "Martlet") }
        if let credentials = target?.credentials {
            let authorization = HTTPClient.Authorization.basic(
                username: credentials.user, password: credentials.password)
            request.headers.replaceOrAdd(name: "Authorization", value: authorization.headerValue)
        }
        if !configuration.secrets.isEmpty {
            let signature = WebhookSignature(of: body, secrets: configuration.secrets, timestamp: signingTime())
            request.headers.replaceOrAdd(name: WebhookSignature.header, value: signature.text)
        }
        request.body = .bytes(ByteBuffer(bytes: body))
        let answer = try await client.ask(request, within: timeout, upTo: HookCaller.maxBytes)
        // The status is known, however what follows it ends.
        let read = (try? answer.body.get()).map { Array($0.readableBytesView) }
        return Answer(status: answer.status.code, body: read)
    }

    // MARK: Where it is

    /// The address to dial; ends early, and leaves the look-up behind, where the task is cancelled.
    private func address(of target: WebhookURL) async throws -> IPAddress {
        if let address = AddressGuard.literal(target.host) { return try configuration.reach.allowed([address])[0] }
        let (answers, waiter) = AsyncStream.makeStream(of: LookUp.self)
        let (step, number) = state.withLock { state in
            let step = state.route.next(now: now())
            state.count += 1
            if step == .lookUp || step == .wait { state.waiting[state.count] = waiter }
            return (step, state.count)
        }
        switch step {
        case .dial(let address): return address
        case .dialAndLookUp(let address):
            lookUp(target)
            return address
        case .lookUp: lookUp(target)
        case .wait: break
        }
        defer { state.withLock { $0.waiting[number] = nil } }
        for await answer in answers { return try answer.get() }
        throw CancellationError()
    }

    private func lookUp(_ target: WebhookURL) {
        names.async { [self] in
            lookedUp(Result { try configuration.reach.allowed(try resolve(target.host)) })
        }
    }

    private func lookedUp(_ found: Result<[IPAddress], any Error>) {
        let (answer, waiting): (LookUp, [AsyncStream<LookUp>.Continuation]) = state.withLock { state in
            switch found {
            case .success(let addresses): state.route.found(addresses, now: now())
            case .failure(is AddressGuard.Refusal): state.route.foundForbidden()
            case .failure: state.route.foundNothing(now: now())
            }
            let address = state.route.address
            defer { state.waiting = [:] }
            return (found.map { address ?? $0[0] }, Array(state.waiting.values))
        }
        for waiter in waiting {
            waiter.yield(answer)
            waiter.finish()
        }
    }

    private func now() -> MonotonicTime {
        MonotonicTime(nanoseconds: start.duration(to: .now).nanoseconds)
    }
}
