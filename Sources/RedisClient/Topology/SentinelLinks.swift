import Logging
import NIOCore

/// The two links to one sentinel: over one it is asked, over the other it announces. All on one loop.
///
/// `@unchecked Sendable`: everything mutable in it is touched on that loop only.
final class SentinelLinks: @unchecked Sendable {
    /// The answer to a question.
    enum Answer {
        /// Nil where it watches no primary of this name.
        case address(RedisConfiguration.Endpoint?)
        case failure(SentinelMachine.Failure)
    }

    /// Its longest is what INFO says of it and of all that it watches.
    private static let maxReplyBytes = 1 << 20

    private let place: RedisConfiguration.Endpoint
    private let sentinels: Sentinels
    private let logger: Logger
    private let configuration: RedisConfiguration
    private let eventLoop: any EventLoop
    private var questions: RedisCommandLink?
    private var announcements: RedisSubscriber?
    /// Why it takes no questions; nil where it does, or where that is not known.
    private var refusal: String?
    private var onIdentity: (@Sendable (String) -> Void)?

    /// - Parameters:
    ///   - redis: of the primary; what concerns the way there holds for the sentinels as well.
    ///   - patience: how long an answer is waited for.
    init(
        to place: RedisConfiguration.Endpoint, of sentinels: Sentinels, redis: RedisConfiguration, patience: Duration,
        eventLoop: any EventLoop, logger: Logger
    ) {
        self.place = place
        self.sentinels = sentinels
        self.eventLoop = eventLoop
        self.logger = logger
        var configuration = redis
        configuration.topology = .single(place)
        configuration.peer = .sentinel
        (configuration.username, configuration.password) = (nil, sentinels.password)
        configuration.commandTimeout = patience
        configuration.maxReplyBytes = SentinelLinks.maxReplyBytes
        self.configuration = configuration
    }

    /// - Parameters:
    ///   - onIdentity: told on the loop which process a link leads to, by its `run_id`.
    ///   - onAnnouncement: told on the loop where the primary is by now.
    func start(
        onIdentity: @escaping @Sendable (String) -> Void,
        onAnnouncement: @escaping @Sendable (RedisConfiguration.Endpoint) -> Void
    ) {
        self.onIdentity = onIdentity
        let questions = RedisCommandLink(
            configuration: configuration, eventLoop: eventLoop, logger: logger,
            onState: { [weak self] state in self?.changed(state) })
        let announcements = RedisSubscriber(
            configuration: configuration, eventLoop: eventLoop, logger: logger,
            handler: SentinelAnnouncements(of: sentinels, onAnnouncement: onAnnouncement))
        announcements.subscribe([Sentinels.announcementChannel])
        questions.start()
        announcements.start()
        (self.questions, self.announcements) = (questions, announcements)
    }

    func shutdown() -> [EventLoopFuture<Void>] {
        let ended = [questions?.shutdown(), announcements?.shutdown()].compactMap { $0 }
        (questions, announcements, onIdentity) = (nil, nil, nil)
        return ended
    }

    /// Asks where the primary is; answered once, on the loop.
    func ask(reply: @escaping @Sendable (Answer) -> Void) {
        questions?.send(["SENTINEL", "GET-MASTER-ADDR-BY-NAME", .string(sentinels.name)]) { [weak self] result in
            switch result {
            case .success(let answer):
                reply(SentinelLinks.read(answer))
            case .failure(.reply(let code, let message)):
                reply(.failure(.refused(reason: "\(code) \(message)")))
            case .failure:
                reply(.failure(self?.refusal.map { .refused(reason: $0) } ?? .away))
            }
        }
    }

    private static func read(_ answer: RedisReply) -> Answer {
        if answer.isNull { return .address(nil) }
        guard answer.count == 2, let host = answer[0].string, let port = answer[1].string,
            let endpoint = Sentinels.endpoint(host: host, port: port)
        else { return .failure(.refused(reason: "it answers what is no address")) }
        return .address(endpoint)
    }

    private func changed(_ state: RedisLinkState) {
        switch state {
        case .connected(let server, _, _):
            refusal = nil
            onIdentity?(server.runID)
        case .disconnected, .unfit:
            refusal = nil
        case .refused(let message):
            refusal = message
            logger.error(
                "A sentinel refuses this node", metadata: ["sentinel": "\(place)", "reason": "\(message)"])
        }
    }
}

/// What a sentinel says unasked.
private final class SentinelAnnouncements: RedisSubscriptionHandler {
    private let sentinels: Sentinels
    private let onAnnouncement: @Sendable (RedisConfiguration.Endpoint) -> Void

    init(of sentinels: Sentinels, onAnnouncement: @escaping @Sendable (RedisConfiguration.Endpoint) -> Void) {
        self.sentinels = sentinels
        self.onAnnouncement = onAnnouncement
    }

    func received(channel: UnsafeRawBufferPointer, payload: UnsafeRawBufferPointer) {
        if let endpoint = sentinels.announced(String(decoding: payload, as: UTF8.self)) { onAnnouncement(endpoint) }
    }

    // What was missed is asked for anyway.
    func subscriptionConnected(_ slots: SlotGroup, afterBreak: Bool) {}
    func subscriptionLost(_ slots: SlotGroup) {}
    func subscribed(channel: String) {}
    func readComplete() {}
}
