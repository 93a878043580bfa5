import NIOCore
import NIOPosix

/// Stands between a client and a server, over TCP or unix sockets, and does to their bytes what a bad network does.
package final class FaultProxy: Sendable {
    package enum Endpoint: Sendable {
        case tcp(host: String, port: Int)
        case unix(path: String)
    }

    /// The treatment of the bytes of one direction.
    package enum Treatment: Sendable, Equatable {
        case pass
        /// Passed on that much later, in order; what is under way when the treatment changes to a shorter one, or to none,
        /// comes as soon as the bytes after it may.
        case delay(TimeAmount)
        /// Not read any more: what is sent piles up in the sender's buffers.
        case stall
        /// Read, counted and dropped for ever.
        case drop
        /// Read and kept, with what was delayed; passed on, in order, when the treatment changes.
        case hold
    }

    package enum Direction: Sendable {
        case toServer
        case toClient
    }

    /// Where clients connect, at the address that it listens on.
    package let port: Int
    private let listener: any Channel
    private let core: FaultProxyCore

    private init(listener: any Channel, core: FaultProxyCore, port: Int) {
        self.listener = listener
        self.core = core
        self.port = port
    }

    /// Listens on this port of a loopback address; 0 stands for a free one.
    package static func start(
        target: Endpoint, host: String = "127.0.0.1", port: Int = 0,
        on group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton
    ) async throws -> FaultProxy {
        let eventLoop = group.next()
        let core = FaultProxyCore(target: target, eventLoop: eventLoop)
        let listener = try await ServerBootstrap(group: eventLoop)
            .serverChannelOption(.backlog, value: 128)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.autoRead, value: false)
            .childChannelInitializer { core.accept($0) }
            .bind(host: host, port: port).get()
        guard let port = listener.localAddress?.port else { throw ChannelError.unknownLocalAddress }
        return FaultProxy(listener: listener, core: core, port: port)
    }

    /// Leads new connections elsewhere; those there are stay where they are.
    package func redirect(to target: Endpoint) async throws {
        try await core.eventLoop.submit { self.core.target = target }.get()
    }

    /// Closes every connection on both sides at once. New ones are taken.
    package func cutAll() async throws {
        try await core.eventLoop.submit { self.core.cutAll() }.get()
    }

    /// The same for all but those of which the client said this among the first it said.
    package func cutAll(sparing word: String) async throws {
        try await core.eventLoop.submit { self.core.cutAll(sparing: word) }.get()
    }

    /// Closes the clients' side at once and keeps the server's open, with the bytes that are held for it: what a broken
    /// network does when the server has not noticed yet. Held bytes still reach it once `toServer` passes again.
    package func abandonClients() async throws {
        try await core.eventLoop.submit { self.core.abandonClients() }.get()
    }

    /// Applies to the connections there are, unless it is for new ones only, and to those that come.
    package func treat(_ direction: Direction, _ treatment: Treatment, isForNewOnly: Bool = false) async throws {
        try await core.eventLoop.submit {
            self.core.treat(direction, treatment, isForNewOnly: isForNewOnly)
        }.get()
    }

    /// Drops for ever all that goes over those of the present connections on which the client has said this, such as
    /// `SUBSCRIBE`, among the first it said; both their ends stay open.
    package func silence(_ word: String) async throws {
        try await core.eventLoop.submit { self.core.silence(word) }.get()
    }

    /// Drops for ever all that goes over those connections, of those there are and those that come, whose client's first
    /// bytes (4 KiB at most, as they come) satisfy this; both their ends stay open.
    package func drop(where isDropped: @escaping @Sendable (_ beginning: [UInt8]) -> Bool) async throws {
        try await core.eventLoop.submit { self.core.drop(where: isDropped) }.get()
    }

    /// Closes the connections that `drop(where:)` has chosen, and chooses no more.
    package func dropNothing() async throws {
        try await core.eventLoop.submit { self.core.dropNothing() }.get()
    }

    /// Whether new connections are closed at once.
    package func refuse(_ isRefusing: Bool) async throws {
        try await core.eventLoop.submit { self.core.isRefusing = isRefusing }.get()
    }

    /// What has come in so far.
    package func counts() async throws -> Counts {
        try await core.eventLoop.submit { self.core.counts }.get()
    }

    /// Done as soon as a condition on the counts holds.
    package func waitUntil(_ condition: @escaping @Sendable (Counts) -> Bool) async throws {
        try await core.eventLoop.flatSubmit { self.core.wait(condition) }.get()
    }

    /// Closes the listener and every connection.
    package func stop() async throws {
        try await cutAll()
        try await listener.close()
    }

    package struct Counts: Sendable {
        package var connectionsAccepted = 0
        package var connectionsRefused = 0
        package var bytesFromClients = 0
        package var bytesFromServer = 0
    }
}

/// The proxy's half on its loop.
///
/// `@unchecked Sendable`: everything mutable in it is touched on its event loop alone.
private final class FaultProxyCore: @unchecked Sendable {
    private struct Pair {
        let toServer: Pump
        let toClient: Pump

