import GatewayCore
import RedisBackend
import Testing

/// Whether Redis lets a node do what it has to do for all.
struct DutiesTests {
    private func at(_ seconds: Int64) -> MonotonicTime { MonotonicTime(nanoseconds: seconds * 1_000_000_000) }

    @Test func `what is refused is a problem until it is carried out`() {
        var duties = Duties(patience: .seconds(60))
        duties.answered("look", refusal: nil, now: at(0))
        #expect(duties.problem(now: at(0)) == nil)
        duties.answered("look", refusal: "NOPERM no", now: at(1))
        duties.answered("claim", refusal: nil, now: at(1))
        #expect(duties.problem(now: at(2)) == "look: NOPERM no")
        duties.answered("look", refusal: nil, now: at(3))
        #expect(duties.problem(now: at(3)) == nil)
    }

    @Test func `what is asked for no more is a problem for a while, and again when it is refused again`() {
        var duties = Duties(patience: .seconds(60))
        duties.answered("sweep", refusal: "ERR no", now: at(1))
        duties.answered("sweep", refusal: "ERR no", now: at(5))
        #expect(duties.problem(now: at(64)) == "sweep: ERR no")
        #expect(duties.problem(now: at(65)) == nil)
        duties.answered("sweep", refusal: "ERR no", now: at(66))
        #expect(duties.problem(now: at(66)) == "sweep: ERR no")
    }

    @Test func `of several one is named, and all have to be carried out`() {
        var duties = Duties(patience: .seconds(60))
        duties.answered("sweep", refusal: "a", now: at(1))
        duties.answered("claim", refusal: "b", now: at(2))
        #expect(duties.problem(now: at(3)) == "claim: b")
        duties.answered("claim", refusal: nil, now: at(4))
        #expect(duties.problem(now: at(5)) == "sweep: a")
    }
}
