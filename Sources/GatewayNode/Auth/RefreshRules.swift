import GatewayCore

/// The rules on when keys are read anew: every so often, and where a token names one that is not known, but not more often
/// than that, however many such tokens come.
package struct RefreshRules: Sendable {
    /// What becomes of one who wants keys that are not known.
    package enum Wish: Hashable, Sendable {
        /// They are being read, or will be at once.
        case wait
        /// They were read, or tried for, a moment ago.
        case tooSoon
    }

    /// From one success to the next try.
    private let interval: Duration
    /// At least so long from one try to the next, where there are keys.
    private let gap: Duration
    /// The same where there are none, and nobody can come in.
    private let gapWithoutKeys: Duration

    private var lastTry: MonotonicTime?
    private(set) var lastSuccess: MonotonicTime?
    private var isWanted = false
    private var isUnderWay = false

    /// Of a URL, which is others'.
    package static let remote = RefreshRules(interval: .seconds(600), gap: .seconds(60), gapWithoutKeys: .seconds(5))
    /// Of a file, which costs little.
    package static let local = RefreshRules(interval: .seconds(30), gap: .seconds(1), gapWithoutKeys: .seconds(1))

    init(interval: Duration, gap: Duration, gapWithoutKeys: Duration) {
        self.interval = interval
        self.gap = gap
        self.gapWithoutKeys = gapWithoutKeys
    }

    /// A token names a key that is not known.
    package mutating func missesKey(now: MonotonicTime) -> Wish {
        if isUnderWay || isWanted { return .wait }
        guard mayTry(now) else { return .tooSoon }
        isWanted = true
        return .wait
    }

    /// The operator asks for it: the gap does not count.
    package mutating func isAskedFor() { isWanted = true }

    /// Whether to read now; `ended` follows where it is true.
    package mutating func begins(now: MonotonicTime) -> Bool {
        guard !isUnderWay else { return false }
        let isStale = lastSuccess.map { now >= $0 + interval } ?? true
        guard isWanted || isStale && mayTry(now) else { return false }
        (isWanted, isUnderWay, lastTry) = (false, true, now)
        return true
    }

    package mutating func ended(isRead: Bool, now: MonotonicTime) {
        isUnderWay = false
        if isRead { lastSuccess = now }
    }

    private func mayTry(_ now: MonotonicTime) -> Bool {
        guard let lastTry else { return true }
        return now >= lastTry + (lastSuccess == nil ? gapWithoutKeys : gap)
    }
}
