import GatewayCore
import NIOCore

/// One room, inbox or `*` that this node follows; small, since every user's inbox has one.
///
/// `@unchecked Sendable`: it belongs to the router, which touches it on its loop only.
final class Track: @unchecked Sendable {
    let room: RoomName
    var cursor = StreamCursor()
    /// Hubs with at least one live listener.
    var hubs = HubSet()
    /// The roster as the hubs were told it; nil until the first answer, and where the room keeps none.
    var roster: RosterState?
    var recent = RecentMessages()
    /// Raised when `recent` begins anew: what the budget noted of the old one is void.
    var recentGeneration: Int32 = 0
    /// The channel of an inbox is its node's, which stands whenever the link does.
    var isSubscribed = false
    /// Delivered in this turn, not yet handed to the hubs.
    var turn: [RoomMessage] = []
    /// What is under way; nil while nothing is.
    var errand: Errand?
    /// The next one with the same hash.
    var next: Track?

    init(room: RoomName) {
        self.room = room
    }

    /// What is under way, made where there is nothing yet.
    var busy: Errand {
        if let errand { return errand }
        let errand = Errand()
        self.errand = errand
        return errand
    }

    var isCatchingUp: Bool { errand?.isCatchingUp ?? false }

    /// Whether no listener is here or on the way.
    var isUnused: Bool { hubs.isEmpty && !(errand?.hasListeners ?? false) }

    /// Whether the roster that a listener is told has been reached by what the channel brought.
    func hasReached(_ state: RosterState?) -> Bool {
        guard let state, let roster else { return true }
        return roster.version >= state.version
    }

    func forget(_ hub: HubNumber) {
        hubs.remove(hub)
        errand?.forget(hub)
    }
}

/// What is under way for a track: listeners that want to go live, questions to Redis, what came in the meantime.
///
/// `@unchecked Sendable`: it belongs to the router's loop like its track.
final class Errand: @unchecked Sendable {
    /// A hub's listener that wants to go live.
    struct Waiter {
        let ticket: FollowTicket
        let hub: HubNumber
        let since: ClientPosition?
        let portion: Portion
        /// When it is told that Redis did not answer.
        let deadline: NIODeadline
        /// Whether memory was found not to hold what it has missed.
        var readsLog = false
    }

    /// A waiter whose position the channel has not reached yet.
    struct Parked {
        let waiter: Waiter
        let answer: PositionAnswer
        let since: NIODeadline
    }

    /// Something that came over the channel and has to wait.
    enum Held {
        case message(RoomMessage)
        case roster(RosterChange)

        var bytes: Int {
            switch self {
            case .message(let message): message.memoryBytes
            case .roster(let change): change.events.reduce(200) { $0 + ($1.info?.count ?? 0) + 200 }
            }
        }
    }

    /// Bytes kept while the log is asked; what is beyond them is left to the log.
    private static let maxHeldBytes = 4 << 20

    /// Not asked for yet.
    var waiters: [Waiter] = []
    /// Asked for by the request under way.
    var asked: [Waiter] = []
    var parked: [Parked] = []
    /// What came while the stream's place was unknown or the log was asked.
    private(set) var held: [Held] = []
    private var heldBytes = 0
    var isAsking = false
    var isCatchingUp = false
    var needsCatchUp = false
    /// Whether a roster that the log's answer knows better than the channel is to be told.
    var comparesRoster = false
    /// Registrations of the inbox's user that are under way.
    var expected = 0
    /// How often the subscriptions had been lost when the first of them began; nil where they were not in place.
    var breaksAtExpecting: Int?
    /// What the last join has found, and until when that is kept for its listener.
    var known: (answer: PositionAnswer, until: NIODeadline)?
    /// Since when nobody listens.
    var idleSince: NIODeadline?
    /// Until when there is nothing to be looked at; nil where the next tick has to.
    var restsUntil: NIODeadline?

    var hasListeners: Bool { !waiters.isEmpty || !asked.isEmpty || !parked.isEmpty || expected > 0 }

    /// Whether nothing is under way.
    var isOver: Bool { isAtRest && idleSince == nil && known == nil }

    /// Whether all that can happen by itself is that a time comes.
    private var isAtRest: Bool {
        !hasListeners && held.isEmpty && !isAsking && !isCatchingUp && !needsCatchUp
    }

    /// When that is; nil where there is more to be looked at.
    func nextDeadline(lingering: TimeAmount) -> NIODeadline? {
        guard isAtRest else { return nil }
        return [idleSince.map { $0 + lingering }, known?.until].compactMap(\.self).min()
    }

    /// Keeps something for when the stream's place is known; what does not fit is fetched from the log again.
    func hold(_ one: Held) {
        guard heldBytes + one.bytes <= Errand.maxHeldBytes else {
            needsCatchUp = true
            comparesRoster = true
            return
        }
        heldBytes += one.bytes
        held.append(one)
    }

    /// Empties what is held.
    func takeHeld() -> [Held] {
        defer {
            held = []
            heldBytes = 0
        }
        return held
    }

    /// Drops those messages among the first so many held whose position is of no use.
    func dropHeld(among count: Int, where isUseless: (Position) -> Bool) {
        held = held.enumerated().filter { offset, one in
            guard offset < count, case .message(let message) = one else { return true }
            return !isUseless(message.position)
        }.map(\.element)
        heldBytes = held.reduce(0) { $0 + $1.bytes }
    }

    func forget(_ hub: HubNumber) {
        waiters.removeAll { $0.hub == hub }
        asked.removeAll { $0.hub == hub }
        parked.removeAll { $0.waiter.hub == hub }
    }
}
