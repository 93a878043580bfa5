import Logging
import NIOCore
import Synchronization

/// The half of a command link that lives on its loop.
///
/// `@unchecked Sendable`: everything mutable in it is touched on its event loop alone; each entry point asserts that.
final class CommandLinkCore: ConnectionOwner, @unchecked Sendable {
    /// A command as it was handed in, from any thread.
    struct Submission {
        let arguments: [RedisArgument]
        let timeout: TimeAmount?
        let stalled: StallPolicy
        /// Of what it is about, for a Cluster.
        let slot: KeySlot
        /// What it was given by whoever sends it on; nil where this link is to number it.
        var number: Int64?
        /// Whether it may have run over another link.
        var isRetry = false
        let reply: CommandPipeline.Callback
    }

    let isConnected = Atomic<Bool>(false)
    let eventLoop: any EventLoop
    private let configuration: RedisConfiguration
    private let logger: Logger
    private let scripts: [RedisScript]
    private let connector: Connector<CommandLinkCore>
    private let onState: @Sendable (RedisLinkState) -> Void
    /// Of a Cluster.
    private let map: SlotMap?
    private let commandTimeout: TimeAmount
    private let pingInterval: TimeAmount
    private let pingTimeout: TimeAmount
    private var pipeline: CommandPipeline
    /// Of the last command that was handed in.
    private var lastNumber: Int64 = 0
    private var identity: LinkIdentity?
    private(set) var connectedAt = NIODeadline.distantPast
    /// The last link to each server before the present one, the latest first.
    private var earlier: [LinkIdentity] = []
    private var lastState: RedisLinkState?

    /// What the servers of a Cluster need to tell one of them that it was replaced: they speak to each other ten times a second.
    private static let hearing = TimeAmount.milliseconds(300)
    /// Servers that are remembered: more than any link goes back and forth between.
    private static let mostEarlier = 16

    init(
        configuration: RedisConfiguration, address: ShardAddress, eventLoop: any EventLoop, logger: Logger,
        scripts: [RedisScript], former: [LinkIdentity] = [], doubtsAfter: TimeAmount? = nil, map: SlotMap? = nil,
        onState: @escaping @Sendable (RedisLinkState) -> Void
    ) {
        self.configuration = configuration
        self.earlier = former
        self.eventLoop = eventLoop
        self.logger = logger
        self.scripts = scripts
        self.onState = onState
        self.map = map
        self.connector = Connector(configuration: configuration, address: address, eventLoop: eventLoop)
        self.commandTimeout = TimeAmount(configuration.commandTimeout)
        self.pingInterval = TimeAmount(configuration.pingInterval)
        self.pingTimeout = TimeAmount(configuration.pingTimeout)
        self.pipeline = CommandPipeline(configuration: configuration, doubtsAfter: doubtsAfter)
    }

    func start() {
        eventLoop.assertInEventLoop()
        pipeline.started(now: eventLoop.now)
        connector.start(owner: self)
    }

    func shutdown() -> EventLoopFuture<Void> {
        eventLoop.assertInEventLoop()
        isConnected.store(false, ordering: .relaxed)
        let closed = connector.stop()
        fail(pipeline.closed())
        return closed
    }

    /// Gives the connection up if it leads to this server.
    func leave(_ server: ServerID) {
        eventLoop.assertInEventLoop()
        guard isConnected.load(ordering: .relaxed), identity?.server == server else { return }
        connector.giveUp(reason: "the other links lead to another server, or it is no longer the same")
    }

    /// Goes where the address leads now.
    func follow() { connector.follow() }

    /// Goes there at once if what kept it away was that the server is of another Cluster, and it is not any more.
    func reconsider() { connector.reconsider { map?.admits($0) ?? true } }

    /// Takes back what waits for the link to come up again, of a slot that is another server's by now.
    func withdraw(_ slot: KeySlot) -> [(number: Int64, mayHaveRun: Bool)] {
        eventLoop.assertInEventLoop()
        return pipeline.withdrawn(slot)
    }

    /// The links that this one has been, by which the next one to the same server ends what it left there.
    var identities: [LinkIdentity] { [identity].compactMap { $0 } + earlier }

    /// Where it leads, while it stands.
    var server: ServerID? { isConnected.load(ordering: .relaxed) ? identity?.server : nil }

