extension MartletClient {
    /// A reader of its own of something that a room tells: bounded, and never the reason that others wait.
    ///
    /// It holds the room's handle. Loops over the same feed share what comes.
    public struct Feed<Element: Sendable>: AsyncSequence, Sendable {
        let reading: Reading<Element>

        /// One loop over a feed is the rule.
        public func makeAsyncIterator() -> Iterator { Iterator(reading: reading) }

        /// Takes one element after another.
        public struct Iterator: AsyncIteratorProtocol {
            let reading: Reading<Element>

            /// Nil at the end, and where the task is cancelled.
            public mutating func next() async -> Element? { await reading.reader.next() }
        }
    }
}

/// Holds a reader to its room until nobody reads it.
final class Reading<Element: Sendable>: Sendable {
    let reader: Reader<Element>
    private let id: Int
    private let room: MartletClient.Room

    init(_ id: Int, _ reader: Reader<Element>, of room: MartletClient.Room) {
        self.id = id
        self.reader = reader
        self.room = room
    }

    deinit {
        room.readers.end(id)
    }
}
