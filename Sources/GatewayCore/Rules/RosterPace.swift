/// The limit on how often a room's members are told of one user, so that one who comes and goes without end costs the
/// others little: two steps at once, and four in all, of one user and second.
package struct RosterPace: Sendable {
    /// The times at which one user was told of, the latest last; what is older than the latest four does not matter.
    private struct Recent {
        var times: (MonotonicTime, MonotonicTime, MonotonicTime, MonotonicTime)

        init() {
            let never = MonotonicTime(nanoseconds: .min)
            times = (never, never, never, never)
        }

        mutating func add(_ time: MonotonicTime) { times = (times.1, times.2, times.3, time) }
    }

    private static let second = Duration.seconds(1)

    private var recent: [UserID: Recent] = [:]

    package init() {}

    /// Whether nobody was told of lately.
    package var isEmpty: Bool { recent.isEmpty }

    /// Whether a step of this user is told as it comes.
    package func allowsAtOnce(_ user: UserID, now: MonotonicTime) -> Bool {
        guard let times = recent[user]?.times else { return true }
        return times.2 + RosterPace.second <= now
    }

    /// Whether a step of this user is told, be it together with others that waited.
    package func allows(_ user: UserID, now: MonotonicTime) -> Bool {
        guard let times = recent[user]?.times else { return true }
        return times.0 + RosterPace.second <= now
    }

    package mutating func told(_ user: UserID, now: MonotonicTime) {
        recent[user, default: Recent()].add(now)
    }

    /// Whether this user was not told of lately.
    package func isForgotten(_ user: UserID) -> Bool { recent[user] == nil }

    /// Forgets those who were told of more than a second ago.
    package mutating func forget(now: MonotonicTime) {
        // Most looks find nobody to forget, or all: neither needs another table.
        let late = recent.values.reduce(0) { $0 + ($1.times.3 + RosterPace.second > now ? 0 : 1) }
        guard late > 0 else { return }
        recent = late == recent.count ? [:] : recent.filter { $0.value.times.3 + RosterPace.second > now }
    }
}
