/// Steps of one room's roster that wait to be told together, and what is left of them: of a user who came and went, or went
/// and came, in the meantime the steps are no news any more.
package struct RosterSteps: Sendable {
    private static let maxUsers = 1000
    private static let maxSteps = 16_384
    /// A part of what may wait for a client, since every member is sent the frame.
    private static let maxInfoBytes = 1 << 16

    private struct Step {
        let user: Int
        let kind: RosterEvent.Kind
    }

    /// What each user did last, in the order of the first steps.
    private var latest: [RosterEvent] = []
    private var numbers: [UserID: Int] = [:]
    private var steps: [Step] = []
    private var infoBytes = 0
    /// Whether one of them changes what is shown of a member who stays.
    package private(set) var hasUpdates = false
    /// The version before the first step.
    package let first: Int64

    package init(after version: Int64) {
        first = version
    }

    /// The version after the last step.
    package var last: Int64 { first + Int64(steps.count) }

    package var isEmpty: Bool { steps.isEmpty }

    /// Whether they are as many as should wait, or as large.
    package var isFull: Bool {
        latest.count >= RosterSteps.maxUsers || infoBytes >= RosterSteps.maxInfoBytes
            || steps.count >= RosterSteps.maxSteps
    }

    /// Whether somebody made more than one of them.
    package var hasRepeats: Bool { steps.count > latest.count }

    /// Who made them, each once.
    package var users: Dictionary<UserID, Int>.Keys { numbers.keys }

    package mutating func append(_ event: RosterEvent) {
        let number = numbers[event.userId] ?? latest.count
        infoBytes += event.info?.count ?? 0
        if event.kind == .update { hasUpdates = true }
        if number < latest.count {
            infoBytes -= latest[number].info?.count ?? 0
            latest[number] = event
        } else {
            numbers[event.userId] = number
            latest.append(event)
        }
        steps.append(Step(user: number, kind: event.kind))
    }

    /// What is left of the steps after a version for whoever knows the roster up to there, each user once at most.
    ///
    /// Who went and came again is an update, since what is shown of the user may be another by then.
    package func net(after version: Int64) -> [RosterEvent] {
        let known = Int(clamping: max(0, version - first))
        guard known < steps.count else { return [] }
        if !hasRepeats { return Array(latest[known...]) }
        var seen = Array(repeating: false, count: latest.count)
        var events: [RosterEvent] = []
        for step in steps[known...] where !seen[step.user] {
            seen[step.user] = true
            var end = latest[step.user]
            switch (wasThere: step.kind != .join, isThere: end.kind != .leave) {
            case (false, false): continue
            case (false, true): end.kind = .join
            case (true, false): break
            case (true, true): end.kind = .update
            }
            events.append(end)
        }
        return events
    }
}