    /// Takes in what was handed in since the last time: one write and one flush for all of it.
    func submit(_ submissions: [Submission]) {
        eventLoop.assertInEventLoop()
        let now = eventLoop.now
        let encoder = CommandEncoder(server: identity?.server.token ?? "", clientID: identity?.clientID ?? 0)
        var buffer = ByteBuffer()
        for submission in submissions {
            let command = command(submission, now: now)
            switch pipeline.submitted(command, now: now) {
            case .write: write(command, encoder, into: &buffer)
            case .wait: break
            case .reject(let error): submission.reply(.failure(error))
            }
        }
        awaitReplicas(into: &buffer)
        if buffer.readableBytes > 0 { connector.write(buffer) }
    }

    private func command(_ submission: Submission, now: NIODeadline) -> CommandPipeline.Command {
        let timeout = submission.timeout ?? commandTimeout
        var bytes = 16
        for argument in submission.arguments { bytes += argument.estimatedBytes }
        lastNumber += 1
        let number = submission.number ?? lastNumber
        return CommandPipeline.Command(
            arguments: submission.arguments, reply: submission.reply, deadline: now + timeout,
            patience: max(timeout, commandTimeout), bytes: bytes, number: number,
            failsBehindStall: submission.stalled == .fail, slot: submission.slot, isRetry: submission.isRetry)
    }

    private func write(_ command: CommandPipeline.Command, _ encoder: CommandEncoder, into buffer: inout ByteBuffer) {
        encoder.write(command.arguments, isRetry: command.isRetry, number: command.number, into: &buffer)
    }

    /// One WAIT stands behind all that a turn of the loop has written.
    private func awaitReplicas(into buffer: inout ByteBuffer) {
        guard let confirmation = configuration.confirmation,
            pipeline.mustAwaitReplicas(patience: commandTimeout, now: eventLoop.now)
        else { return }
        // Zero would be for ever.
        let milliseconds = max(1, TimeAmount(confirmation.timeout).nanoseconds / 1_000_000)
        let command: [RedisArgument] = ["WAIT", .integer(Int64(confirmation.replicas)), .integer(milliseconds)]
        CommandEncoder().write(command, isRetry: false, into: &buffer)
    }

    /// The WAIT was answered with a number, or failed.
    private func replicasAnswered(_ count: Int64?) {
        let isEnough = (count ?? 0) >= Int64(configuration.confirmation?.replicas ?? 0)
        for (reply, answer) in pipeline.replicasAnswered() {
            reply(isEnough ? .success(answer) : .failure(.unconfirmed))
        }
        var buffer = ByteBuffer()
        awaitReplicas(into: &buffer)
        if buffer.readableBytes > 0 { connector.write(buffer) }
    }

    private func fail(_ failures: [CommandPipeline.Failure]) {
        for failure in failures { failure.reply(.failure(failure.error)) }
    }

    private func report(_ state: RedisLinkState) {
        guard state != lastState else { return }
        lastState = state
        onState(state)
    }

    // MARK: ConnectionOwner

    func greeting() -> Greeting {
        Greeting(commandLink: configuration, previous: identity, earlier: earlier, scripts: scripts) { [map] id in
            map?.admits(id) ?? true
        }
    }

    func connected(_ identity: LinkIdentity) {
        let previous = self.identity
        self.identity = identity
        connectedAt = eventLoop.now
        if let previous { remember(previous) }
        logger.info(
            "Connected to Redis",
            metadata: [
                "redis": "\(configuration)", "address": "\(place)", "version": "\(identity.version)",
                "runID": "\(identity.server.runID)", "replicationID": "\(identity.server.replicationID)",
            ])
        let now = eventLoop.now
        fail(pipeline.expired(now: now))
        if configuration.onAnotherServer == .fail, let previous, previous.server != identity.server {
            fail(pipeline.abandoned())
        }
        let encoder = CommandEncoder(server: identity.server.token, clientID: identity.clientID)
        var buffer = ByteBuffer()
        pipeline.linked(now: now) { write($0, encoder, into: &buffer) }
        awaitReplicas(into: &buffer)
        if buffer.readableBytes > 0 { connector.write(buffer) }
        isConnected.store(true, ordering: .relaxed)
        report(.connected(to: identity.server, clientID: identity.clientID, previous: previous?.server))
    }