        func drop() {
            toServer.treatment = .drop
            toClient.treatment = .drop
        }

        func cut() {
            toServer.cut()
            toClient.cut()
        }
    }

    let eventLoop: any EventLoop
    var isRefusing = false
    private(set) var counts = FaultProxy.Counts()
    var target: FaultProxy.Endpoint
    private var pairs: [ObjectIdentifier: Pair] = [:]
    private var abandoned: [Pair] = []
    private var toServer = FaultProxy.Treatment.pass
    private var toClient = FaultProxy.Treatment.pass
    private var isDropped: (([UInt8]) -> Bool)?
    private var waiters: [(condition: (FaultProxy.Counts) -> Bool, promise: EventLoopPromise<Void>)] = []

    init(target: FaultProxy.Endpoint, eventLoop: any EventLoop) {
        self.target = target
        self.eventLoop = eventLoop
    }

    func accept(_ client: any Channel) -> EventLoopFuture<Void> {
        guard !isRefusing else {
            count { $0.connectionsRefused += 1 }
            return client.close()
        }
        count { $0.connectionsAccepted += 1 }
        return eventLoop.makeCompletedFuture {
            try client.pipeline.syncOperations.addHandler(Doorbell { self.dial(for: client) })
        }
    }

    private func dial(for client: any Channel) {
        let bootstrap = ClientBootstrap(group: eventLoop).channelOption(.autoRead, value: false)
        let dialled =
            switch target {
            case .tcp(let host, let port): bootstrap.connect(host: host, port: port)
            case .unix(let path): bootstrap.connect(unixDomainSocketPath: path)
            }
        dialled.assumeIsolated().whenComplete { result in
            switch result {
            case .success(let server): self.join(client, server)
            case .failure: client.close(promise: nil)
            }
        }
    }

    private func join(_ client: any Channel, _ server: any Channel) {
        guard client.isActive else {
            server.close(promise: nil)
            return
        }
        let pair = Pair(
            toServer: Pump(to: server, treatment: toServer) { bytes in self.count { $0.bytesFromClients += bytes } },
            toClient: Pump(to: client, treatment: toClient) { bytes in self.count { $0.bytesFromServer += bytes } })
        do {
            try client.pipeline.syncOperations.addHandler(pair.toServer)
            try server.pipeline.syncOperations.addHandler(pair.toClient)
        } catch {
            client.close(promise: nil)
            server.close(promise: nil)
            return
        }
        pairs[ObjectIdentifier(client)] = pair
        pair.toServer.onBeginning = { if self.isDropped?($0) == true { pair.drop() } }
        client.closeFuture.assumeIsolated().whenComplete { _ in self.pairs[ObjectIdentifier(client)] = nil }
        pair.toServer.resume()
        pair.toClient.resume()
    }

    func cutAll() {
        for pair in Array(pairs.values) + abandoned { pair.cut() }
        pairs = [:]
        abandoned = []
    }

    func cutAll(sparing word: String) {
        for pair in pairs.values where !pair.toServer.hasBrought(word) { pair.cut() }
    }

    func abandonClients() {
        for pair in pairs.values {
            pair.toServer.abandon()
            abandoned.append(pair)
        }
        pairs = [:]
    }

    func treat(_ direction: FaultProxy.Direction, _ treatment: FaultProxy.Treatment, isForNewOnly: Bool) {
        let present = isForNewOnly ? [] : Array(pairs.values) + abandoned
        switch direction {
        case .toServer:
            toServer = treatment
            for pair in present { pair.toServer.treatment = treatment }
        case .toClient:
            toClient = treatment
            for pair in present { pair.toClient.treatment = treatment }
        }
    }

    func silence(_ word: String) {
        for pair in pairs.values where pair.toServer.hasBrought(word) { pair.drop() }
    }

    func drop(where isDropped: @escaping ([UInt8]) -> Bool) {
        self.isDropped = isDropped
        for pair in pairs.values where isDropped(pair.toServer.firstBytes) { pair.drop() }
    }

    func dropNothing() {
        guard let isDropped else { return }
        self.isDropped = nil
        for pair in pairs.values where isDropped(pair.toServer.firstBytes) { pair.cut() }
    }

    func wait(_ condition: @escaping @Sendable (FaultProxy.Counts) -> Bool) -> EventLoopFuture<Void> {
        let promise = eventLoop.makePromise(of: Void.self)
        waiters.append((condition, promise))
        count { _ in }
        return promise.futureResult
    }

    private func count(_ change: (inout FaultProxy.Counts) -> Void) {
        change(&counts)
        waiters.removeAll { waiter in
            guard waiter.condition(counts) else { return false }
            waiter.promise.succeed()
            return true
        }
    }
}

/// Says when an accepted client is active: before, nothing can be read from it.
private final class Doorbell: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let onActive: () -> Void

    init(onActive: @escaping () -> Void) {
        self.onActive = onActive
    }

    func channelActive(context: ChannelHandlerContext) {
        onActive()
        context.fireChannelActive()
    }
}
