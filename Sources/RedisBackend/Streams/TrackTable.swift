import GatewayCore

/// The tracks by room, found from the bytes of a name without making a string of them.
struct TrackTable {
    /// The first track of each hash; more of the same hash hang on it.
    private var chains: [Int: Track] = [:]
    private(set) var count = 0

    /// Every track, in no order.
    var all: [Track] {
        var tracks: [Track] = []
        tracks.reserveCapacity(count)
        for first in chains.values {
            var link: Track? = first
            while let track = link {
                tracks.append(track)
                link = track.next
            }
        }
        return tracks
    }

    subscript(room: RoomName) -> Track? {
        var name = room.string
        return name.withUTF8 { self[name: UnsafeRawBufferPointer($0)] }
    }

    subscript(name bytes: UnsafeRawBufferPointer) -> Track? {
        find(TrackTable.hash(bytes)) { $0.isSame(as: bytes) }
    }

    /// The inbox of the user whose name these bytes are.
    subscript(inboxOf user: UnsafeRawBufferPointer) -> Track? {
        var hasher = Hasher()
        hasher.combine(UInt8(ascii: "@"))
        hasher.combine(bytes: user)
        return find(hasher.finalize()) {
            $0.first == UInt8(ascii: "@") && UnsafeRawBufferPointer(rebasing: $0.dropFirst()).isSame(as: user)
        }
    }

    mutating func insert(_ track: Track) {
        let hash = TrackTable.hash(of: track)
        track.next = chains[hash]
        chains[hash] = track
        count += 1
    }

    mutating func remove(_ track: Track) {
        let hash = TrackTable.hash(of: track)
        var before: Track?
        var link = chains[hash]
        while let one = link, one !== track {
            before = one
            link = one.next
        }
        guard link != nil else { return }
        if let before { before.next = track.next } else { chains[hash] = track.next }
        track.next = nil
        count -= 1
    }

    private func find(_ hash: Int, where isIt: (UnsafeRawBufferPointer) -> Bool) -> Track? {
        var link = chains[hash]
        while let track = link {
            var name = track.room.string
            if name.withUTF8({ isIt(UnsafeRawBufferPointer($0)) }) { return track }
            link = track.next
        }
        return nil
    }

    private static func hash(of track: Track) -> Int {
        var name = track.room.string
        return name.withUTF8 { hash(UnsafeRawBufferPointer($0)) }
    }

    /// The first byte apart from the rest, so that an inbox is found from its user's name.
    private static func hash(_ bytes: UnsafeRawBufferPointer) -> Int {
        var hasher = Hasher()
        if let first = bytes.first {
            hasher.combine(first)
            hasher.combine(bytes: UnsafeRawBufferPointer(rebasing: bytes.dropFirst()))
        }
        return hasher.finalize()
    }
}
