import GatewayCore
import Synchronization

/// The keys that open `/v1` at this moment, and what each has left of its rate. Any thread may ask, and replace them.
package final class KeyRing: Sendable {
    /// A key that was found by what a client presents, good for as long as the keys are the same.
    struct Found: Sendable {
        let key: BackendKey
        /// The whole of `Authorization`.
        let field: String
        let version: Int
    }

    private struct State {
        /// Those of `api.key`, and those of the file.
        var whole: [BackendKey]
        var named: [BackendKey]
        var keys: APIKeys
        /// By name, so that a key that is replaced by its successor begins with what that one has left.
        var limiters: [String: RateLimiter] = [:]
    }

    private let state: Mutex<State>
    private let version = Atomic<Int>(0)
    private let now: @Sendable () -> MonotonicTime

    package init(whole: [String], named: [BackendKey], now: @escaping @Sendable () -> MonotonicTime) {
        state = Mutex(State(whole: KeyRing.whole(whole), named: named, keys: APIKeys([])))
        self.now = now
        replace()
    }

    /// From here on these count, and no others, on connections that are open as well; nil leaves what there is.
    package func replace(whole: [String]? = nil, named: [BackendKey]? = nil) {
        state.withLock { state in
            if let whole { state.whole = KeyRing.whole(whole) }
            if let named { state.named = named }
            state.keys = APIKeys(state.whole + state.named)
            let names = Set(state.named.map(\.name))
            state.limiters = state.limiters.filter { names.contains($0.key) }
        }
        version.wrappingAdd(1, ordering: .releasing)
    }

    private static func whole(_ keys: [String]) -> [BackendKey] {
        keys.filter { !$0.isEmpty }.map(BackendKey.init(whole:))
    }

    /// The key in `Authorization`; what was found before on the connection is not hashed again while it holds.
    ///
    /// - Parameter field: the one `Authorization` there is; nil where there is none, or several.
    /// - Throws: 401 without a key that counts.
    func find(_ field: String?, known: Found? = nil) throws(Refusal) -> Found {
        guard let field else { throw Refusal.missingKey }
        let version = version.load(ordering: .acquiring)
        if let known, known.version == version, APIKeys.areSame(field, known.field) { return known }
        let keys = state.withLock { $0.keys }
        guard let presented = APIKeys.bearer(in: field), let key = keys.key(presented) else {
            throw Refusal.missingKey
        }
        return Found(key: key, field: field, version: version)
    }

    /// Whether this key opens anything.
    package func opens(_ key: String) -> Bool { state.withLock { $0.keys }.key(key) != nil }

    /// Counts one request.
    ///
    /// - Throws: 429 where the key's rate is spent.
    func spend(_ key: BackendKey) throws(Refusal) {
        guard let rate = key.rate else { return }
        let now = now()
        let wait: Duration? = state.withLock { state in
            var limiter = state.limiters[key.name] ?? RateLimiter(now: now)
            defer { state.limiters[key.name] = limiter }
            return limiter.spend(now: now, limit: rate) == .accepted ? nil : limiter.wait(now: now, limit: rate)
        }
        if let wait { throw Refusal.spent("the key \(key.name)", wait) }
    }
}
