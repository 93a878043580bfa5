import GatewayCore
import Logging
import NIOCore
import ServiceLifecycle

/// Carries events to one receiver: does what its `LaneBoard` says and tells it how that went.
struct ReceiverLine: Sendable {
    private enum Input: Sendable {
        case tick
        case drain
        case gathered(LedgerAssignment, Result<LedgerBatch?, LedgerError>)
        case sent(LedgerAssignment, LaneBoard.Answer)
        case settled(LedgerAssignment, LedgerBatch, LedgerOutcome, Result<Void, LedgerError>)
    }

    private static let tick = Duration.milliseconds(50)

    let receiver: WebhookReceiver
    let configuration: WebhookConfiguration
    let ledger: any EventLedger
    let sender: WebhookSender
    let attempts: AttemptTracing
    let metrics: WebhookMetrics
    /// Milliseconds since 1970.
    let wall: @Sendable () -> Int64
    let logger: Logger

    /// Runs until the task is cancelled; after a graceful shutdown, until all lanes are empty or the time for it is over.
    func run() async {
        // Bounded by itself: a tick is put in only when the last one was taken, and a lane has one thing under way.
        let (inputs, inbox) = AsyncStream.makeStream(of: Input.self)
        await withGracefulShutdownHandler {
            await withDiscardingTaskGroup { group in
                await serve(inputs, inbox, in: &group)
                group.cancelAll()
            }
        } onGracefulShutdown: {
            inbox.yield(.drain)
        }
    }

    private func serve(
        _ inputs: AsyncStream<Input>, _ inbox: AsyncStream<Input>.Continuation, in group: inout DiscardingTaskGroup
    ) async {
        var board = LaneBoard(
            pace: configuration.pace, giveUpAfter: configuration.giveUpAfter, concurrency: configuration.concurrency)
        var failures = FailureTold(logger: logger)
        var drainedFrom: MonotonicTime?
        let start = ContinuousClock.now
        inbox.yield(.tick)
        for await input in inputs {
            let now = MonotonicTime(nanoseconds: start.duration(to: .now).nanoseconds)
            var actions: [LaneBoard.Action] = []
            switch input {
            case .tick:
                actions = board.tick(ledger.assignments(), now: now)
                metrics.record(lag: board.lag)
                if let from = drainedFrom, board.isEmpty(since: from) || now >= from + configuration.drainTimeout {
                    return
                }
                group.addTask {
                    // A cancelled task asks no more.
                    guard (try? await Task.sleep(for: ReceiverLine.tick)) != nil else { return }
                    inbox.yield(.tick)
                }
            case .drain:
                drainedFrom = drainedFrom ?? now
            case .gathered(let assignment, let result):
                actions = board.gathered(assignment, result, now: now)
            case .sent(let assignment, let answer):
                metrics.answered(answer)
                failures.tell(answer, now: now)
                actions = board.sent(assignment, answer, now: now, chance: .random(in: 0..<1))
            case .settled(let assignment, let batch, let outcome, let result):
                if case .success = result { tell(batch, outcome, assignment) }
                actions = board.settled(assignment, result, now: now)
            }
            for action in actions { group.addTask { await perform(action, inbox) } }
        }
    }

    private func perform(_ action: LaneBoard.Action, _ inbox: AsyncStream<Input>.Continuation) async {
        switch action {
        case .gather(let assignment):
            let result: Result<LedgerBatch?, LedgerError>
            do throws(LedgerError) {
                var batch = try await ledger.gather(assignment, for: receiver)
                if let events = batch?.events { batch?.events = configuration.told(events, to: receiver) }
                result = .success(batch)
            } catch {
                result = .failure(error)
            }
            inbox.yield(.gathered(assignment, result))
        case .send(let assignment, let batch):
            guard let letter = configuration.letter(of: batch.events, to: receiver, now: wall()) else {
                inbox.yield(.sent(assignment, .taken))
                return
            }
            let began = ContinuousClock.now
            let answer = await attempts.trace(batch.events) { traceparent in
                await sender.send(letter.body, fields: letter.fields, traceparent: traceparent)
            }
            metrics.asked(for: began.duration(to: .now))
            inbox.yield(.sent(assignment, answer))
        case .settle(let assignment, let batch, let outcome):
            let result: Result<Void, LedgerError>
            do throws(LedgerError) {
                result = .success(try await ledger.settle(batch, of: assignment, for: receiver, as: outcome))
            } catch {
                result = .failure(error)
            }
            inbox.yield(.settled(assignment, batch, outcome, result))
        case .record(let assignment, let reason):
            // Only shown to people; the next failure is noted again.
            try? await ledger.record(reason, of: assignment, for: receiver)
        }
    }

    private func tell(_ batch: LedgerBatch, _ outcome: LedgerOutcome, _ assignment: LedgerAssignment) {
        metrics.settled(batch, outcome)
        var metadata: Logger.Metadata = [
            "partition": "\(assignment.partition)", "count": "\(batch.events.first?.count ?? batch.events.count)",
        ]
        switch (batch.kind, outcome) {
        case (.loss, _):
            logger.error("Events were lost to a webhook: the ledger could keep no more", metadata: metadata)
        case (.news, .givenUp(let reason)):
            metadata["reason"] = "\(reason)"
            logger.error("Events were given up and are dead letters now", metadata: metadata)
        case (.replay, .givenUp(let reason)):
            metadata["reason"] = "\(reason)"
            logger.error("A replay of events was given up", metadata: metadata)
        case (.news, .sent), (.replay, .sent):
            break
        }
    }
}

/// Says that a receiver fails, and that it answers again: not for every attempt, but when that changes, for all lanes
/// together.
struct FailureTold {
    let logger: Logger
    private var trouble = Trouble()

    init(logger: Logger) {
        self.logger = logger
    }

    mutating func tell(_ answer: LaneBoard.Answer, now: MonotonicTime) {
        switch answer {
        case .taken:
            if trouble.passed() { logger.info("A webhook takes events again") }
        case .failed(let reason):
            guard trouble.failed(reason, at: now) else { return }
            logger.warning("A webhook does not take events", metadata: ["reason": "\(reason)"])
        }
    }
}
