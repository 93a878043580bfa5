import Logging
import NIOCore
import Synchronization

/// One connection to Redis for commands, kept up for ever; everything sent on it runs in the order it was sent.
///
/// Commands handed in within one turn of the loop leave in one write. After a break the old link is killed on the
/// server first, then what had no answer is sent again in its old order, before anything new: a command may run twice,
/// so it must be idempotent (`RedisArgument.attempt` tells it). What timed out is not sent again. While Redis is away
/// commands wait, bounded and until their deadline; after `failFastAfter` new ones fail at once.
/// Must be shut down before it is let go.
package final class RedisCommandLink: Sendable {
    private struct Inbox {
        var submissions: [CommandLinkCore.Submission] = []
        var isDrainScheduled = false
    }

    package let eventLoop: any EventLoop
    private let core: CommandLinkCore
    private let inbox = Mutex(Inbox())
    private let inboxLimit: Int
    private let loadedDigests: Set<String>

    /// `onState` is called on the loop at each change; `scripts` are loaded at each connect. Without an `address` it goes
    /// where the configuration leads.
    package init(
        configuration: RedisConfiguration, address: ShardAddress? = nil, eventLoop: any EventLoop, logger: Logger,
        scripts: [RedisScript] = [],
        onState: @escaping @Sendable (RedisLinkState) -> Void = { _ in }
    ) {
        self.eventLoop = eventLoop
        self.inboxLimit = configuration.maxQueuedCommands
        self.loadedDigests = Set(scripts.map(\.digest))
        self.core = CommandLinkCore(
            configuration: configuration, address: address ?? ShardAddress(of: configuration.topology),
            eventLoop: eventLoop, logger: logger, scripts: scripts, onState: onState)
    }

    /// Whether commands go straight out now.
    package var isConnected: Bool { core.isConnected.load(ordering: .relaxed) }

    /// Begins to connect. Commands may be sent before; they wait.
    package func start() {
        eventLoop.execute { self.core.start() }
    }

    /// Closes the connection for good: commands without an answer, and later ones, fail with `closed`. The future is
    /// done when the connection is.
    package func shutdown() -> EventLoopFuture<Void> {
        eventLoop.flatSubmit { self.core.shutdown() }
    }

    /// Makes the connection anew if it leads to this server, from any thread.
    package func leave(_ server: ServerID) {
        eventLoop.execute { self.core.leave(server) }
    }

    /// Goes to the address of its shard if that is another by now, from any thread.
    package func follow() {
        eventLoop.execute { self.core.follow() }
    }

    /// Sends a command, from any thread. The callback is called exactly once, on the link's loop.
    ///
    /// - Parameters:
    ///   - timeout: until when the answer is worth waiting for; nil for the configuration's `commandTimeout`.
    ///   - stalled: whether it waits behind a command that Redis does not answer.
    package func send(
        _ command: [RedisArgument], timeout: TimeAmount? = nil, stalled: StallPolicy = .wait,
        reply: @escaping @Sendable (Result<RedisReply, RedisError>) -> Void
    ) {
        let submission = CommandLinkCore.Submission(
            arguments: command, timeout: timeout, stalled: stalled, reply: reply)
        let (isTaken, mustSchedule) = inbox.withLock { inbox in
            guard inbox.submissions.count < inboxLimit else { return (false, false) }
            inbox.submissions.append(submission)
            defer { inbox.isDrainScheduled = true }
            return (true, !inbox.isDrainScheduled)
        }
        if mustSchedule {
            eventLoop.execute { self.drain() }
        } else if !isTaken {
            eventLoop.execute { reply(.failure(.unavailable("the queue is full"))) }
        }
    }

    /// Runs a script by its digest; one that is not among the link's scripts is sent whole.
    package func call(
        _ script: RedisScript, keys: [String], arguments: [RedisArgument], timeout: TimeAmount? = nil,
        stalled: StallPolicy = .wait, reply: @escaping @Sendable (Result<RedisReply, RedisError>) -> Void
    ) {
        send(
            invocation(of: script, keys: keys, arguments: arguments), timeout: timeout, stalled: stalled, reply: reply)
    }

    /// As `send(_:timeout:reply:)`. Cancelling the task does not take the command back.
    package func send(
        _ command: [RedisArgument], timeout: TimeAmount? = nil
    ) async throws(RedisError) -> RedisReply {
        let result = await withCheckedContinuation { continuation in
            send(command, timeout: timeout) { continuation.resume(returning: $0) }
        }
        return try result.get()
    }

    /// As `call(_:keys:arguments:timeout:reply:)`. Cancelling the task does not take the command back.
    package func call(
        _ script: RedisScript, keys: [String], arguments: [RedisArgument], timeout: TimeAmount? = nil
    ) async throws(RedisError) -> RedisReply {
        try await send(invocation(of: script, keys: keys, arguments: arguments), timeout: timeout)
    }

    private func invocation(of script: RedisScript, keys: [String], arguments: [RedisArgument]) -> [RedisArgument] {
        var command: [RedisArgument] = []
        command.reserveCapacity(3 + keys.count + arguments.count)
        if loadedDigests.contains(script.digest) {
            command.append("EVALSHA")
            command.append(.string(script.digest))
        } else {
            command.append("EVAL")
            command.append(.string(script.source))
        }
        command.append(.integer(Int64(keys.count)))
        for key in keys { command.append(.string(key)) }
        command.append(contentsOf: arguments)
        return command
    }

    private func drain() {
        let submissions = inbox.withLock { inbox in
            inbox.isDrainScheduled = false
            let taken = inbox.submissions
            inbox.submissions = []
            inbox.submissions.reserveCapacity(min(taken.count, 1024))
            return taken
        }
        core.submit(submissions)
    }
}
