import NIOCore
import RedisClient
import Testing

@Suite struct CommandPipelineTests {
    private var pipeline: CommandPipeline
    private let answers = Recorder<Answer>()
    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000)

    init() {
        var configuration = RedisConfiguration(endpoint: .unix(path: "/nowhere"))
        configuration.maxQueuedCommands = 3
        configuration.maxQueuedBytes = 1000
        configuration.failFastAfter = .seconds(1)
        pipeline = CommandPipeline(configuration: configuration)
    }

    private func command(
        _ number: Int, timeout: TimeAmount = .seconds(5), patience: TimeAmount = .seconds(5), bytes: Int = 10
    ) -> CommandPipeline.Command {
        CommandPipeline.Command(
            arguments: [.integer(Int64(number))],
            reply: { [answers] in answers.record(Answer(number: number, result: $0.map(\.text))) },
            deadline: start + timeout, patience: patience, bytes: bytes)
    }

    private func isWrite(_ admission: CommandPipeline.Admission) -> Bool {
        if case .write = admission { true } else { false }
    }

    private func isWait(_ admission: CommandPipeline.Admission) -> Bool {
        if case .wait = admission { true } else { false }
    }

    private func rejection(_ admission: CommandPipeline.Admission) -> RedisError? {
        if case .reject(let error) = admission { error } else { nil }
    }

    private mutating func link(at now: NIODeadline) -> [String] {
        var written: [String] = []
        pipeline.linked(now: now) { written.append("\($0.arguments[0]) \($0.isRetry)") }
        return written
    }

    @Test mutating func `what waits is written in order when the link stands`() {
        pipeline.started(now: start)
        #expect(isWait(pipeline.submitted(command(1), now: start)))
        #expect(isWait(pipeline.submitted(command(2), now: start)))
        #expect(link(at: start) == ["integer(1) false", "integer(2) false"])
        #expect(isWrite(pipeline.submitted(command(3), now: start)))
        #expect(pipeline.answered()?.arguments == [1])
        #expect(pipeline.answered()?.arguments == [2])
        #expect(pipeline.answered()?.arguments == [3])
        #expect(pipeline.answered() == nil)
    }

    @Test
    mutating func `what another server is not to be told fails before it is linked, and what comes then is written`() {
        pipeline.started(now: start)
        #expect(link(at: start).isEmpty)
        #expect(isWrite(pipeline.submitted(command(1), now: start)))
        pipeline.unlinked(now: start)
        #expect(isWait(pipeline.submitted(command(2), now: start)))
        for failure in pipeline.abandoned() { failure.reply(.failure(failure.error)) }
        #expect(
            answers.all == [
                Answer(number: 1, result: .failure(.timeout)),
                Answer(number: 2, result: .failure(.unavailable("this is another server"))),
            ])
        #expect(link(at: start).isEmpty)
        for number in 3...5 { #expect(isWrite(pipeline.submitted(command(number), now: start))) }
    }

    @Test mutating func `an answer that is late is kept with all behind it, until the server is trusted again`() throws
    {
        pipeline = CommandPipeline(
            configuration: RedisConfiguration(endpoint: .unix(path: "/nowhere")), doubtsAfter: .seconds(1))
        pipeline.started(now: start)
        #expect(link(at: start).isEmpty)
        for number in 1...3 { #expect(isWrite(pipeline.submitted(command(number), now: start))) }
        try keep(at: start + .seconds(1), isKept: false, isFirst: false)
        try keep(at: start + .seconds(1) + .nanoseconds(1), isKept: true, isFirst: true)
        try keep(at: start + .seconds(2), isKept: true, isFirst: false)
        pipeline.questioned(patience: .seconds(1), now: start + .seconds(2))
        #expect(isWrite(pipeline.submitted(command(4), now: start + .seconds(2))))
        #expect(pipeline.answered()?.isConfirmation == true)
        #expect(pipeline.trusted().count == 2 && !pipeline.isDoubting)
        try keep(at: start + .seconds(2), isKept: false, isFirst: false)
    }

    @Test mutating func `where the link breaks instead, what was kept goes again before all that had no answer`() throws
    {
        pipeline = CommandPipeline(
            configuration: RedisConfiguration(endpoint: .unix(path: "/nowhere")), doubtsAfter: .seconds(1))
        pipeline.started(now: start)
        #expect(link(at: start).isEmpty)
        for number in 1...3 { #expect(isWrite(pipeline.submitted(command(number), now: start))) }
        try keep(at: start + .seconds(2), isKept: true, isFirst: true)
        try keep(at: start + .seconds(2), isKept: true, isFirst: false)
        pipeline.unlinked(now: start + .seconds(2))
        #expect(!pipeline.isDoubting && answers.all.isEmpty)
        #expect(link(at: start + .seconds(3)) == ["integer(1) true", "integer(2) true", "integer(3) true"])
        // What was answered as the caller gave up is nobody's.
        for failure in pipeline.expired(now: start + .seconds(9)) { failure.reply(.failure(failure.error)) }
        #expect(answers.all.map(\.result) == Array(repeating: .failure(.timeout), count: 3))
    }

    private mutating func keep(at now: NIODeadline, isKept: Bool, isFirst: Bool) throws {
        let oldest = pipeline.answered()
        let command = try #require(oldest)
        let (mustKeep, isFirstDoubt) = pipeline.mustKeep(command, now: now)
        #expect(mustKeep == isKept && isFirstDoubt == isFirst)
        if mustKeep { pipeline.keep(try .status("OK"), of: command) }
    }

    @Test mutating func `after a break the unanswered go again, in their old order, before what came since`() {
        pipeline.started(now: start)
        #expect(link(at: start).isEmpty)
        for number in 1...2 { #expect(isWrite(pipeline.submitted(command(number), now: start))) }
        #expect(pipeline.answered() != nil)
        pipeline.unlinked(now: start)
        #expect(isWait(pipeline.submitted(command(3), now: start)))
        #expect(link(at: start) == ["integer(2) true", "integer(3) false"])
    }

    @Test mutating func `a second break marks what was new in the first one too`() {
        #expect(link(at: start).isEmpty)
        #expect(isWrite(pipeline.submitted(command(1), now: start)))
        pipeline.unlinked(now: start)
        #expect(isWait(pipeline.submitted(command(2), now: start)))
        #expect(link(at: start).count == 2)
        pipeline.unlinked(now: start)
        #expect(link(at: start) == ["integer(1) true", "integer(2) true"])
    }

    @Test mutating func `what timed out keeps its slot and is not sent again`() {
        #expect(link(at: start).isEmpty)
        #expect(isWrite(pipeline.submitted(command(1, timeout: .seconds(1)), now: start)))
        #expect(isWrite(pipeline.submitted(command(2), now: start)))
        #expect(pipeline.expired(now: start + .milliseconds(999)).isEmpty)
        let failures = pipeline.expired(now: start + .seconds(1))
        #expect(failures.map(\.error) == [.timeout])
        #expect(pipeline.expired(now: start + .seconds(2)).isEmpty)
        let late = pipeline.answered()
        #expect(late != nil && late?.reply == nil)
        #expect(pipeline.answered()?.arguments == [2])
    }

    @Test mutating func `what timed out before a break is not sent on the next link`() {
        #expect(link(at: start).isEmpty)
        #expect(isWrite(pipeline.submitted(command(1, timeout: .seconds(1)), now: start)))
        #expect(isWrite(pipeline.submitted(command(2), now: start)))
        #expect(pipeline.expired(now: start + .seconds(1)).count == 1)
        pipeline.unlinked(now: start + .seconds(1))
        #expect(link(at: start + .seconds(1)) == ["integer(2) true"])
    }

    @Test mutating func `what another link has sent is in doubt where this one does not take it`() {
        pipeline.started(now: start)
        let again = CommandPipeline.Command(
            arguments: [1], reply: nil, deadline: start + .seconds(9), patience: .seconds(5), bytes: 10, isRetry: true)
        let late = start + .seconds(2)
        #expect(rejection(pipeline.submitted(again, now: late)) == .timeout)
        #expect(
            rejection(pipeline.submitted(command(2, timeout: .seconds(9)), now: late))
                == .unavailable("the link is down"))
    }

    @Test mutating func `what waited in vain was not sent, what was sent before is in doubt`() {
        #expect(link(at: start).isEmpty)
        #expect(isWrite(pipeline.submitted(command(1), now: start)))
        pipeline.unlinked(now: start)
        #expect(isWait(pipeline.submitted(command(2), now: start)))
        let failures = pipeline.expired(now: start + .seconds(5))
        #expect(failures.map(\.error) == [.timeout, .unavailable("the link is down")])
        #expect(link(at: start + .seconds(5)).isEmpty)
    }

    @Test mutating func `the oldest unanswered command makes the link overdue from when it was written`() {
        pipeline.started(now: start)
        #expect(isWait(pipeline.submitted(command(1, timeout: .seconds(9)), now: start)))
        #expect(link(at: start + .seconds(4)).count == 1)
        #expect(!pipeline.isOverdue(now: start + .seconds(8)))
        #expect(pipeline.isOverdue(now: start + .seconds(9)))
        #expect(pipeline.answered() != nil)
        #expect(!pipeline.isOverdue(now: start + .seconds(9)))
    }

    @Test mutating func `a ping without an answer makes the link overdue and is never sent again`() {
        #expect(link(at: start).isEmpty)
        pipeline.pinged(patience: .seconds(3), now: start)
        #expect(pipeline.isOverdue(now: start + .seconds(3)))
        pipeline.unlinked(now: start + .seconds(3))
        #expect(link(at: start + .seconds(3)).isEmpty)
    }

    @Test mutating func `the queue is bounded by commands and by bytes`() {
        pipeline.started(now: start)
        #expect(isWait(pipeline.submitted(command(1, bytes: 900), now: start)))
        let full = RedisError.unavailable("the queue is full")
        #expect(rejection(pipeline.submitted(command(2, bytes: 101), now: start)) == full)
        #expect(isWait(pipeline.submitted(command(3), now: start)))
        #expect(link(at: start).count == 2)
        #expect(isWrite(pipeline.submitted(command(4), now: start)))
        #expect(rejection(pipeline.submitted(command(5), now: start)) == full)
        #expect(pipeline.answered() != nil)
        #expect(isWrite(pipeline.submitted(command(6, bytes: 900), now: start)))
    }

    @Test mutating func `while Redis stays away new commands fail at once`() {
        #expect(isWait(pipeline.submitted(command(1), now: start)))
        pipeline.started(now: start)
        #expect(isWait(pipeline.submitted(command(2), now: start + .seconds(1))))
        let later = start + .milliseconds(1001)
        #expect(rejection(pipeline.submitted(command(3), now: later)) == .unavailable("the link is down"))
        #expect(link(at: later).count == 2)
        #expect(isWrite(pipeline.submitted(command(4), now: later)))
    }

    @Test mutating func `closing fails everybody once and admits nobody`() {
        #expect(link(at: start).isEmpty)
        #expect(isWrite(pipeline.submitted(command(1), now: start)))
        pipeline.unlinked(now: start)
        #expect(isWait(pipeline.submitted(command(2), now: start)))
        #expect(pipeline.closed().map(\.error) == [.closed, .closed])
        #expect(pipeline.closed().isEmpty)
        #expect(rejection(pipeline.submitted(command(3), now: start)) == .closed)
    }
}
