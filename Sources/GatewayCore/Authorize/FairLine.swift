/// A line in shares: whoever waits has a lane, lanes have their turns one after the other, and within a lane the first to come is
/// the first to go. So whoever asks for much waits behind itself alone.
///
/// Pure.
package struct FairLine<Lane: Hashable & Sendable, Element: Sendable>: Sendable {
    private var lanes: [Lane: Queue<Element>] = [:]
    /// The lanes in which somebody waits, each once, in the order of their turns.
    private var turns = Queue<Lane>()

    package init() {}

    package mutating func append(_ element: Element, to lane: Lane) {
        if lanes[lane] == nil { turns.append(lane) }
        lanes[lane, default: Queue()].append(element)
    }

    /// The first of the next lane that may go; the others keep their turn.
    ///
    /// - Parameter isThere: false for one that has left the line meanwhile, which costs its lane no turn.
    package mutating func takeFirst(where mayGo: (Lane) -> Bool, isThere: (Element) -> Bool) -> Element? {
        while let lane = turns.takeFirst(where: mayGo), var queue = lanes.removeValue(forKey: lane) {
            while let element = queue.takeFirst(where: { _ in true }) {
                guard isThere(element) else { continue }
                if !queue.isEmpty {
                    lanes[lane] = queue
                    turns.append(lane)
                }
                return element
            }
        }
        return nil
    }
}

/// First come, first gone, unless it may not go yet. Taking costs as much as those that are passed over.
private struct Queue<Element: Sendable>: Sendable {
    private var elements: [Element] = []
    /// Those before it have gone.
    private var front = 0

    var isEmpty: Bool { front == elements.count }

    mutating func append(_ element: Element) { elements.append(element) }

    mutating func takeFirst(where mayGo: (Element) -> Bool) -> Element? {
        guard let index = elements[front...].firstIndex(where: mayGo) else { return nil }
        let taken = elements[index]
        for passed in (front..<index).reversed() { elements.swapAt(passed, passed + 1) }
        front += 1
        // Seldom, so that each pays for one move.
        if front > 64, front > elements.count / 2 {
            elements.removeFirst(front)
            front = 0
        }
        return taken
    }
}
