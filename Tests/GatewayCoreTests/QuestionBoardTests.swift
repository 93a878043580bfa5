import GatewayCore
import Testing

/// Askers are called by numbers.
private typealias Board = QuestionBoard<String, Int>

@Suite("Questions to the backend: flights, line and answers that hold")
struct QuestionBoardTests {
    private static let alice = UserID(unchecked: "alice")
    private static let lane = QuestionLane.address("192.0.2.1")
    private static let yes = Ruling.allowed(Grant())

    private static func moment(_ seconds: Double) -> MonotonicTime {
        MonotonicTime(nanoseconds: Int64(seconds * 1_000_000_000))
    }

    private static func board(underWay: Int = 1, waiting: Int = 10, kept: Int = 4, keptBytes: Int = 6400) -> Board {
        Board(
            limits: Board.Limits(
                underWay: underWay, waiting: waiting, patience: .seconds(2), kept: kept, keptBytes: keptBytes))
    }

    private static func call(_ step: Board.Step) throws -> Board.Call {
        guard case .call(let call) = step else { throw NoCall(step: "\(step)") }
        return call
    }

    private struct NoCall: Error {
        let step: String
    }

    private static func word(_ step: Board.Step) -> String {
        switch step {
        case .known: "known"
        case .call(let call): "call \(call.number)"
        case .wait: "wait"
        case .refused: "refused"
        }
    }

    @Test func `equal questions share one call, others wait for their turn`() throws {
        var board = Self.board()
        let now = Self.moment(0)
        let first = try Self.call(board.ask("a", about: nil, in: Self.lane, by: 1, now: now))
        #expect(Self.word(board.ask("a", about: nil, in: Self.lane, by: 2, now: now)) == "wait")
        #expect(Self.word(board.ask("b", about: nil, in: Self.lane, by: 3, now: now)) == "wait")
        #expect(Self.word(board.ask("b", about: nil, in: Self.lane, by: 4, now: now)) == "wait")
        #expect(board.waiting == 3)
        let outcome = board.ended(first, Self.yes, now: Self.moment(0.5))
        #expect(outcome.answered == [2])
        #expect(outcome.next.map(\.asker) == [3])
        #expect(outcome.next.first?.call.time == .milliseconds(1500))
        let second = try #require(outcome.next.first?.call)
        #expect(board.ended(second, Self.yes, now: Self.moment(1)).answered == [4])
        #expect((board.waiting, board.underWay, board.keptCount) == (0, 0, 0))
    }

    @Test func `whoever waited for as long as a call may take waits no more, and a full line refuses`() throws {
        var board = Self.board(waiting: 4)
        let first = try Self.call(board.ask("a", about: nil, in: Self.lane, by: 1, now: Self.moment(0)))
        #expect(Self.word(board.ask("b", about: nil, in: Self.lane, by: 2, now: Self.moment(0))) == "wait")
        #expect(Self.word(board.ask("b", about: nil, in: Self.lane, by: 3, now: Self.moment(1))) == "wait")
        #expect(Self.word(board.ask("c", about: nil, in: Self.lane, by: 4, now: Self.moment(1))) == "refused")
        let outcome = board.ended(first, .failed(isPassed: false), now: Self.moment(2))
        #expect(outcome.expired == [2, 3])
        #expect(outcome.next.isEmpty)
        #expect(board.waiting == 0)
    }

    @Test func `an answer holds for as long as it says, and never beyond the end of what it grants`() throws {
        var board = Self.board()
        let call = try Self.call(board.ask("a", about: nil, in: Self.lane, by: 1, now: Self.moment(0)))
        let grant = Grant(userId: Self.alice, endsAt: Self.moment(5))
        _ = board.ended(call, .allowed(grant), holds: .seconds(60), bytes: 10, now: Self.moment(1))
        guard case .known(.allowed(let known)) = board.ask("a", about: nil, in: Self.lane, by: 2, now: Self.moment(4.9))
        else {
            Issue.record("the answer is not known")
            return
        }
        // The end stays where it was, however late the answer is used.
        #expect(known.endsAt == Self.moment(5))
        #expect(Self.word(board.ask("a", about: nil, in: Self.lane, by: 3, now: Self.moment(5))) == "call 2")
    }

    @Test func `a no and a failure hold for nobody else`() throws {
        var board = Self.board()
        for (number, ruling) in [Ruling.denied(Denial(.forbidden)), .failed(isPassed: true)].enumerated() {
            let call = try Self.call(board.ask("a", about: nil, in: Self.lane, by: number, now: Self.moment(0)))
            _ = board.ended(call, ruling, holds: .seconds(60), bytes: 1, now: Self.moment(0))
            #expect(board.keptCount == 0)
        }
    }

