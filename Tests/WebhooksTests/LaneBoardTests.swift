import GatewayCore
import Testing
import Webhooks

/// Conversations with a board: what it is told, what it wants done.
@Suite("What a receiver's lanes do next")
struct LaneBoardTests {
    private func board(concurrency: Int = 8, giveUpAfter: Duration = .seconds(3600)) -> LaneBoard {
        LaneBoard(pace: LaneBoard.Pace(), giveUpAfter: giveUpAfter, concurrency: concurrency)
    }

    private func at(_ milliseconds: Int64) -> MonotonicTime { MonotonicTime(nanoseconds: milliseconds * 1_000_000) }

    @Test func `a lane gathers, sends, settles, and rests until it looks again`() {
        var board = board()
        let assignment = LedgerAssignment(3)
        #expect(board.tick([assignment], now: at(0)) == [.gather(assignment)])
        #expect(board.tick([assignment], now: at(50)) == [])
        let batch = LedgerBatch(["a"])
        #expect(board.gathered(assignment, .success(batch), now: at(60)) == [.send(assignment, batch)])
        #expect(board.lag == 1)
        #expect(board.sent(assignment, .taken, now: at(90), chance: 0) == [.settle(assignment, batch, .sent)])
        #expect(board.settled(assignment, .success(()), now: at(95)) == [])
        #expect(board.lag == 0 && !board.isEmpty(since: at(0)))
        #expect(board.tick([assignment], now: at(250)) == [])
        #expect(board.tick([assignment], now: at(300)) == [.gather(assignment)])
        #expect(board.gathered(assignment, .success(nil), now: at(310)) == [])
        #expect(board.isEmpty(since: at(310)) && !board.isEmpty(since: at(311)))
    }

    @Test func `where more is known to follow, the lane does not rest`() {
        var board = board()
        let assignment = LedgerAssignment(3)
        let batch = LedgerBatch(["a"], hasMore: true)
        _ = board.tick([assignment], now: at(0))
        _ = board.gathered(assignment, .success(batch), now: at(0))
        _ = board.sent(assignment, .taken, now: at(0), chance: 0)
        #expect(board.settled(assignment, .success(()), now: at(0)) == [.gather(assignment)])
    }

    @Test func `what the receiver wants none of is settled without a request`() {
        var board = board()
        let assignment = LedgerAssignment(3)
        var batch = LedgerBatch([])
        batch.entries = ["1-0"]
        _ = board.tick([assignment], now: at(0))
        #expect(board.gathered(assignment, .success(batch), now: at(0)) == [.settle(assignment, batch, .sent)])
    }

