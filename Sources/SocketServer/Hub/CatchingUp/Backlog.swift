import GatewayCore

/// The messages that one listener has missed. Pure.
package struct Backlog {
    private var rest: ArraySlice<RoomMessage>
    /// Whether the log holds more behind what is held here.
    package let hasMore: Bool
    /// Up to where it has been sent, or need not be sent, everything once all that is held here has been.
    package let seen: Position
    /// The one that the client knows of.
    package let rosterVersion: Int64?

    /// - Parameter since: the position from which the start goes on.
    package init(_ start: StreamStart, since: ClientPosition?) {
        rest = start.missed[...]
        hasMore = start.hasMore
        rosterVersion = start.roster?.version
        let last = hasMore ? start.missed.last?.seq ?? since?.seq : nil
        seen = Position(epoch: start.position.epoch, seq: last ?? start.position.seq)
    }

    /// Of a member that is to be fed from the log: it has been sent all up to `seen`.
    package init(of seen: Position, rosterVersion: Int64?) {
        rest = []
        hasMore = false
        self.seen = seen
        self.rosterVersion = rosterVersion
    }

    /// Under which the client counts.
    package var epoch: String { seen.epoch }

    /// Whether nothing is held here.
    package var isSpent: Bool { rest.isEmpty }

    /// Up to where it has been sent everything.
    package var sent: Position {
        guard let next = rest.first else { return seen }
        return Position(epoch: epoch, seq: next.seq - 1)
    }

    /// Takes the payloads of these away, where they are held here; answers by how many bytes it is smaller.
    package mutating func redact(_ seqs: Set<Int>) -> Int {
        var bytes = 0
        for index in rest.indices where seqs.contains(rest[index].seq) {
            let redacted = rest[index].redacted
            bytes += rest[index].memoryBytes - redacted.memoryBytes
            rest[index] = redacted
        }
        return bytes
    }

    /// Takes out the next message to be sent.
    package mutating func next() -> RoomMessage? { rest.popFirst() }
}
