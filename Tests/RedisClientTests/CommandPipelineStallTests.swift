import NIOCore
import RedisClient
import Testing

/// A Redis that does not answer: what is kept for it, and who waits.
@Suite struct CommandPipelineStallTests {
    private var pipeline: CommandPipeline
    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000)

    init() {
        var configuration = RedisConfiguration(endpoint: .unix(path: "/nowhere"))
        configuration.maxBytesOnWire = 100
        configuration.failFastAfter = .seconds(1)
        pipeline = CommandPipeline(configuration: configuration)
        pipeline.linked(now: start) { _ in }
    }

    /// `write`, `wait`, or why it was rejected.
    private mutating func submit(
        _ number: Int, bytes: Int = 40, failsBehindStall: Bool = false, at now: NIODeadline
    ) -> String {
        let command = CommandPipeline.Command(
            arguments: [.integer(Int64(number))], reply: { _ in }, deadline: start + .seconds(5),
            patience: .seconds(5), bytes: bytes, failsBehindStall: failsBehindStall)
        switch pipeline.submitted(command, now: now) {
        case .write: return "write"
        case .wait: return "wait"
        case .reject(let error): return "\(error)"
        }
    }

    private mutating func release() -> [RedisArgument] {
        var written: [RedisArgument] = []
        pipeline.release(now: start) { written += $0.arguments }
        return written
    }

    @Test mutating func `only so much is on the wire, the rest goes as answers make room, in order`() {
        #expect(submit(1, at: start) == "write")
        #expect(submit(2, at: start) == "write")
        #expect(submit(3, at: start) == "wait")
        // It would fit, but must not overtake.
        #expect(submit(4, bytes: 5, at: start) == "wait")
        #expect(pipeline.holdsBack)
        #expect(release().isEmpty)
        #expect(pipeline.answered()?.arguments == [1])
        #expect(release() == [3, 4])
        #expect(!pipeline.holdsBack)
        for number in [2, 3, 4] { #expect(pipeline.answered()?.arguments == [.integer(Int64(number))]) }
        #expect(submit(5, bytes: 100, at: start) == "write")
    }

    @Test mutating func `a command larger than all that may be on the wire goes when nothing else is`() {
        #expect(submit(1, at: start) == "write")
        #expect(submit(2, bytes: 1000, at: start) == "wait")
        #expect(pipeline.answered() != nil)
        #expect(release() == [2])
    }

    @Test mutating func `after a break all goes again in its order, as far as there is room`() {
        for number in 1...4 { _ = submit(number, at: start) }
        pipeline.unlinked(now: start)
        var written: [RedisArgument] = []
        pipeline.linked(now: start) { written += $0.arguments }
        #expect(written == [1, 2])
        #expect(pipeline.answered() != nil)
        #expect(pipeline.answered() != nil)
        #expect(release() == [3, 4])
    }

    @Test mutating func `behind a command that has no answer for too long only those wait that want to`() {
        #expect(submit(1, at: start) == "write")
        #expect(submit(2, bytes: 10, failsBehindStall: true, at: start + .seconds(1)) == "write")
        let late = start + .milliseconds(1001)
        #expect(submit(3, failsBehindStall: true, at: late).contains("an older command has no answer yet"))
        #expect(submit(4, bytes: 10, at: late) == "write")
        #expect(pipeline.answered() != nil)
        #expect(submit(5, bytes: 10, failsBehindStall: true, at: late) == "write")
    }

    @Test mutating func `what was held back until its deadline was not sent`() {
        for number in 1...3 { _ = submit(number, at: start) }
        let failures = pipeline.expired(now: start + .seconds(5))
        #expect(failures.map(\.error) == [.timeout, .timeout, .unavailable("older commands have no answer yet")])
        #expect(!pipeline.holdsBack)
    }
}
