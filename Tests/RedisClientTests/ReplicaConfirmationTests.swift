import NIOCore
import RedisClient
import Testing

/// The machine of a link whose answers wait until replicas have what was written.
@Suite struct ReplicaConfirmationTests {
    private var pipeline: CommandPipeline
    private let answers = Recorder<Answer>()
    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000)

    init() {
        var configuration = RedisConfiguration(endpoint: .unix(path: "/nowhere"))
        configuration.maxQueuedCommands = 3
        configuration.confirmation = ReplicaConfirmation(timeout: .seconds(2))
        pipeline = CommandPipeline(configuration: configuration)
    }

    private mutating func submit(_ number: Int, timeout: TimeAmount = .seconds(5)) -> Bool {
        let command = CommandPipeline.Command(
            arguments: [.integer(Int64(number))],
            reply: { [answers] in answers.record(Answer(number: number, result: $0.map(\.text))) },
            deadline: start + timeout, patience: .seconds(5), bytes: 10)
        if case .write = pipeline.submitted(command, now: start) { return true }
        return false
    }

    private mutating func link() -> [String] {
        var written: [String] = []
        pipeline.linked(now: start) { written.append("\($0.arguments[0]) \($0.isRetry)") }
        return written
    }

    private mutating func mustWait() -> Bool { pipeline.mustAwaitReplicas(patience: .seconds(5), now: start) }

    /// Redis answers the oldest command.
    private mutating func answer(_ text: String) throws {
        let oldest = pipeline.answered()
        let command = try #require(oldest)
        #expect(!command.isConfirmation)
        pipeline.keep(try .status(text), of: command)
    }

    /// Redis answers the WAIT; what it covers, each with its answer.
    private mutating func confirm() -> [String] {
        let oldest = pipeline.answered()
        #expect(oldest?.isConfirmation == true)
        return pipeline.replicasAnswered().map(\.answer.text)
    }

    @Test mutating func `one WAIT covers all that a turn has written, and an idle link has none`() throws {
        #expect(link().isEmpty && !mustWait())
        #expect(submit(1) && submit(2) && mustWait() && !mustWait())
        try answer("a")
        try answer("b")
        #expect(confirm() == ["a", "b"])
        #expect(!mustWait() && pipeline.isIdle)
    }

    @Test mutating func `what is written while a WAIT runs is covered by the next, not by this one`() throws {
        #expect(link().isEmpty && submit(1) && mustWait())
        #expect(submit(2) && !mustWait())
        try answer("a")
        #expect(confirm() == ["a"])
        #expect(mustWait())
        try answer("b")
        #expect(confirm() == ["b"])
        #expect(!mustWait())
    }

    @Test mutating func `after a break the unconfirmed go again before the unanswered, with a WAIT of their own`()
        throws
    {
        #expect(link().isEmpty && submit(1) && mustWait() && submit(2))
        try answer("a")
        pipeline.unlinked(now: start)
        #expect(!submit(3) && !mustWait())
        #expect(link() == ["integer(1) true", "integer(2) true", "integer(3) false"])
        #expect(mustWait())
        try answer("a")
        try answer("b")
        try answer("c")
        #expect(confirm() == ["a", "b", "c"])
    }

    @Test mutating func `a caller whose time is up hears that it is stored and unconfirmed, and it does not go again`()
        throws
    {
        #expect(link().isEmpty && submit(1, timeout: .seconds(1)) && submit(2) && mustWait())
        try answer("a")
        #expect(pipeline.expired(now: start + .seconds(1)).map(\.error) == [.unconfirmed])
        try answer("b")
        #expect(pipeline.expired(now: start + .seconds(4)).isEmpty)
        pipeline.unlinked(now: start)
        #expect(link() == ["integer(2) true"])
    }

    @Test mutating func `the unconfirmed count for the queue's bound, and closing fails them`() throws {
        #expect(link().isEmpty && submit(1) && submit(2) && submit(3) && mustWait())
        for text in ["a", "b", "c"] { try answer(text) }
        #expect(!submit(4))
        #expect(answers.all.isEmpty)
        #expect(pipeline.closed().map(\.error) == [.closed, .closed, .closed])
    }

    @Test mutating func `a ping needs no replica`() throws {
        #expect(link().isEmpty)
        pipeline.pinged(patience: .seconds(3), now: start)
        #expect(!mustWait())
        let oldest = pipeline.answered()
        pipeline.keep(try .status("PONG"), of: try #require(oldest))
        #expect(submit(1) && mustWait())
        try answer("a")
        #expect(confirm() == ["a"])
    }
}
