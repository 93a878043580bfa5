/// A queue of those who want something of Redis whose cost is known only when it is there: so many at a time are being
/// asked for, the others wait in order. A bound on those under way is one on what can be spent beyond what is left.
///
/// Pure. A class, so that only it writes what it keeps; it belongs to its hub's event loop.
package final class BoundedQueue<Waiter> {
    private let maxUnderWay: Int
    private var waiting: ArraySlice<Waiter> = []
    private var underWay = 0

    package init(maxUnderWay: Int) {
        self.maxUnderWay = maxUnderWay
    }

    package func add(_ waiter: Waiter) { waiting.append(waiter) }

    /// The next one that may be asked for; `ended` is called for each of them.
    package func next() -> Waiter? {
        guard underWay < maxUnderWay, let next = waiting.popFirst() else { return nil }
        if waiting.isEmpty { waiting = [] }
        underWay += 1
        return next
    }

    /// One that was under way has its answer.
    package func ended() { underWay -= 1 }

    package var isEmpty: Bool { waiting.isEmpty }

    /// Whether nothing is being asked for.
    package var isIdle: Bool { underWay == 0 }
}
