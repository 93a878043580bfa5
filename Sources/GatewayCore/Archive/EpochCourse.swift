/// The epochs of a room as its head in Redis tells them: which messages are of which epoch.
package struct EpochCourse: Hashable, Sendable {
    /// A run of messages of one epoch, of which none may be missing.
    package struct Stretch: Hashable, Sendable {
        package var epoch: String
        package var from: Int
        package var to: Int

        package init(epoch: String, from: Int, to: Int) {
            self.epoch = epoch
            self.from = from
            self.to = to
        }
    }

    /// How many former epochs a head remembers.
    private static let remembered = 16

    /// The oldest first; one whose beginning is not known any more is left out.
    package let stretches: [Stretch]
    /// The epoch that the room is in.
    package let present: String

    /// - Parameters:
    ///   - head: the present epoch, and its last message.
    ///   - ends: former epochs, the newest first: `epoch=last seq,epoch=last seq`.
    package init?(head: Position, ends: String) {
        var epochs: [(name: String, end: Int)] = [(head.epoch, head.seq)]
        for item in ends.split(separator: ",") {
            let parts = item.split(separator: "=")
            guard parts.count == 2, let end = Int(parts[1]) else { return nil }
            epochs.append((String(parts[0]), end))
        }
        var stretches: [Stretch] = []
        // Of the oldest that a full head remembers it is not known where it began.
        var before = epochs.count > EpochCourse.remembered ? epochs[epochs.count - 1].end : 0
        for epoch in epochs.reversed() {
            stretches.append(Stretch(epoch: epoch.name, from: before + 1, to: epoch.end))
            before = epoch.end
        }
        self.stretches = stretches
        present = head.epoch
    }

    /// The epoch that a message which the log holds is of.
    package func epoch(of seq: Int) -> String? {
        stretches.first { $0.from <= seq && seq <= $0.to }?.epoch
    }

    /// What lies between two messages that came one after the other, in order.
    ///
    /// - Parameters:
    ///   - known: the last one; nil where there was none.
    ///   - next: the one that came. Where its epoch is unknown here, nothing is known to be missing.
    package func missing(after known: Position?, before next: Position) -> [Stretch] {
        guard let last = stretches.lastIndex(where: { $0.epoch == next.epoch }) else { return [] }
        var first = 0
        if let known, let index = stretches.firstIndex(where: { $0.epoch == known.epoch }) { first = index }
        guard first <= last else { return [] }
        var missing: [Stretch] = []
        for index in first...last {
            var stretch = stretches[index]
            if let known, known.epoch == stretch.epoch { stretch.from = max(stretch.from, known.seq + 1) }
            if index == last { stretch.to = next.seq - 1 }
            if stretch.from <= stretch.to { missing.append(stretch) }
        }
        return missing
    }
}
