/// The latest messages of one room that this node has delivered: numbers without a hole, up to where the stream stands.
///
/// Small while it is empty, since every user's inbox has one.
package struct RecentMessages: Sendable {
    /// Nil where a message was taken out again; the places in front are given back once they are the half.
    private var places: [RoomMessage?] = []
    private var firstPlace: Int32 = 0
    /// Raised when the messages begin anew: what was noted of the old ones elsewhere is void.
    package private(set) var generation: Int32 = 0

    package init() {}

    package var count: Int { places.count - Int(firstPlace) }

    /// Whether all messages after `seq` up to the latest are here.
    package func holds(after seq: Int) -> Bool {
        guard count > 0, let first = places[Int(firstPlace)] else { return false }
        return first.seq <= seq + 1
    }

    /// The number of the oldest.
    package var firstSeq: Int? { count > 0 ? places[Int(firstPlace)]?.seq : nil }

    /// The one with a number, if it is here.
    package func message(_ seq: Int) -> RoomMessage? {
        guard let first = firstSeq, seq >= first, seq - first < count else { return nil }
        return places[Int(firstPlace) + seq - first]
    }

    /// The messages after `seq`, which are here.
    package func after(_ seq: Int) -> some Collection<RoomMessage> {
        let last = (places.last ?? nil)?.seq ?? seq
        return places.suffix(min(count, max(0, last - seq))).lazy.compactMap(\.self)
    }

    package mutating func append(_ message: RoomMessage) {
        places.append(message)
    }

    /// Takes these messages' payloads away.
    package mutating func redact(_ seqs: Set<Int>) {
        guard let first = firstSeq else { return }
        for seq in seqs where seq >= first && seq - first < count {
            let place = Int(firstPlace) + seq - first
            places[place] = places[place]?.redacted
        }
    }

    /// Takes out the oldest, unless the messages have begun anew since this generation.
    package mutating func removeOldest(of generation: Int32) {
        guard generation == self.generation, count > 0 else { return }
        places[Int(firstPlace)] = nil
        firstPlace += 1
        guard Int(firstPlace) * 2 > places.count else { return }
        places.removeFirst(Int(firstPlace))
        firstPlace = 0
    }

    /// What follows is not the continuation of what is here.
    package mutating func removeAll() {
        places = []
        firstPlace = 0
        generation &+= 1
    }
}
