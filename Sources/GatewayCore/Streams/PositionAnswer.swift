/// The positions of a room's stream and of its roster, as Redis has told them, and what was read of the log.
package struct PositionAnswer: Sendable {
    package let head: Position
    /// Nil where the room keeps none.
    package let roster: RosterState?
    /// The room's settings; nil where they are those that whoever asked knew.
    package let settings: RoomState?
    /// Redis's clock, in milliseconds since 1970; 0 where it was not read.
    package let timestamp: Int64
    /// The number behind which the log was read; nil where it was not.
    package let after: Int?
    /// What was read of the log.
    package private(set) var messages: [RoomMessage]
    /// Whether the log holds more beyond `messages`.
    package let more: Bool
    /// The latest epochs before the head's, each with its last seq: `epoch=seq,…`, newest first.
    private let ends: String
    /// Whether `messages` has no hole.
    private let isContiguous: Bool

    package init(
        head: Position, roster: RosterState?, settings: RoomState? = nil, timestamp: Int64, ends: String, after: Int?,
        messages: [RoomMessage], more: Bool
    ) {
        self.head = head
        self.roster = roster
        self.settings = settings
        self.timestamp = timestamp
        self.ends = ends
        self.after = after
        self.messages = messages
        self.more = more
        isContiguous = zip(messages, messages.dropFirst()).allSatisfy { $0.seq + 1 == $1.seq }
    }

    /// As another script has found it, with nothing of the log.
    package init(head: Position, roster: RosterState?) {
        self.init(
            head: head, roster: roster, timestamp: roster?.timestamp ?? 0, ends: "", after: nil, messages: [],
            more: false)
    }

    /// The last number of an epoch, as far as Redis remembers; of the present one, where it stands.
    package func end(of epoch: String?) -> Int? {
        guard let epoch, !epoch.isEmpty, epoch != head.epoch else { return head.seq }
        for end in ends.split(separator: ",") {
            let parts = end.split(separator: "=")
            guard parts.count == 2, let last = Int(parts[1]), parts[0] == epoch else { continue }
            return last
        }
        return nil
    }

    /// Whether nothing was lost of what follows a position, as far as epochs tell.
    package func isGood(epoch: String?, seq: Int) -> Bool {
        end(of: epoch).map { seq <= $0 } ?? false
    }

    /// Whether all that follows a number is in `messages`, or is announced as more.
    package func isWhole(after seq: Int) -> Bool {
        guard let first = messages.first, let last = messages.last else { return seq == head.seq }
        return isContiguous && first.seq <= seq + 1 && (more || last.seq == head.seq)
    }

    /// The same without these messages' payloads.
    func redacting(_ seqs: Set<Int>) -> PositionAnswer {
        var answer = self
        answer.messages = messages.map { seqs.contains($0.seq) ? $0.redacted : $0 }
        return answer
    }

    /// What was read under a number.
    package func message(_ seq: Int) -> RoomMessage? { messages.first { $0.seq == seq } }

    /// What was read behind a number; of messages without a hole.
    package func messages(after seq: Int) -> ArraySlice<RoomMessage> {
        guard let first = messages.first else { return [] }
        return messages.dropFirst(max(0, seq + 1 - first.seq))
    }
}
