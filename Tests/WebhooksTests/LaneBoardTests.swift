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
        let post = LedgerPost(3)
        #expect(board.tick([post], now: at(0)) == [.gather(post)])
        #expect(board.tick([post], now: at(50)) == [])
        let batch = LedgerBatch(["a"])
        #expect(board.gathered(post, .success(batch), now: at(60)) == [.send(post, batch)])
        #expect(board.lag == 1)
        #expect(board.sent(post, .taken, now: at(90), chance: 0) == [.settle(post, batch, .sent)])
        #expect(board.settled(post, .success(()), now: at(95)) == [])
        #expect(board.lag == 0 && !board.isEmpty(since: at(0)))
        #expect(board.tick([post], now: at(250)) == [])
        #expect(board.tick([post], now: at(300)) == [.gather(post)])
        #expect(board.gathered(post, .success(nil), now: at(310)) == [])
        #expect(board.isEmpty(since: at(310)) && !board.isEmpty(since: at(311)))
    }

    @Test func `where more is known to follow, the lane does not rest`() {
        var board = board()
        let post = LedgerPost(3)
        let batch = LedgerBatch(["a"], hasMore: true)
        _ = board.tick([post], now: at(0))
        _ = board.gathered(post, .success(batch), now: at(0))
        _ = board.sent(post, .taken, now: at(0), chance: 0)
        #expect(board.settled(post, .success(()), now: at(0)) == [.gather(post)])
    }

    @Test func `what the receiver wants none of is settled without a request`() {
        var board = board()
        let post = LedgerPost(3)
        var batch = LedgerBatch([])
        batch.entries = ["1-0"]
        _ = board.tick([post], now: at(0))
        #expect(board.gathered(post, .success(batch), now: at(0)) == [.settle(post, batch, .sent)])
    }

    @Test func `a failure is retried after pauses that double, up to the longest`() {
        var board = board()
        let post = LedgerPost(3)
        let batch = LedgerBatch(["a"])
        _ = board.tick([post], now: at(0))
        _ = board.gathered(post, .success(batch), now: at(0))
        var now: Int64 = 0
        for pause in [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000] as [Int64] {
            #expect(board.sent(post, .failed(reason: "500"), now: at(now), chance: 1) == [.note(post, "500")])
            #expect(board.tick([post], now: at(now + pause - 1)) == [])
            now += pause
            #expect(board.tick([post], now: at(now)) == [.send(post, batch)])
        }
        // The least pause is half of it.
        _ = board.sent(post, .failed(reason: "500"), now: at(now), chance: 0)
        #expect(board.tick([post], now: at(now + 15_000)) == [.send(post, batch)])
    }

    @Test func `a failing lane blocks no other`() {
        var board = board()
        let (first, second) = (LedgerPost(1), LedgerPost(2))
        let batch = LedgerBatch(["a"])
        #expect(board.tick([first, second], now: at(0)) == [.gather(first), .gather(second)])
        _ = board.gathered(first, .success(batch), now: at(0))
        _ = board.sent(first, .failed(reason: "500"), now: at(0), chance: 1)
        #expect(board.gathered(second, .success(batch), now: at(1)) == [.send(second, batch)])
    }

    @Test func `no more requests are under way than allowed, and who waited longest comes next`() {
        var board = board(concurrency: 2)
        let posts = (0..<4).map { LedgerPost($0) }
        let batch = LedgerBatch(["a"])
        _ = board.tick(posts, now: at(0))
        let begun = posts.flatMap { board.gathered($0, .success(batch), now: at(0)) }
        #expect(begun == [.send(posts[0], batch), .send(posts[1], batch)])
        #expect(
            board.sent(posts[1], .taken, now: at(1), chance: 0)
                == [.settle(posts[1], batch, .sent), .send(posts[2], batch)])
        #expect(
            board.sent(posts[0], .failed(reason: "x"), now: at(1), chance: 0)
                == [.note(posts[0], "x"), .send(posts[3], batch)])
    }

    @Test func `requests of partitions that went to another node still count until they end`() {
        var board = board(concurrency: 1)
        let (old, new) = (LedgerPost(1), LedgerPost(2))
        let batch = LedgerBatch(["a"])
        _ = board.tick([old], now: at(0))
        _ = board.gathered(old, .success(batch), now: at(0))
        _ = board.tick([new], now: at(10))
        #expect(board.gathered(new, .success(batch), now: at(10)) == [])
        #expect(board.sent(old, .taken, now: at(20), chance: 0) == [.send(new, batch)])
    }

    @Test func `under another mark a lane begins anew, and what was under way changes nothing`() {
        var board = board()
        let (old, new) = (LedgerPost(1), LedgerPost(1, mark: "other 2"))
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
        let (down, up) = (LedgerPost(1), LedgerPost(2))
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
            let post = LedgerPost(1)
            var batch = LedgerBatch(["a"], kind: kind)
            batch.gatheredAt = batch.events[0].timestamp + age
            _ = board.tick([post], now: at(0))
            _ = board.gathered(post, .success(batch), now: at(0))
            for attempt in 1...5 {
                let actions = board.sent(post, .failed(reason: "500"), now: at(0), chance: 0)
                let isEnd = attempt == 5 && isGivenUp
                #expect(actions == [isEnd ? .settle(post, batch, .givenUp(reason: "500")) : .note(post, "500")])
                _ = board.tick([post], now: at(60_000))
            }
        }
    }

    @Test func `what was delivered while the store failed is settled later, not sent again`() {
        var board = board()
        let post = LedgerPost(1)
        let batch = LedgerBatch(["a"])
        _ = board.tick([post], now: at(0))
        _ = board.gathered(post, .success(batch), now: at(0))
        _ = board.sent(post, .taken, now: at(0), chance: 0)
        #expect(board.settled(post, .failure(.unavailable(reason: "away")), now: at(0)) == [])
        #expect(board.tick([post], now: at(999)) == [])
        #expect(board.tick([post], now: at(1000)) == [.settle(post, batch, .sent)])
        #expect(board.settled(post, .failure(.refused), now: at(1000)) == [])
        #expect(board.tick([post], now: at(2000)) == [.gather(post)])
    }
}

extension LedgerPost {
    init(_ partition: Int, mark: String = "node 1") {
        self.init(partition: partition, mark: mark)
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