    @Test func `what was said of a user before the backend changed its mind counts no more, wherever it is`() throws {
        var board = Self.board(underWay: 3)
        let kept = try Self.call(board.ask("token", about: nil, in: Self.lane, by: 1, now: Self.moment(0)))
        _ = board.ended(
            kept, .allowed(Grant(userId: Self.alice)), holds: .seconds(60), bytes: 1, now: Self.moment(1))
        let old = try Self.call(board.ask("join", about: Self.alice, in: Self.lane, by: 2, now: Self.moment(2)))
        board.forget(Self.alice, now: Self.moment(3))
        #expect(board.isForgotten(Self.alice, since: Self.moment(2.9)))
        #expect(!board.isForgotten(Self.alice, since: Self.moment(3.1)))
        // Neither the answer that held nor the call under way.
        let token = try Self.call(board.ask("token", about: nil, in: Self.lane, by: 3, now: Self.moment(4)))
        let new = try Self.call(board.ask("join", about: Self.alice, in: Self.lane, by: 4, now: Self.moment(4)))
        #expect(board.ended(old, Self.yes, holds: .seconds(60), now: Self.moment(5)).answered.isEmpty)
        #expect(board.keptCount == 0)
        // Asked after that, equal questions share again.
        #expect(Self.word(board.ask("join", about: Self.alice, in: Self.lane, by: 5, now: Self.moment(5))) == "wait")
        #expect(board.ended(new, Self.yes, holds: .seconds(60), now: Self.moment(6)).answered == [5])
        #expect(board.keptCount == 1)
        // One that names the user only in its answer, and was asked before.
        board.forget(Self.alice, now: Self.moment(7))
        _ = board.ended(
            token, .allowed(Grant(userId: Self.alice)), holds: .seconds(60), now: Self.moment(8))
        #expect(board.keptCount == 0)
    }

    @Test func `a call about nobody known that began before is joined by nobody after`() throws {
        var board = Self.board(underWay: 3)
        let old = try Self.call(board.ask("cookie", about: nil, in: Self.lane, by: 1, now: Self.moment(0)))
        #expect(Self.word(board.ask("cookie", about: nil, in: Self.lane, by: 2, now: Self.moment(0))) == "wait")
        board.forget(Self.alice, now: Self.moment(1))
        let new = try Self.call(board.ask("cookie", about: nil, in: Self.lane, by: 3, now: Self.moment(2)))
        #expect(board.ended(old, Self.yes, now: Self.moment(3)).answered == [2])
        #expect(Self.word(board.ask("cookie", about: nil, in: Self.lane, by: 4, now: Self.moment(3))) == "wait")
        board.forgetAll(now: Self.moment(4))
        #expect(Self.word(board.ask("cookie", about: nil, in: Self.lane, by: 5, now: Self.moment(5))) == "call 3")
        #expect(board.ended(new, Self.yes, now: Self.moment(6)).answered == [4])
    }

    @Test func `answers that hold take a bounded room`() throws {
        var board = Self.board(kept: 8, keptBytes: 6400)
        for number in 0..<1000 {
            let call = try Self.call(board.ask("\(number)", about: nil, in: Self.lane, by: number, now: Self.moment(0)))
            _ = board.ended(call, Self.yes, holds: .seconds(60), bytes: number % 200, now: Self.moment(0))
            #expect(board.keptCount <= 8)
            #expect(board.keptBytes <= 6400)
        }
        #expect(board.keptCount > 0)
        board.forgetAll(now: Self.moment(1))
        #expect((board.keptCount, board.keptBytes) == (0, 0))
    }

    @Test func `too many users that are asked about again count as all users`() {
        var board = Self.board()
        for number in 0..<30_000 {
            board.forget(UserID(unchecked: "u\(number)"), now: Self.moment(Double(number)))
        }
        #expect(board.isForgotten(UserID(unchecked: "u5"), since: Self.moment(5)))
        #expect(board.isForgotten(UserID(unchecked: "stranger"), since: Self.moment(5)))
        #expect(!board.isForgotten(UserID(unchecked: "u5"), since: Self.moment(30_000)))
    }

    @Test func `a long line is taken in its order`() throws {
        var board = Self.board(waiting: 1000)
        var call = try Self.call(board.ask("first", about: nil, in: Self.lane, by: -1, now: Self.moment(0)))
        for number in 0..<500 {
            _ = board.ask("q\(number)", about: nil, in: Self.lane, by: number, now: Self.moment(0))
        }
        for number in 0..<500 {
            let next = board.ended(call, Self.yes, now: Self.moment(0)).next
            #expect(next.map(\.asker) == [number])
            call = try #require(next.first?.call)
        }
        #expect(board.ended(call, Self.yes, now: Self.moment(0)).next.isEmpty)
        #expect(Self.word(board.ask("again", about: nil, in: Self.lane, by: 1, now: Self.moment(0))) == "call 502")
    }

