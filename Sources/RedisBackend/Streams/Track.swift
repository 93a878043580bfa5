import GatewayCore
import NIOCore

/// One room that this node follows.
///
/// `@unchecked Sendable`: it belongs to the router, which touches it on its loop only.
final class Track: @unchecked Sendable {
    /// A hub's listener that wants to go live.
    struct Waiter {
        let ticket: FollowTicket
        let hub: HubNumber
        /// When it is told that Redis did not answer.
        let deadline: NIODeadline
    }

    /// A waiter whose position the channel has not reached yet.
    struct Parked {
        let waiter: Waiter
        let position: Position
        let timestamp: Int64
        let since: NIODeadline
    }

    /// Bytes kept while the log is asked; what is beyond them is left to the log.
    static let maxHeldBytes = 4 << 20

    let room: RoomName
    let channel: Key
    var cursor = StreamCursor()
    /// Hubs with at least one live listener.
    var hubs: [HubNumber] = []
    /// Not asked for yet.
    var waiters: [Waiter] = []
    /// Asked for by the request under way.
    var asked: [Waiter] = []
    var parked: [Parked] = []
    /// Messages that came while the stream's place was unknown or the log was asked.
    private(set) var held: [RoomMessage] = []
    private var heldBytes = 0
    var recent = RecentMessages()
    /// Raised when `recent` begins anew: what the budget noted of the old one is void.
    var recentGeneration = 0
    /// Delivered in this turn, not yet handed to the hubs.
    var turn: [RoomMessage] = []
    var isSubscribed = false
    var isAsking = false
    var isCatchingUp = false
    var needsCatchUp = false
    /// Since when nobody listens.
    var idleSince: NIODeadline?

    init(room: RoomName, channel: Key) {
        self.room = room
        self.channel = channel
    }

    /// Whether no listener is here or on the way.
    var isUnused: Bool { hubs.isEmpty && waiters.isEmpty && asked.isEmpty && parked.isEmpty }

    /// Keeps a message for when the stream's place is known; what does not fit is fetched from the log again.
    func hold(_ message: RoomMessage) {
        let bytes = message.payload.count + RoomMessage.overheadBytes
        guard heldBytes + bytes <= Track.maxHeldBytes else {
            needsCatchUp = true
            return
        }
        heldBytes += bytes
        held.append(message)
    }

    /// Empties what is held.
    func takeHeld() -> [RoomMessage] {
        defer {
            held = []
            heldBytes = 0
        }
        return held
    }

    /// Drops those of the first so many held messages whose position is of no use.
    func dropHeld(among count: Int, where isUseless: (Position) -> Bool) {
        let kept = held.enumerated().filter { $0.offset >= count || !isUseless($0.element.position) }.map(\.element)
        held = kept
        heldBytes = kept.reduce(0) { $0 + $1.payload.count + RoomMessage.overheadBytes }
    }

    func forget(_ hub: HubNumber) {
        hubs.removeAll { $0 == hub }
        waiters.removeAll { $0.hub == hub }
        asked.removeAll { $0.hub == hub }
        parked.removeAll { $0.waiter.hub == hub }
    }
}

/// The tracks by channel, found from the bytes of a channel's name without making a string of them.
struct TrackTable {
    private var buckets: [Int: [Track]] = [:]
    private var byRoom: [RoomName: Track] = [:]

    var count: Int { byRoom.count }
    var all: Dictionary<RoomName, Track>.Values { byRoom.values }

    subscript(room: RoomName) -> Track? { byRoom[room] }

    subscript(channel: UnsafeRawBufferPointer) -> Track? {
        buckets[TrackTable.hash(channel)]?.first { $0.channel.name.utf8.elementsEqual(channel) }
    }

    mutating func insert(_ track: Track) {
        byRoom[track.room] = track
        buckets[TrackTable.hash(of: track), default: []].append(track)
    }

    mutating func remove(_ track: Track) {
        if byRoom[track.room] === track { byRoom[track.room] = nil }
        let hash = TrackTable.hash(of: track)
        buckets[hash]?.removeAll { $0 === track }
        if buckets[hash]?.isEmpty == true { buckets[hash] = nil }
    }

    private static func hash(of track: Track) -> Int {
        var name = track.channel.name
        return name.withUTF8 { hash(UnsafeRawBufferPointer($0)) }
    }

    private static func hash(_ bytes: UnsafeRawBufferPointer) -> Int {
        var hasher = Hasher()
        hasher.combine(bytes: bytes)
        return hasher.finalize()
    }
}
