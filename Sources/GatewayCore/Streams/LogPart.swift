/// A part of a room's log.
package struct LogPart: Hashable, Sendable {
    package static let mostBytes = 1 << 20

    /// The number behind which it is read; below 0 where it is so many of the newest.
    package let after: Int
    /// Messages in it, at most.
    package let limit: Int
    /// Bytes of messages after which it ends.
    package let bytes: Int

    package init(after: Int, limit: Int, bytes: Int = LogPart.mostBytes) {
        self.after = after
        self.limit = limit
        self.bytes = bytes
    }

    /// What has to be read for those who wait; nil where memory holds what they have missed.
    ///
    /// One read serves all who are within its reach of the newest; one further behind is served in its turn, alone. It is
    /// no longer than what all of them together take.
    ///
    /// - Parameters:
    ///   - seen: up to where the stream was delivered; nil where it has not begun.
    ///   - limit: how many missed messages a listener is given at once.
    package init?(for listeners: [Listener], seen: Int?, recent: RecentMessages, limit: Int) {
        var lacking: [Int] = []
        var bytes = 0
        for listener in listeners {
            guard let position = listener.since else { continue }
            let since = seen.map { position.seq(at: $0) } ?? position.seq
            if !listener.readsLog, let seen, since >= seen || recent.holds(after: since) { continue }
            lacking.append(since)
            bytes += min(max(0, listener.portion.bytes), LogPart.mostBytes)
        }
        guard let first = lacking.first else { return nil }
        // Where the stream stands is not known: what counts from its end and what counts from its beginning are read apart.
        lacking.removeAll { ($0 < 0) != (first < 0) }
        let last = lacking.max() ?? first
        let near = max(seen ?? last, last) - limit
        self.init(
            after: first < near ? first : lacking.reduce(first) { $1 >= near ? min($0, $1) : $0 },
            // One message tells whether all is there.
            limit: bytes == 0 ? 1 : limit, bytes: min(bytes, LogPart.mostBytes))
    }
}
