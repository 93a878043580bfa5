import SocketServer
import Testing

/// Who waits for Redis, and who is being asked for.
@Suite
struct BoundedQueueTests {
    private let queue = BoundedQueue<String>(maxUnderWay: 2)

    @Test func `so many are under way at a time, the others wait in their order`() {
        for waiter in ["a", "b", "c", "d"] { queue.add(waiter) }
        #expect((1...3).map { _ in queue.next() } == ["a", "b", nil])
        queue.ended()
        #expect(queue.next() == "c")
        #expect(queue.next() == nil)
        #expect(!queue.isEmpty)
        queue.ended()
        #expect(queue.next() == "d")
        #expect(queue.isEmpty)
    }

    @Test func `it is idle while nothing is being asked for, whoever waits`() {
        queue.add("a")
        #expect(queue.isIdle)
        _ = queue.next()
        #expect(!queue.isIdle && queue.isEmpty)
        queue.ended()
        #expect(queue.isIdle)
        #expect(queue.next() == nil)
        #expect(queue.isIdle, "nobody was there to be asked for")
    }
}
