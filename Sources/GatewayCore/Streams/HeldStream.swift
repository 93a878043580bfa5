/// The items that a channel has brought while the stream's place was unknown or the log was asked, in order.
struct HeldStream {
    enum Item {
        case message(RoomMessage)
        case roster(RosterChange)

        var bytes: Int {
            switch self {
            case .message(let message): message.memoryBytes
            case .roster(let change): change.events.reduce(200) { $0 + ($1.info?.count ?? 0) + 200 }
            }
        }
    }

    /// Bytes kept; what is beyond them is left to the log.
    private static let maxBytes = 4 << 20

    private var items: [Item] = []
    private var bytes = 0

    var count: Int { items.count }
    var isEmpty: Bool { items.isEmpty }

    /// False where it does not fit.
    mutating func keep(_ item: Item) -> Bool {
        guard bytes + item.bytes <= HeldStream.maxBytes else { return false }
        bytes += item.bytes
        items.append(item)
        return true
    }

    /// Takes these messages' payloads away.
    mutating func redact(_ seqs: Set<Int>) {
        for (index, item) in items.enumerated() {
            if case .message(let message) = item, seqs.contains(message.seq) {
                items[index] = .message(message.redacted)
            }
        }
    }

    mutating func takeAll() -> [Item] {
        defer { self = HeldStream() }
        return items
    }

    /// The lowest number behind this one that a message of this epoch has.
    func firstSeq(of epoch: String, behind seq: Int) -> Int? {
        items.compactMap { item in
            guard case .message(let message) = item, message.position.epoch == epoch else { return nil }
            return message.seq > seq ? message.seq : nil
        }.min()
    }

    /// Drops those messages among the first so many whose position is of no use.
    mutating func drop(among count: Int, where isUseless: (Position) -> Bool) {
        items = items.enumerated().filter { offset, item in
            guard offset < count, case .message(let message) = item else { return true }
            return !isUseless(message.position)
        }.map(\.element)
        bytes = items.reduce(0) { $0 + $1.bytes }
    }
}
