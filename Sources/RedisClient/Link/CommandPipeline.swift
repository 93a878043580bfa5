import DequeModule
import NIOCore

/// The pipeline of commands: which wait, which are on the wire and in what order, and whose time is up, as a machine
/// without I/O.
package struct CommandPipeline {
    package typealias Callback = @Sendable (Result<RedisReply, RedisError>) -> Void

    package struct Command {
        package fileprivate(set) var arguments: [RedisArgument]
        /// Nil once the caller has its answer: the slot stays on the wire's list, and a late reply is dropped.
        package fileprivate(set) var reply: Callback?
        package let deadline: NIODeadline
        /// How long it may be the oldest unanswered command before the link counts as broken.
        package let patience: TimeAmount
        package let bytes: Int
        /// In the order in which the link's commands were handed in; 0 where nothing asks for it.
        package let number: Int64
        /// Whether it fails at once, rather than wait, while an older one has had no answer for too long.
        package let failsBehindStall: Bool
        /// Of a Cluster; nil where one server has all.
        package let slot: KeySlot?
        package fileprivate(set) var isRetry: Bool
        /// Whether it asks for all that was answered before: whether replicas have it too, or whether it was a primary's word.
        package fileprivate(set) var isConfirmation = false
        /// What Redis answered, until that is confirmed.
        fileprivate var answer: RedisReply?
        fileprivate var brokenAfter = NIODeadline.distantFuture
        fileprivate var writtenAt: NIODeadline { brokenAfter - patience }

        package init(
            arguments: [RedisArgument], reply: Callback?, deadline: NIODeadline, patience: TimeAmount, bytes: Int,
            number: Int64 = 0, failsBehindStall: Bool = false, slot: KeySlot? = nil, isRetry: Bool = false
        ) {
            self.arguments = arguments
            self.reply = reply
            self.deadline = deadline
            self.patience = patience
            self.bytes = bytes
            self.number = number
            self.failsBehindStall = failsBehindStall
            self.slot = slot
            self.isRetry = isRetry
        }
    }

    /// A caller who gets an answer without a reply.
    package struct Failure {
        package let reply: Callback
        package let error: RedisError
    }

    package enum Admission {
        /// To be written now; it is on the wire's list.
        case write
        case wait
        case reject(RedisError)
    }

    private enum Mode {
        case linked
        /// Nil until the link has been started.
        case away(since: NIODeadline?)
        case closed
    }

    /// Whether answers are held back until replicas have what was written.
    package let isConfirming: Bool
    private let maxCommands: Int
    private let maxBytes: Int
    private let maxBytesOnWire: Int
    private let failFastAfter: TimeAmount
    private let doubtsAfter: TimeAmount?
    private var mode = Mode.away(since: nil)
    private var onWire = Deque<Command>()
    /// Answered, not yet known to be on replicas; they are older than what is on the wire.
    private var unconfirmed = Deque<Command>()
    private var waiting = Deque<Command>()
    /// Whether an answer came so late that the server may have been replaced before it woke: then all answers are kept.
    package private(set) var isDoubting = false
    /// Whether a WAIT is under way: there is never more than one.
    private var isAwaitingReplicas = false
    /// Whether something was written since the last WAIT.
    private var hasUncovered = false
    private var bytes = 0
    /// Of the commands written on this connection that have no answer yet: what is written is there twice, so the rest
    /// waits as it came.
    private var bytesOnWire = 0
    /// Whether the queues may have grown to a size that is not worth keeping.
    private var hasGrown = false
    /// No deadline lies before this: most scans end here.
    private var earliestDeadline = NIODeadline.distantFuture

    /// - Parameter doubtsAfter: after how long an answer counts only once the server has said again that it is a primary.
    package init(configuration: RedisConfiguration, doubtsAfter: TimeAmount? = nil) {
        self.doubtsAfter = doubtsAfter
        isConfirming = configuration.confirmation != nil
        maxCommands = configuration.maxQueuedCommands
        maxBytes = configuration.maxQueuedBytes
        maxBytesOnWire = configuration.maxBytesOnWire
        failFastAfter = TimeAmount(configuration.failFastAfter)
    }

    package var isIdle: Bool { onWire.isEmpty }

    /// Whether commands wait for others to be answered.
    package var holdsBack: Bool {
        guard case .linked = mode else { return false }
        return !waiting.isEmpty
    }

    package mutating func submitted(_ command: Command, now: NIODeadline) -> Admission {
        switch mode {
        case .closed:
            return .reject(.closed)
        case .away(let since) where since.map { now - $0 > failFastAfter } ?? false:
            return reject(command, because: "the link is down")
        case .linked where command.failsBehindStall && isStalled(now: now):
            return reject(command, because: "an older command has no answer yet")
        case .linked, .away:
            break
        }
        let count = onWire.count + unconfirmed.count + waiting.count
        guard count < maxCommands, bytes + command.bytes <= maxBytes else {
            return reject(command, because: "the queue is full")
        }
        if count >= CommandPipeline.usualCommands { hasGrown = true }
        bytes += command.bytes
        earliestDeadline = min(earliestDeadline, command.deadline)
        guard case .linked = mode, waiting.isEmpty, hasRoomOnWire(command) else {
            waiting.append(command)
            return .wait
        }
        putOnWire(command, now: now)
        return .write
    }

    /// What another link has sent before may have run, though it is not sent over this one.
    private func reject(_ command: Command, because reason: String) -> Admission {
        .reject(command.isRetry ? .timeout : .unavailable(reason))
    }

    /// A command of the link itself, whose reply interests nobody.
    package mutating func pinged(patience: TimeAmount, now: NIODeadline) {
        putOnWire(
            Command(arguments: [], reply: nil, deadline: .distantFuture, patience: patience, bytes: 0), now: now)
    }

    /// Whether a WAIT has to be written now; it is then on the wire's list. What is written while it holds the link
    /// is covered by the next one, so no command waits for more than two.
    package mutating func mustAwaitReplicas(patience: TimeAmount, now: NIODeadline) -> Bool {
        guard isConfirming, hasUncovered, !isAwaitingReplicas else { return false }
        isAwaitingReplicas = true
        hasUncovered = false
        var command = Command(arguments: [], reply: nil, deadline: .distantFuture, patience: patience, bytes: 0)
        command.isConfirmation = true
        putOnWire(command, now: now)
        return true
    }

    /// Whether the answer to a command that was taken out is kept for now, and whether it is the first that is doubted.
    package mutating func mustKeep(
        _ command: Command, now: @autoclosure () -> NIODeadline
    ) -> (Bool, isFirstDoubt: Bool) {
        if isConfirming || isDoubting { return (true, false) }
        guard let doubtsAfter, now() - command.writtenAt > doubtsAfter else { return (false, false) }
        isDoubting = true
        return (true, true)
    }

    /// The server is asked whether it is a primary yet.
    package mutating func questioned(patience: TimeAmount, now: NIODeadline) {
        var command = Command(arguments: [], reply: nil, deadline: .distantFuture, patience: patience, bytes: 0)
        command.isConfirmation = true
        putOnWire(command, now: now)
    }

    /// It is: takes all whose answers were kept, each with its own.
    package mutating func trusted() -> [(reply: Callback, answer: RedisReply)] {
        isDoubting = false
        return takeUnconfirmed()
    }

    /// Keeps the answer to a command that was taken out until it is confirmed.
    package mutating func keep(_ answer: RedisReply, of command: Command) {
        guard command.reply != nil else { return }
        var command = command
        command.answer = answer
        bytes += command.bytes
        unconfirmed.append(command)
    }

    /// The WAIT was answered: takes all whom it covers, each with its answer. Those still on the wire were written
    /// after it.
    package mutating func replicasAnswered() -> [(reply: Callback, answer: RedisReply)] {
        isAwaitingReplicas = false
        return takeUnconfirmed()
    }

    private mutating func takeUnconfirmed() -> [(reply: Callback, answer: RedisReply)] {
        let covered = unconfirmed
        unconfirmed = []
        return covered.compactMap { command in
            bytes -= command.bytes
            guard let reply = command.reply, let answer = command.answer else { return nil }
            return (reply, answer)
        }
    }

    package mutating func started(now: NIODeadline) {
        if case .away(nil) = mode { mode = .away(since: now) }
    }

    /// The link stands: everything that waits goes on the wire, in order. Hands each command to the body.
    package mutating func linked(now: NIODeadline, write: (Command) -> Void) {
        guard case .away = mode else { return }
        mode = .linked
        release(now: now, write: write)
    }

    /// Puts on the wire what was held back and has room now, in order. Hands each command to the body.
    package mutating func release(now: NIODeadline, write: (Command) -> Void) {
        guard case .linked = mode else { return }
        while let first = waiting.first, hasRoomOnWire(first), let command = waiting.popFirst() {
            write(command)
            putOnWire(command, now: now)
        }
    }

    private func hasRoomOnWire(_ command: Command) -> Bool {
        bytesOnWire == 0 || bytesOnWire + command.bytes <= maxBytesOnWire
    }

    /// The link broke: what has no answer, or an unconfirmed one, will go again, in its old order, before what waits:
    /// a WAIT on another connection says nothing of what was written on this one. Nothing that was answered or given
    /// up does.
    package mutating func unlinked(now: NIODeadline) {
        guard case .linked = mode else { return }
        mode = .away(since: now)
        bytesOnWire = 0
        isAwaitingReplicas = false
        hasUncovered = false
        isDoubting = false
        while var command = onWire.popLast() ?? unconfirmed.popLast() {
            guard command.reply != nil else {
                bytes -= command.bytes
                continue
            }
            command.isRetry = true
            command.answer = nil
            waiting.prepend(command)
        }
    }

    /// A reply came: takes out the command that it belongs to. Nil where none was asked.
    package mutating func answered() -> Command? {
        guard let command = onWire.popFirst() else { return nil }
        bytes -= command.bytes
        bytesOnWire -= command.bytes
        return command
    }

    /// Lets go of the queues' memory after a peak.
    package mutating func rest() {
        guard hasGrown, onWire.isEmpty, waiting.isEmpty, unconfirmed.isEmpty else { return }
        hasGrown = false
        (onWire, waiting, unconfirmed) = ([], [], [])
    }

    private static let usualCommands = 4096

    /// Whether Redis has left the oldest command unanswered for longer than new ones are to wait behind it.
    private func isStalled(now: NIODeadline) -> Bool {
        guard let oldest = onWire.first else { return false }
        return now - oldest.writtenAt > failFastAfter
    }

    /// Whether the oldest unanswered command has held the link for too long.
    package func isOverdue(now: NIODeadline) -> Bool {
        guard let oldest = onWire.first else { return false }
        return oldest.brokenAfter <= now
    }

    /// Takes the callers whose deadline has passed; what they have on the wire keeps its slot.
    package mutating func expired(now: NIODeadline) -> [Failure] {
        guard earliestDeadline <= now else { return [] }
        var failures: [Failure] = []
        var earliest = NIODeadline.distantFuture
        for index in onWire.indices {
            guard let reply = onWire[index].reply else { continue }
            if onWire[index].deadline <= now {
                failures.append(Failure(reply: reply, error: .timeout))
                onWire[index].reply = nil
                onWire[index].arguments = []
            } else {
                earliest = min(earliest, onWire[index].deadline)
            }
        }
        var freedBytes = 0
        let reason: String
        if case .linked = mode { reason = "older commands have no answer yet" } else { reason = "the link is down" }
        unconfirmed.removeAll { command in
            guard command.deadline <= now, let reply = command.reply else {
                earliest = min(earliest, command.deadline)
                return false
            }
            failures.append(Failure(reply: reply, error: isConfirming ? .unconfirmed : .timeout))
            freedBytes += command.bytes
            return true
        }
        waiting.removeAll { command in
            guard command.deadline <= now, let reply = command.reply else {
                earliest = min(earliest, command.deadline)
                return false
            }
            let error = command.isRetry ? RedisError.timeout : .unavailable(reason)
            failures.append(Failure(reply: reply, error: error))
            freedBytes += command.bytes
            return true
        }
        bytes -= freedBytes
        earliestDeadline = earliest
        return failures
    }

    /// Takes back what waits for a link and is for a slot that another server has by now, in order, without a word to its
    /// callers: its number, and whether it may have run.
    package mutating func withdrawn(_ slot: KeySlot) -> [(number: Int64, mayHaveRun: Bool)] {
        guard case .away = mode else { return [] }
        var taken: [(number: Int64, mayHaveRun: Bool)] = []
        var freedBytes = 0
        waiting.removeAll { command in
            guard command.slot == slot else { return false }
            if command.reply != nil { taken.append((command.number, command.isRetry)) }
            freedBytes += command.bytes
            return true
        }
        bytes -= freedBytes
        return taken
    }

    /// Takes everybody who waits for a link: the next one leads to where their commands mean something else.
    package mutating func abandoned() -> [Failure] {
        let failures = waiting.compactMap { command in
            command.reply.map {
                Failure(reply: $0, error: command.isRetry ? .timeout : .unavailable("this is another server"))
            }
        }
        for command in waiting { bytes -= command.bytes }
        waiting = []
        return failures
    }

    /// Takes everybody; nothing is admitted any more.
    package mutating func closed() -> [Failure] {
        mode = .closed
        let failures = (unconfirmed + onWire + waiting).compactMap { command in
            command.reply.map { Failure(reply: $0, error: .closed) }
        }
        unconfirmed = []
        onWire = []
        waiting = []
        bytes = 0
        bytesOnWire = 0
        return failures
    }

    private mutating func putOnWire(_ command: Command, now: NIODeadline) {
        var command = command
        command.brokenAfter = now + command.patience
        if command.reply != nil { hasUncovered = true }
        bytesOnWire += command.bytes
        onWire.append(command)
    }
}
