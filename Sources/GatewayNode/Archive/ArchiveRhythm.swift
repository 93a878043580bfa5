/// When a worker looks into a partition of messages again.
///
/// At once where a batch was full; else behind a pause, so that what comes meanwhile is one batch. A look costs Redis as much
/// as some messages do: a partition where nothing has come for a while is looked into less often.
package struct ArchiveRhythm: Sendable {
    /// What a look has found.
    package enum Found: Sendable {
        case nothing, some
        /// It is another worker's, for all that is known.
        case othersTurn
        /// As much as one batch holds, so probably more.
        case full
    }

    package static let pause = Duration.milliseconds(200)
    package static let quietPause = Duration.seconds(1)
    /// Without messages for so long a partition counts as quiet.
    package static let quiet = Duration.seconds(10)

    private var lastFound: ContinuousClock.Instant
    /// From when on it is looked into.
    package private(set) var next: ContinuousClock.Instant

    package init(now: ContinuousClock.Instant) {
        (lastFound, next) = (now, now)
    }

    package mutating func looked(_ found: Found, now: ContinuousClock.Instant) {
        switch found {
        case .full: (lastFound, next) = (now, now)
        case .some: (lastFound, next) = (now, now + ArchiveRhythm.pause)
        case .othersTurn: next = now + ArchiveRhythm.pause
        case .nothing:
            next = now + (now - lastFound < ArchiveRhythm.quiet ? ArchiveRhythm.pause : ArchiveRhythm.quietPause)
        }
    }

    /// It could not be looked into.
    package mutating func failed(now: ContinuousClock.Instant) { next = now + ArchiveRhythm.pause }
}
