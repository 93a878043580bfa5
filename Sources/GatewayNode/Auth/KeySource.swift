import GatewayCore
import Logging
import Synchronization

/// Where an issuer's keys come from, and those it had last: they serve for as long as newer ones cannot be had.
///
/// Any thread may ask it. What reads them anew is `run`, one task for each source, so that many who miss the same key cost
/// one reading.
package final class KeySource: Sendable {
    package typealias Reading = @Sendable () async throws(KeyProblem) -> KeySet

    package enum Renewal: Hashable, Sendable {
        case renewed, failed
        /// They were read a moment ago, and it was not among them.
        case tooSoon
    }

    private struct State {
        var keys: KeySet?
        /// One more with each reading that succeeds.
        var version = 0
        var rules: RefreshRules
        var waiting: [CheckedContinuation<Renewal, Never>] = []
        /// Why the last reading failed.
        var problem: KeyProblem?
        var isOver = false
    }

    /// Whoever misses a key while so many wait is not taken in.
    private static let maxWaiting = 10_000

    /// As settings and log lines call it.
    package let name: String
    /// The URL that they are read from; nil where they lie elsewhere.
    let url: String?
    private let reading: Reading?
    private let now: @Sendable () -> MonotonicTime
    private let state: Mutex<State>
    private let (wakes, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))

    /// Keys that never change.
    package init(_ keys: KeySet, name: String) {
        self.name = name
        url = nil
        reading = nil
        now = { MonotonicTime(nanoseconds: 0) }
        state = Mutex(State(keys: keys, rules: .local))
    }

    /// Keys that are read anew; `keys` are what is known at the start.
    package init(
        name: String, url: String? = nil, keys: KeySet? = nil, rules: RefreshRules,
        now: @escaping @Sendable () -> MonotonicTime, reading: @escaping Reading
    ) {
        self.name = name
        self.url = url
        self.reading = reading
        self.now = now
        state = Mutex(State(keys: keys, rules: rules))
    }

    /// Nil until they could be had for the first time.
    package var known: KeySet? { state.withLock { $0.keys } }
    package var areKnown: Bool { known != nil }

    /// The same, and which reading they are of.
    var latest: (keys: KeySet?, version: Int) { state.withLock { ($0.keys, $0.version) } }

    /// How long ago they were read; nil where they never were, or do not change.
    var age: Duration? {
        state.withLock { state in
            guard reading != nil else { return nil }
            return state.rules.lastSuccess.map { now() - $0 }
        }
    }

    /// Why there are no keys at all; nil where there are some.
    package var problem: String? {
        state.withLock { state in
            guard state.keys == nil else { return nil }
            return "\(name) \(state.problem?.description ?? "is being read")"
        }
    }

    /// A token names a key that is not known: waits for a reading, where there is to be one.
    ///
    /// - Parameter version: the reading that the key is not in; where there has been another since, that is at hand already.
    package func renewed(after version: Int? = nil) async -> Renewal {
        await withCheckedContinuation { continuation in
            let answer: Renewal? = state.withLock { state in
                guard reading != nil else { return .tooSoon }
                if let version, version != state.version { return .renewed }
                guard !state.isOver, state.waiting.count < KeySource.maxWaiting else { return .failed }
                guard state.rules.missesKey(now: now()) == .wait else { return .tooSoon }
                state.waiting.append(continuation)
                return nil
            }
            if let answer { return continuation.resume(returning: answer) }
            wake.yield()
        }
    }

    /// Whether it is time is found out; called every few seconds.
    package func tick() { wake.yield() }

    /// Has them read at once.
    package func renew() {
        state.withLock { $0.rules.isAskedFor() }
        wake.yield()
    }

    /// They are wanted no more.
    package func end() { wake.finish() }

    /// Reads them whenever it is time, until the task is cancelled or they are wanted no more; then nobody waits any more.
    package func run(logger: Logger) async {
        tick()
        if let reading {
            for await _ in wakes {
                guard state.withLock({ $0.rules.begins(now: now()) }) else { continue }
                let result: Result<KeySet, KeyProblem>
                do throws(KeyProblem) {
                    result = .success(try await reading())
                } catch {
                    result = .failure(error)
                }
                ended(result, logger: logger)
            }
        }
        let last = state.withLock { state in
            state.isOver = true
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in last { continuation.resume(returning: .failed) }
    }

    private func ended(_ result: Result<KeySet, KeyProblem>, logger: Logger) {
        let (waiting, before, after) = state.withLock { state in
            let before = state
            switch result {
            case .success(let keys):
                (state.keys, state.problem) = (keys, nil)
                state.version += 1
            case .failure(let problem): state.problem = problem
            }
            let isRead = state.problem == nil
            state.rules.ended(isRead: isRead, now: now())
            let waiting = state.waiting
            state.waiting = []
            return (waiting, before, state)
        }
        let count = after.keys?.count ?? 0
        if let problem = after.problem {
            if problem != before.problem {
                logger.warning(
                    "token keys could not be read; those read before serve",
                    metadata: ["source": "\(name)", "reason": "\(problem)", "keys": "\(count)"])
            }
        } else if before.problem != nil || before.keys == nil {
            logger.info("token keys read", metadata: ["source": "\(name)", "keys": "\(count)"])
        }
        for continuation in waiting { continuation.resume(returning: after.problem == nil ? .renewed : .failed) }
    }
}
