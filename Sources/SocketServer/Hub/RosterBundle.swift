import Dialects
import GatewayCore

/// Changes of one large room's roster that are told in one frame.
///
/// Without it two hundred members that join at once would be forty thousand frames. It is on the heap since few rooms
/// have one.
final class RosterBundle {
    private static let maxEvents = 1000
    /// A part of what may wait for a client, since every member is sent the frame.
    private static let maxBytes = 1 << 16

    private(set) var events = WrittenEvents()
    /// The last change, whose events are in `events`.
    private(set) var latest: RosterChange
    /// Who entered since the first change, and the version it knew then: older events are not for it.
    var newcomers: [ConnectionNumber: Int64] = [:]

    init(_ first: RosterChange) {
        latest = first
        add(first)
    }

    var isFull: Bool { events.count >= RosterBundle.maxEvents || events.byteCount >= RosterBundle.maxBytes }

    func add(_ change: RosterChange) {
        for event in change.events { events.append(event) }
        latest = change
        latest.events = []
    }

    /// How many of the events are for one that knows the roster up to a version.
    func count(after version: Int64) -> Int {
        min(events.count, Int(clamping: max(0, latest.version - version)))
    }
}