    @Test func `a failure is retried after pauses that double, up to the longest`() {
        var board = board()
        let assignment = LedgerAssignment(3)
        let batch = LedgerBatch(["a"])
        _ = board.tick([assignment], now: at(0))
        _ = board.gathered(assignment, .success(batch), now: at(0))
        var now: Int64 = 0
        for pause in [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000] as [Int64] {
            #expect(
                board.sent(assignment, .failed(reason: "500"), now: at(now), chance: 1) == [.record(assignment, "500")])
            #expect(board.tick([assignment], now: at(now + pause - 1)) == [])
            now += pause
            #expect(board.tick([assignment], now: at(now)) == [.send(assignment, batch)])
        }
        // The least pause is half of it.
        _ = board.sent(assignment, .failed(reason: "500"), now: at(now), chance: 0)
        #expect(board.tick([assignment], now: at(now + 15_000)) == [.send(assignment, batch)])
    }

    @Test func `a failing lane blocks no other`() {
        var board = board()
        let (first, second) = (LedgerAssignment(1), LedgerAssignment(2))
        let batch = LedgerBatch(["a"])
        #expect(board.tick([first, second], now: at(0)) == [.gather(first), .gather(second)])
        _ = board.gathered(first, .success(batch), now: at(0))
        _ = board.sent(first, .failed(reason: "500"), now: at(0), chance: 1)
        #expect(board.gathered(second, .success(batch), now: at(1)) == [.send(second, batch)])
    }

    @Test func `no more requests are under way than allowed, and who waited longest comes next`() {
        var board = board(concurrency: 2)
        let assignments = (0..<4).map { LedgerAssignment($0) }
        let batch = LedgerBatch(["a"])
        _ = board.tick(assignments, now: at(0))
        let begun = assignments.flatMap { board.gathered($0, .success(batch), now: at(0)) }
        #expect(begun == [.send(assignments[0], batch), .send(assignments[1], batch)])
        #expect(
            board.sent(assignments[1], .taken, now: at(1), chance: 0)
                == [.settle(assignments[1], batch, .sent), .send(assignments[2], batch)])
        #expect(
            board.sent(assignments[0], .failed(reason: "x"), now: at(1), chance: 0)
                == [.record(assignments[0], "x"), .send(assignments[3], batch)])
    }

    @Test func `requests of partitions that went to another node still count until they end`() {
        var board = board(concurrency: 1)
        let (old, new) = (LedgerAssignment(1), LedgerAssignment(2))
        let batch = LedgerBatch(["a"])
        _ = board.tick([old], now: at(0))
        _ = board.gathered(old, .success(batch), now: at(0))
        _ = board.tick([new], now: at(10))
        #expect(board.gathered(new, .success(batch), now: at(10)) == [])
        #expect(board.sent(old, .taken, now: at(20), chance: 0) == [.send(new, batch)])
    }

    @Test func `under another token a lane begins anew, and what was under way changes nothing`() {
        var board = board()
        let (old, new) = (LedgerAssignment(1), LedgerAssignment(1, token: "other 2"))
        let batch = LedgerBatch(["a"])
        _ = board.tick([old], now: at(0))
        _ = board.gathered(old, .success(batch), now: at(0))
        #expect(board.tick([new], now: at(10)) == [.gather(new)])
        #expect(board.sent(old, .taken, now: at(20), chance: 0) == [])
        #expect(board.gathered(old, .success(batch), now: at(20)) == [])
        #expect(board.gathered(new, .success(batch), now: at(30)) == [.send(new, batch)])
    }

    @Test func `when the receiver answers again, the lanes that wait go at once, but each only once`() {
        var board = board()
        let (down, up) = (LedgerAssignment(1), LedgerAssignment(2))
        let batch = LedgerBatch(["a"])
        _ = board.tick([down, up], now: at(0))
        _ = board.gathered(down, .success(batch), now: at(0))
        _ = board.sent(down, .failed(reason: "down"), now: at(0), chance: 1)
        _ = board.gathered(up, .success(LedgerBatch(["b"], hasMore: true)), now: at(0))
        #expect(board.sent(up, .taken, now: at(1), chance: 0).contains(.send(down, batch)))
        _ = board.sent(down, .failed(reason: "poison"), now: at(2), chance: 1)
        _ = board.settled(up, .success(()), now: at(3))
        _ = board.gathered(up, .success(LedgerBatch(["c"])), now: at(3))
        #expect(!board.sent(up, .taken, now: at(4), chance: 0).contains(.send(down, batch)))
    }

    @Test func `old events are given up after some attempts, young ones are not, a loss never`() {
        for (age, kind, isGivenUp) in [
            (3_600_000, LedgerBatch.Kind.news, true), (3_000_000, .news, false), (3_600_000, .loss, false),
        ] as [(Int64, LedgerBatch.Kind, Bool)] {
            var board = board()
            let assignment = LedgerAssignment(1)
            var batch = LedgerBatch(["a"], kind: kind)
            batch.gatheredAt = batch.events[0].timestamp + age
            _ = board.tick([assignment], now: at(0))
            _ = board.gathered(assignment, .success(batch), now: at(0))
            for attempt in 1...5 {
                let actions = board.sent(assignment, .failed(reason: "500"), now: at(0), chance: 0)
                let isEnd = attempt == 5 && isGivenUp
                #expect(
                    actions == [
                        isEnd ? .settle(assignment, batch, .givenUp(reason: "500")) : .record(assignment, "500")
                    ])
                _ = board.tick([assignment], now: at(60_000))
            }
        }
    }

    @Test func `what was delivered while the store failed is settled later, not sent again`() {
        var board = board()
        let assignment = LedgerAssignment(1)
        let batch = LedgerBatch(["a"])
        _ = board.tick([assignment], now: at(0))
        _ = board.gathered(assignment, .success(batch), now: at(0))
        _ = board.sent(assignment, .taken, now: at(0), chance: 0)
        #expect(board.settled(assignment, .failure(.unavailable(reason: "away")), now: at(0)) == [])
        #expect(board.tick([assignment], now: at(999)) == [])
        #expect(board.tick([assignment], now: at(1000)) == [.settle(assignment, batch, .sent)])
        #expect(board.settled(assignment, .failure(.refused), now: at(1000)) == [])
        #expect(board.tick([assignment], now: at(2000)) == [.gather(assignment)])
    }
}

extension LedgerAssignment {
    init(_ partition: Int, token: String = "node 1") {
        self.init(partition: partition, token: token)
    }
}

extension LedgerBatch {
    /// Events of one second, named as given.
    init(_ ids: [String], kind: Kind = .news, hasMore: Bool = false) {
        self.init(
            kind: kind, events: ids.map { LedgerEvent(id: $0, entry: $0, type: "user.online", timestamp: 1000) },
            entries: ids, hasMore: hasMore, gatheredAt: 1000, lag: ids.count)
    }
}
