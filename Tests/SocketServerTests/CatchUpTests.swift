import GatewayCore
import SocketServer
import Testing

/// Whose turn it is among the rooms that one connection catches up with, without a socket or a log.
@Suite
struct CatchUpTests {
    /// A part of 4,000 bytes; 8,000 of what was missed are held.
    private let shares = CatchUpShares(queuedBytes: 16_000, isOverdrawn: false)
    private let connection = StillConnection()
    private let queue = CatchUp<StillConnection, StillRoom>()

    private func listener(_ room: String, at seq: Int = 0, head: Int = 10) -> StillListener {
        let position = Position(epoch: "e1", seq: seq)
        return StillListener(
            connection: connection, room: StillRoom(room, at: head),
            backlog: Backlog(of: position, rosterVersion: nil))
    }

    /// One that holds these messages.
    private func fed(_ room: String, _ missed: ClosedRange<Int>, hasMore: Bool = false) -> StillListener {
        let listener = listener(room, at: missed.lowerBound - 1, head: missed.upperBound + (hasMore ? 5 : 0))
        answer(listener, missed, hasMore: hasMore)
        return listener
    }

    private func answer(_ listener: StillListener, _ missed: ClosedRange<Int>?, hasMore: Bool = false) {
        _ = listener.answered(listener.room.start(missed, hasMore: hasMore))
    }

    /// What is next, in words: `a 3` is written, `admit a`, `ask a 500` (`ask a 500+` where one comes however large).
    private func next(written: Int = 0) -> String? {
        switch queue.next(written: written, shares) {
        case .write(let message): return "\(message.room.string) \(message.seq)"
        case .admit(let listener): return "admit \(listener.room.name.string)"
        case .ask(let listener, let portion):
            _ = listener.asks(portion, ticket: 1)
            return "ask \(listener.room.name.string) \(portion.bytes)\(portion.atLeastOne ? "+" : "")"
        case nil: return nil
        }
    }

    @Test func `rooms are sent what they hold in the order they came, each to its end`() {
        queue.add(fed("a", 1...2))
        queue.add(fed("b", 1...1))
        #expect(queue.begin(isPaid: true) == .now)
        #expect((1...6).map { _ in next() } == ["a 1", "a 2", "admit a", "b 1", "admit b", nil])
        #expect(queue.isEmpty)
    }

    @Test func `a part is whole when it is long enough, and the rest goes on in the next one`() {
        queue.add(fed("a", 1...2))
        #expect(next(written: 3999) == "a 1")
        #expect(next(written: 4000) == nil)
        #expect(!queue.isEmpty)
        #expect(next() == "a 2")
        #expect(next(written: 4000) == "admit a", "what is done is done in the same part")
        #expect(queue.isEmpty)
    }

    @Test func `nothing is asked for while there is something to send`() {
        queue.add(fed("a", 1...1, hasMore: true))
        queue.add(listener("b"))
        #expect(next() == "a 1")
        #expect(next(written: 1) == nil)
        #expect(next() == "ask b 4000+")
        #expect(next() == "ask a 4000")
        #expect(next() == nil)
        #expect(queue.isEmpty)
    }

    @Test func `rooms ask in the order they came, for a share of what may be held, and the others wait`() {
        let rooms = ["a", "b", "c", "d"].map { listener($0) }
        for room in rooms { queue.add(room) }
        #expect((1...5).map { _ in next() } == ["ask a 2000+", "ask b 2000", "ask c 2000", "ask d 2000", nil])
        queue.add(listener("e"))
        #expect(next() == nil, "all that may be held is asked for")
        #expect(!queue.isEmpty)
        answer(rooms[0], nil)
        #expect(next() == "ask e 2000")
    }

    @Test func `a room whose next message did not fit waits until nothing else is held, and gets it then`() {
        let large = listener("a")
        _ = large.asks(Portion(bytes: 100), ticket: 1)
        answer(large, nil, hasMore: true)
        let other = fed("b", 1...1)
        queue.add(large)
        #expect(next() == nil, "something of another room is held")
        #expect(other.next()?.seq == 1)
        #expect(next() == "ask a 8000+")
    }

    @Test func `a room that is there in the meantime is let in rather than asked for`() {
        queue.add(listener("a", at: 10))
        queue.add(listener("b"))
        #expect((1...3).map { _ in next() } == ["admit a", "ask b 8000+", nil])
    }

    @Test func `a room that spoke on while it was sent the last has to ask again`() {
        let listener = fed("a", 1...1)
        queue.add(listener)
        listener.room.position = Position(epoch: "e1", seq: 2)
        #expect((1...2).map { _ in next() } == ["a 1", "ask a 8000+"])
    }

    @Test func `a room that was left is sent nothing and asks for nothing, and its share is another's`() {
        let (sent, asking) = (fed("a", 1...3), listener("b"))
        for listener in [sent, asking, listener("c")] { queue.add(listener) }
        #expect(next() == "a 1")
        _ = sent.ends()
        _ = asking.ends()
        #expect(next() == "ask c 8000+")
        #expect(next() == nil && queue.isEmpty)
    }

    @Test func `a question that failed is put again when its turn comes`() {
        let listener = listener("a")
        queue.add(listener)
        #expect(next() == "ask a 8000+")
        #expect(queue.isEmpty, "it comes back by itself")
        #expect(listener.failed() == .triesAgain)
        queue.add(listener)
        #expect(next() == "ask a 8000+")
    }

    @Test func `the next part begins when the one before has left, not while it is under way`() {
        queue.add(fed("a", 1...9))
        #expect(queue.begin(isPaid: true) == .now)
        queue.sends(3000)
        #expect(queue.begin(isPaid: true) == .isUnderWay)
        #expect(queue.begin(isPaid: false) == .isUnderWay)
        #expect(queue.sentBytes == 3000)
        queue.wentOn()
        #expect(queue.begin(isPaid: true) == .now)
    }

    @Test func `a client that owes waits once, however often others give it cause to go on`() {
        queue.add(fed("a", 1...9))
        #expect(queue.begin(isPaid: false) == .whenPaid)
        #expect(queue.begin(isPaid: false) == .isUnderWay)
        #expect(queue.begin(isPaid: true) == .isUnderWay, "it goes on where it waits")
        queue.wentOn()
        #expect(queue.begin(isPaid: true) == .now)
    }

    @Test func `a slow socket's rooms ask when it has drained, all of them after those that waited before`() {
        queue.add(listener("a"))
        #expect(queue.addSlow([listener("b"), listener("c")]))
        queue.sends(0)
        #expect(queue.begin(isPaid: true) == .isUnderWay)
        #expect(!queue.addSlow([listener("d")]), "the end of what is under way is waited for already")
        queue.wentOn()
        #expect((1...4).map { _ in next() } == ["ask a 2000+", "ask b 2000", "ask c 2000", "ask d 2000"])
    }
}
