import Dialects
import GatewayCore

/// The steps of one room's roster that wait to be told, and those who were told of lately.
///
/// Without it two hundred members that join a large room at once would be forty thousand frames, and one that joins and
/// leaves without end a frame a step to each of the others. It is on the heap since few rooms have one.
final class RosterBundle {
    private(set) var steps: RosterSteps
    /// The last change, without its events.
    private(set) var latest: RosterChange
    /// Who entered since the first step, or was told by itself, and the version it knew then: older steps are not for it.
    private(set) var newcomers: [ConnectionNumber: Int64] = [:]
    var pace = RosterPace()
    /// Until when nothing is told that changes what is shown of members who stay, so that one who changes it without end,
    /// or a hundred who do so all the time, are a frame a second to each of the others.
    private var updatesRestUntil = MonotonicTime(nanoseconds: .min)

    private static let updatePause = Duration.seconds(1)

    /// Begins behind a change.
    init(after change: RosterChange) {
        latest = change
        latest.events = []
        steps = RosterSteps(after: change.version)
    }

    /// Whether a change goes on where the steps end.
    func isContinued(by change: RosterChange) -> Bool {
        change.version - Int64(change.events.count) == steps.last
    }

    /// Whether a change of what is shown may be told.
    func allowsUpdates(now: MonotonicTime) -> Bool { updatesRestUntil <= now }

    /// A change was told.
    func told(_ events: [RosterEvent], now: MonotonicTime) {
        if events.contains(where: { $0.kind == .update }) { updatesRestUntil = now + RosterBundle.updatePause }
    }

    func add(_ change: RosterChange) {
        for event in change.events { steps.append(event) }
        latest = change
        latest.events = []
    }

    /// All up to a change has been told, or is for nobody.
    func restart(after change: RosterChange) {
        latest = change
        latest.events = []
        restart()
    }

    func restart() {
        steps = RosterSteps(after: latest.version)
        newcomers = [:]
    }

    /// A connection knows all up to a version by itself.
    func record(_ number: ConnectionNumber, knows version: Int64?) {
        if !steps.isEmpty { newcomers[number] = version }
    }

    /// The version that a member has been told of while steps wait; nil while none do.
    func version(toldTo number: ConnectionNumber) -> Int64? {
        steps.isEmpty ? nil : newcomers[number] ?? steps.first
    }

    /// What a member is told who knows the roster up to a version.
    ///
    /// `from` stands only where it is needed: who does not know it counts an event as a step.
    func change(after version: Int64) -> RosterChange {
        var change = latest
        change.events = steps.net(after: version)
        if Int64(change.events.count) != steps.last - version { change.from = version }
        return change
    }

    /// All steps, written once for those who are told of the latest only; nil where one step can undo another.
    func written() -> WrittenEvents? {
        guard !steps.hasRepeats else { return nil }
        var written = WrittenEvents()
        for event in steps.net(after: steps.first) { written.append(event) }
        return written
    }
}