    @Test func `one lane waits at half of the places, and another finds its turn next`() throws {
        var board = Self.board(waiting: 100)
        let other = QuestionLane.user(Self.alice)
        let first = try Self.call(board.ask("first", about: nil, in: Self.lane, by: -1, now: Self.moment(0)))
        let steps = (0..<100).map { number in
            Self.word(board.ask("q\(number)", about: nil, in: Self.lane, by: number, now: Self.moment(0)))
        }
        #expect(steps.count { $0 == "wait" } == 50)
        #expect(Self.word(board.ask("hers", about: Self.alice, in: other, by: 200, now: Self.moment(0))) == "wait")
        let second = try #require(board.ended(first, Self.yes, now: Self.moment(0)).next.first)
        #expect(second.asker == 0)
        #expect(board.ended(second.call, Self.yes, now: Self.moment(0)).next.map(\.asker) == [200])
    }

    @Test func `a lane that asks more than it is answered waits no longer than others, and goes on having turns`()
        throws
    {
        var board = Self.board(waiting: 1000)
        var call = try Self.call(board.ask("first", about: nil, in: Self.lane, by: -1, now: Self.moment(0)))
        var (asked, waited, begun) = ([Int: Double](), 0.0, 0)
        // It asks ten questions in the time of one call, and another lane one.
        for step in 0..<100 {
            let now = Double(step) * 0.25
            for number in 0..<10 {
                asked[step * 10 + number] = now
                _ = board.ask(
                    "\(step) \(number)", about: nil, in: Self.lane, by: step * 10 + number, now: Self.moment(now))
            }
            _ = board.ask(
                "her \(step)", about: Self.alice, in: .user(Self.alice), by: 10_000 + step, now: Self.moment(now))
            let outcome = board.ended(call, Self.yes, now: Self.moment(now + 0.25))
            waited = max(waited, outcome.expired.compactMap { asked[$0].map { now + 0.25 - $0 } }.max() ?? 0)
            call = try #require(outcome.next.first?.call)
            if step > 50, let asker = outcome.next.first?.asker, asked[asker] != nil { begun += 1 }
        }
        #expect(waited <= 2.25)
        #expect(begun >= 20)
    }

    @Test func `a quarter of the calls is for other lanes, and whoever waits for that is not forgotten`() throws {
        var board = Self.board(underWay: 4, waiting: 100)
        let other = QuestionLane.user(Self.alice)
        var calls: [Board.Call] = []
        for number in 0..<3 {
            calls.append(
                try Self.call(board.ask("q\(number)", about: nil, in: Self.lane, by: number, now: Self.moment(0))))
        }
        #expect(Self.word(board.ask("q3", about: nil, in: Self.lane, by: 3, now: Self.moment(0))) == "wait")
        let hers = try Self.call(board.ask("hers", about: Self.alice, in: other, by: 200, now: Self.moment(0)))
        #expect(board.ended(hers, Self.yes, now: Self.moment(1)).next.isEmpty)
        let outcome = board.ended(calls[0], Self.yes, now: Self.moment(1))
        #expect(outcome.next.map(\.asker) == [3])
        let rest = try calls.dropFirst() + [#require(outcome.next.first?.call)]
        for call in rest { #expect(board.ended(call, Self.yes, now: Self.moment(1)).next.isEmpty) }
        #expect((board.waiting, board.underWay) == (0, 0))
    }

    @Test func `who claims a name has the lane of its address until it is known to be the one`() {
        func lane(_ user: UserID?, isCertain: Bool = false, at address: String) -> QuestionLane {
            Question(
                .connect, of: user, isCertain: isCertain, shown: Presented(headers: [], address: address),
                connectionId: "c"
            ).lane
        }
        #expect(lane(Self.alice, at: "192.0.2.1") == .address("192.0.2.1"))
        #expect(lane(nil, isCertain: true, at: "192.0.2.1") == .address("192.0.2.1"))
        #expect(lane(Self.alice, isCertain: true, at: "192.0.2.1") == .user(Self.alice))
        // Of IPv6 one customer has a /64 at the least.
        #expect(lane(nil, at: "2001:db8::1") == lane(nil, at: "2001:db8::2"))
        #expect(lane(nil, at: "") == .address(""))
    }
}
