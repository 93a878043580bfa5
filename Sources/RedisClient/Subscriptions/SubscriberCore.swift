import Logging
import NIOCore

/// The half of a subscriber that lives on its loop.
///
/// `@unchecked Sendable`: everything mutable in it is touched on its event loop alone; each entry point asserts that.
final class SubscriberCore: ConnectionOwner, @unchecked Sendable {
    enum Change {
        case subscribe([String])
        case unsubscribe([String])
    }

    private let eventLoop: any EventLoop
    private let configuration: RedisConfiguration
    private let logger: Logger
    private let connector: Connector<SubscriberCore>
    private let pingInterval: TimeAmount
    private let pingTimeout: TimeAmount
    private let onState: @Sendable (RedisLinkState) -> Void
    private var handler: (any RedisSubscriptionHandler)?
    /// Where the connection leads, or led last.
    private var server: ServerID?
    private var lastState: RedisLinkState?
    private var channels = SubscriptionSet()
    private var isConnected = false
    private var isConfirmed = false
    private var wasConfirmed = false
    private var pingedAt: NIODeadline?

    /// Channels named in one command.
    private static let batch = 500
    /// Sent behind the first subscriptions: its echo says that all of them are confirmed.
    private static let marker = "subscribed"

    init(
        configuration: RedisConfiguration, address: ShardAddress, eventLoop: any EventLoop, logger: Logger,
        handler: any RedisSubscriptionHandler, onState: @escaping @Sendable (RedisLinkState) -> Void
    ) {
        self.configuration = configuration
        self.eventLoop = eventLoop
        self.logger = logger
        self.handler = handler
        self.onState = onState
        self.connector = Connector(configuration: configuration, address: address, eventLoop: eventLoop)
        self.pingInterval = TimeAmount(configuration.pingInterval)
        self.pingTimeout = TimeAmount(configuration.pingTimeout)
    }

    func start() {
        eventLoop.assertInEventLoop()
        connector.start(owner: self)
    }

    func shutdown() -> EventLoopFuture<Void> {
        eventLoop.assertInEventLoop()
        isConnected = false
        handler = nil
        return connector.stop()
    }

    /// Gives the connection up, if it stands, and makes it anew.
    func renew(reason: String) {
        eventLoop.assertInEventLoop()
        if isConnected { connector.giveUp(reason: reason) }
    }

    /// Goes where the address leads now.
    func follow() { connector.follow() }

    /// Gives the connection up if it leads to this server.
    func leave(_ server: ServerID) {
        eventLoop.assertInEventLoop()
        guard isConnected, self.server == server else { return }
        connector.giveUp(reason: "the other links lead to another server, or it is no longer the same")
    }

    private func report(_ state: RedisLinkState) {
        guard state != lastState else { return }
        lastState = state
        onState(state)
    }

    /// Takes in the changes since the last time: one write for all of them.
    func apply(_ changes: [Change]) {
        eventLoop.assertInEventLoop()
        var buffer = ByteBuffer()
        var confirmed: [String] = []
        for change in changes {
            switch change {
            case .subscribe(let names):
                var fresh: [String] = []
                for name in names {
                    switch channels.subscribe(name) {
                    case .send: fresh.append(name)
                    case .confirmed: confirmed.append(name)
                    case .wait: break
                    }
                }
                write("SUBSCRIBE", fresh, into: &buffer)
            case .unsubscribe(let names):
                write("UNSUBSCRIBE", names.filter { channels.unsubscribe($0) }, into: &buffer)
            }
        }
        if buffer.readableBytes > 0 { connector.write(buffer) }
        for channel in confirmed { handler?.subscribed(channel: channel) }
    }

    private func write(_ command: RedisArgument, _ names: [String], into buffer: inout ByteBuffer) {
        let encoder = CommandEncoder()
        for start in stride(from: 0, to: names.count, by: Self.batch) {
            let some = names[start..<min(start + Self.batch, names.count)]
            encoder.write([command] + some.map { .string($0) }, isRetry: false, into: &buffer)
        }
    }

    // MARK: ConnectionOwner

    func greeting() -> Greeting {
        Greeting(subscriptions: configuration)
    }

    func connected(_ identity: LinkIdentity) {
        let previous = server
        server = identity.server
        isConnected = true
        pingedAt = nil
        report(.connected(to: identity.server, clientID: identity.clientID, previous: previous))
        var buffer = ByteBuffer()
        write("SUBSCRIBE", channels.connected(), into: &buffer)
        CommandEncoder().write(["PING", .string(Self.marker)], isRetry: false, into: &buffer)
        connector.write(buffer)
    }

    func received(_ reply: BorrowedReply) -> String? {
        guard reply.elementCount == 3 else { return receivedOther(reply) }
        let kind = reply.bytes(of: reply.element(0))
        if kind.elementsEqual("message".utf8) {
            handler?.received(
                channel: reply.bytes(of: reply.element(1)), payload: reply.bytes(of: reply.element(2)))
            return nil
        }
        guard kind.elementsEqual("subscribe".utf8) || kind.elementsEqual("unsubscribe".utf8) else {
            return "a message of an unknown kind"
        }
        let channel = reply.string(of: reply.element(1))
        guard let isSubscribed = channels.answered(channel) else { return "a confirmation of what was not asked" }
        if isSubscribed { handler?.subscribed(channel: channel) }
        return nil
    }

    private func receivedOther(_ reply: BorrowedReply) -> String? {
        if reply.isError {
            let error = ErrorReply(reply.string(of: reply.root))
            let reason = "\(error.code) \(error.message)"
            switch error.kind {
            case .refusesUs, .forbids: connector.giveUp(reason: reason, .refused)
            case .breaksLink, .failsCommand: break
            }
            return reason
        }
        // A pong is an array of two while anything is subscribed, else what PING gives anywhere.
        pingedAt = nil
        let text = reply.elementCount == 2 ? reply.bytes(of: reply.element(1)) : reply.bytes(of: reply.root)
        if text.elementsEqual(Self.marker.utf8) {
            let afterBreak = wasConfirmed
            isConfirmed = true
            wasConfirmed = true
            logger.info(
                "Subscribed to Redis", metadata: ["redis": "\(configuration)", "afterBreak": "\(afterBreak)"])
            handler?.subscriptionConnected(.all, afterBreak: afterBreak)
        }
        return nil
    }

    func readCompleted() {
        handler?.readComplete()
    }

    func disconnected(reason: String, _ failure: LinkFailure) {
        isConnected = false
        channels.disconnected()
        let metadata: Logger.Metadata = ["redis": "\(configuration)", "reason": "\(reason)"]
        report(RedisLinkState(failure, reason: reason))
        if failure == .refused {
            logger.error("Redis refuses the subscriptions", metadata: metadata)
        } else if isConfirmed {
            logger.warning("Lost the subscriptions to Redis", metadata: metadata)
        } else {
            logger.debug("Could not subscribe to Redis", metadata: metadata)
        }
        if isConfirmed {
            isConfirmed = false
            handler?.subscriptionLost(.all)
        }
    }

    func ticked(now: NIODeadline) {
        guard isConnected else { return }
        let lastSign = connector.lastRead
        if let pingedAt, lastSign < pingedAt {
            if now - pingedAt >= pingTimeout { connector.giveUp(reason: "no answer in time") }
        } else if now - lastSign >= pingInterval {
            pingedAt = now
            var buffer = ByteBuffer()
            CommandEncoder().write(["PING"], isRetry: false, into: &buffer)
            connector.write(buffer)
        }
    }
}
