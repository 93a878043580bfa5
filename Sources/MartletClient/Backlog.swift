import NIOCore

/// What one reader has still to take, bounded: where it is full the oldest goes, and another element stands in its place.
///
/// Pure.
package struct Backlog<Element: Sendable>: Sendable {
    private let limit: Int
    private let standIn: @Sendable (Element) -> Element?
    private var elements = CircularBuffer<Element>()
    /// Stands in place of all that went since the reader took something.
    private var lost: Element?

    /// - Parameters:
    ///   - limit: of elements that wait; at least one does.
    ///   - standIn: what tells a reader that this one, and perhaps others before it, went; nil where nobody need know.
    package init(limit: Int, standIn: @escaping @Sendable (Element) -> Element?) {
        self.limit = max(limit, 1)
        self.standIn = standIn
    }

    package var isEmpty: Bool { lost == nil && elements.isEmpty }

    package mutating func append(_ element: Element) {
        if elements.count == limit { lost = standIn(elements.removeFirst()) }
        elements.append(element)
    }

    /// Nil where nothing waits.
    package mutating func popFirst() -> Element? {
        if let lost {
            self.lost = nil
            return lost
        }
        return elements.popFirst()
    }
}