    /// Where the connection leads, or led last.
    private var place: String { connector.dialled?.description ?? "unknown" }

    private func remember(_ previous: LinkIdentity) {
        earlier.insert(previous, at: 0)
        earlier.removeAll { $0.server.runID == identity?.server.runID }
        if earlier.count > Self.mostEarlier { earlier.removeLast() }
    }

    func received(_ reply: BorrowedReply) -> String? {
        if reply.isError {
            return receivedError(ErrorReply(reply.string(of: reply.root)))
        }
        guard let command = pipeline.answered() else { return "a reply to nothing" }
        if command.isConfirmation {
            guard pipeline.isConfirming else { return roleAnswered(reply.copied()) }
            replicasAnswered(reply.copied().integer)
            return nil
        }
        let (mustKeep, isFirstDoubt) = pipeline.mustKeep(command, now: eventLoop.now)
        if mustKeep {
            pipeline.keep(reply.copied(), of: command)
            if isFirstDoubt { askForRole() }
        } else {
            command.reply?(.success(reply.copied()))
        }
        return nil
    }

    /// After a while in which a primary that stood still hears whether another is in its place.
    private func askForRole() {
        let connection = connectedAt
        eventLoop.scheduleTask(in: CommandLinkCore.hearing) { [self] in
            guard isConnected.load(ordering: .relaxed), connectedAt == connection, pipeline.isDoubting else { return }
            var buffer = ByteBuffer()
            CommandEncoder().write(["INFO", "replication"], isRetry: false, into: &buffer)
            pipeline.questioned(patience: pingTimeout, now: eventLoop.now)
            connector.write(buffer)
        }
    }

    /// The word of one that was replaced while it stood still is worth nothing: what it ran goes with what it holds.
    private func roleAnswered(_ reply: RedisReply) -> String? {
        guard reply.string?.contains("role:master") == true else { return "it stood still, and is no primary any more" }
        for (reply, answer) in pipeline.trusted() { reply(.success(answer)) }
        return nil
    }

    private func receivedError(_ error: ErrorReply) -> String? {
        switch error.kind {
        case .breaksLink:
            return error.code
        case .refusesUs:
            let reason = "\(error.code) \(error.message)"
            connector.giveUp(reason: reason, .refused)
            return reason
        case .forbids, .failsCommand:
            break
        }
        guard let command = pipeline.answered() else { return "an error reply to nothing" }
        if command.isConfirmation {
            guard pipeline.isConfirming else { return "it does not say whether it is a primary: \(error.code)" }
            replicasAnswered(nil)
        }
        command.reply?(
            .failure(
                command.isRetry
                    ? .replyToRetry(code: error.code, message: error.message, number: command.number)
                    : .reply(code: error.code, message: error.message)))
        return nil
    }

    /// Answers have made room for what was held back.
    func readCompleted() {
        guard pipeline.holdsBack, let identity else { return }
        let encoder = CommandEncoder(server: identity.server.token, clientID: identity.clientID)
        var buffer = ByteBuffer()
        pipeline.release(now: eventLoop.now) { write($0, encoder, into: &buffer) }
        awaitReplicas(into: &buffer)
        if buffer.readableBytes > 0 { connector.write(buffer) }
    }

    func disconnected(reason: String, _ failure: LinkFailure) {
        let lost: Logger.Metadata = ["redis": "\(configuration)", "address": "\(place)", "reason": "\(reason)"]
        if isConnected.exchange(false, ordering: .relaxed) {
            logger.warning("Lost the link to Redis", metadata: lost)
            pipeline.unlinked(now: eventLoop.now)
        } else {
            logger.debug("Could not reach Redis", metadata: lost)
        }
        report(RedisLinkState(failure, reason: reason))
    }

    func ticked(now: NIODeadline) {
        fail(pipeline.expired(now: now))
        pipeline.rest()
        guard isConnected.load(ordering: .relaxed) else { return }
        if pipeline.isOverdue(now: now) {
            connector.giveUp(reason: "no answer in time")
        } else if pipeline.isIdle, now - connector.lastRead >= pingInterval {
            var buffer = ByteBuffer()
            CommandEncoder().write(["PING"], isRetry: false, into: &buffer)
            pipeline.pinged(patience: pingTimeout, now: now)
            connector.write(buffer)
        }
    }
}
