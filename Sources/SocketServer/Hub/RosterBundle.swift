import GatewayCore

/// Changes of one large room's roster that are told in one frame.
///
/// Without it two hundred members that join at once would be forty thousand frames. It is on the heap since few rooms
/// have one.
final class RosterBundle {
    private static let maxEvents = 1000
    /// A part of what may wait for a client, since every member is sent the frame.
    private static let maxBytes = 1 << 16

    private var events: [RosterEvent] = []
    /// Of the events, in a frame.
    private var bytes = 0
    /// Of the last change.
    private(set) var latest: RosterChange
    /// Who entered since the first change, and the version it knew then: older events are not for it.
    var newcomers: [ConnectionNumber: Int64] = [:]

    init(_ first: RosterChange) {
        latest = first
        add(first)
    }

    var isFull: Bool { events.count >= RosterBundle.maxEvents || bytes >= RosterBundle.maxBytes }

    func add(_ change: RosterChange) {
        events += change.events
        bytes += change.events.reduce(0) { $0 + $1.userId.string.utf8.count + ($1.info?.count ?? 0) + 50 }
        latest = change
    }

    /// All that changed, in one.
    var change: RosterChange { change(with: events) }

    /// The same for one that knows the roster up to a version; nil where there is nothing in it for that one.
    func change(after version: Int64) -> RosterChange? {
        let count = Int(clamping: max(0, latest.version - version))
        guard count > 0 else { return nil }
        return change(with: Array(events.suffix(count)))
    }

    private func change(with events: [RosterEvent]) -> RosterChange {
        var change = latest
        change.events = events
        return change
    }
}
