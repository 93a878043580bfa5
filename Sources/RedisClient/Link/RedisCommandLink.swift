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

    /// One connection, or one to each server of a Cluster.
    private enum Core {
        case single(CommandLinkCore)
        case cluster(ClusterLinkCore)
    }

    package let eventLoop: any EventLoop
    private let core: Core
    private let inbox = Mutex(Inbox())
    private let inboxLimit: Int
    private let loadedDigests: Set<String>

    /// - Parameters:
    ///   - address: without one it goes where the configuration leads.
    ///   - map: of a Cluster, which it then follows.
    ///   - slots: of a Cluster, those that commands are sent about.
    ///   - scripts: loaded at each connect.
    ///   - onState: called on the loop at each change.
    ///   - onServer: the same for each server of a Cluster.
    ///   - onStandstill: called on the loop with those slots of a Cluster for which nothing has run for seconds, as they are
    ///     on the move, whenever these are others than before.
    package init(
        configuration: RedisConfiguration, address: ShardAddress? = nil, map: SlotMap = SlotMap(),
        slots: [KeySlot] = [], eventLoop: any EventLoop, logger: Logger, scripts: [RedisScript] = [],
        onState: @escaping @Sendable (RedisLinkState) -> Void = { _ in },
        onServer: @escaping @Sendable (RedisConfiguration.Endpoint, RedisLinkState) -> Void = { _, _ in },
        onStandstill: @escaping @Sendable (Set<KeySlot>) -> Void = { _ in }
    ) {
        self.eventLoop = eventLoop
        self.inboxLimit = configuration.maxQueuedCommands
        self.loadedDigests = Set(scripts.map(\.digest))
        switch configuration.topology {
        case .cluster:
            core = .cluster(
                ClusterLinkCore(
                    configuration: configuration, map: map, slots: slots, eventLoop: eventLoop, logger: logger,
                    scripts: scripts, onServer: onServer, onStandstill: onStandstill))
        case .single, .sentinel:
            core = .single(
                CommandLinkCore(
                    configuration: configuration, address: address ?? ShardAddress(of: configuration.topology),
                    eventLoop: eventLoop, logger: logger, scripts: scripts, onState: onState))
        }
    }

    /// Whether commands about a slot go straight out now; of a Cluster on the loop only.
    package func isConnected(for slot: KeySlot) -> Bool {
        switch core {
        case .single(let core): core.isConnected.load(ordering: .relaxed)
        case .cluster(let core): core.isConnected(for: slot)
        }
    }

    /// The same where one server has all, from any thread; never of a Cluster.
    package var isConnected: Bool {
        switch core {
        case .single(let core): core.isConnected.load(ordering: .relaxed)
        case .cluster: false
        }
    }

    /// Begins to connect. Commands may be sent before; they wait.
    package func start() {
        eventLoop.execute {
            switch self.core {
            case .single(let core): core.start()
            case .cluster(let core): core.start()
            }
        }
    }

    /// Closes the connection for good: commands without an answer, and later ones, fail with `closed`. The future is
    /// done when the connection is.
    package func shutdown() -> EventLoopFuture<Void> {
        eventLoop.flatSubmit {
            switch self.core {
            case .single(let core): core.shutdown()
            case .cluster(let core): core.shutdown()
            }
        }
    }

    /// Makes the connection anew if it leads to this server, from any thread.
    package func leave(_ server: ServerID) {
        eventLoop.execute {
            switch self.core {
            case .single(let core): core.leave(server)
            case .cluster(let core): core.leave(server)
            }
        }
    }

    /// Makes the connection to this server of a Cluster anew if it is older than the moment at which that was another, from
    /// any thread.
    package func verify(_ place: RedisConfiguration.Endpoint, is server: ServerID, since moment: NIODeadline) {
        guard case .cluster(let core) = core else { return }
        eventLoop.execute { core.verify(place, is: server, since: moment) }
    }

    /// Goes where the address or the map leads if that is elsewhere by now, from any thread.
    package func follow() {
        eventLoop.execute {
            switch self.core {
            case .single(let core): core.follow()
            case .cluster(let core): core.follow()
            }
        }
    }

    /// Sends a command, from any thread. The callback is called exactly once, on the link's loop.
    ///
    /// - Parameters:
    ///   - slot: of what it is about, for a Cluster.
    ///   - timeout: until when the answer is worth waiting for; nil for the configuration's `commandTimeout`.
    ///   - stalled: whether it waits behind a command that Redis does not answer.
    package func send(
        _ command: [RedisArgument], for slot: KeySlot = .first, timeout: TimeAmount? = nil,
        stalled: StallPolicy = .wait,
        reply: @escaping @Sendable (Result<RedisReply, RedisError>) -> Void
    ) {
        let submission = CommandLinkCore.Submission(
            arguments: command, timeout: timeout, stalled: stalled, slot: slot, reply: reply)
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
        _ script: RedisScript, keys: [String], arguments: [RedisArgument], for slot: KeySlot = .first,
        timeout: TimeAmount? = nil, stalled: StallPolicy = .wait,
        reply: @escaping @Sendable (Result<RedisReply, RedisError>) -> Void
    ) {
        send(
            invocation(of: script, keys: keys, arguments: arguments), for: slot, timeout: timeout, stalled: stalled,
            reply: reply)
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
        switch core {
        case .single(let core): core.submit(submissions)
        case .cluster(let core): core.submit(submissions)
        }
    }
}
