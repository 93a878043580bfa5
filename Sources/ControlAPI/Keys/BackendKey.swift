import Crypto
import GatewayCore

/// One key that opens `/v1`, or a part of it: known by its SHA-256 only.
package final class BackendKey: Sendable {
    /// What the audit calls it.
    package let name: String
    let digest: [UInt8]
    private let scopes: Set<APIScope>
    /// The rooms it is bound to; nil: to none.
    private let rooms: [RoomPattern]?
    /// Requests a second; nil: as many as come.
    let rate: RateLimit?
    /// Whether anybody could guess it, as far as its text was seen; of a hash alone, whether that is of a well-known one.
    package let isWeak: Bool

    private static let guesses = Set(KeyStrength.guesses.map(digest))

    /// - Parameter digest: SHA-256 of the key, 32 bytes.
    package init(
        name: String, digest: [UInt8], scopes: Set<APIScope>, rooms: [RoomPattern]? = nil, perSecond: Int? = nil,
        isWeak: Bool = false
    ) {
        self.name = name
        self.digest = digest
        self.scopes = scopes
        self.rooms = rooms
        rate = perSecond.map { RateLimit(perSecond: $0, burst: $0) }
        self.isWeak = isWeak || BackendKey.guesses.contains(digest)
    }

    package convenience init(
        name: String, key: String, scopes: Set<APIScope>, rooms: [RoomPattern]? = nil, perSecond: Int? = nil
    ) {
        self.init(
            name: name, digest: BackendKey.digest(key), scopes: scopes, rooms: rooms, perSecond: perSecond,
            isWeak: KeyStrength.problem(withAPIKey: key) != nil)
    }

    /// One of `api.key`, which opens everything.
    convenience init(whole key: String) {
        self.init(name: "api.key", key: key, scopes: [.admin])
    }

    /// Whether what opens with one opens with the other.
    package func isSame(as other: BackendKey) -> Bool { digest == other.digest }

    static func digest(_ key: String) -> [UInt8] {
        Array(SHA256.hash(data: Array(key.utf8)))
    }

    /// - Throws: `forbidden` where the key does not open this; what a body names is checked when it has been read.
    func check(_ route: Route, _ method: Route.Method) throws(RequestError) {
        guard let scope = route.scope(of: method) else { return }
        guard scopes.contains(.admin) || scopes.contains(scope) else {
            throw RequestError(.forbidden, "the key \(name) is not for this: it needs the scope \(scope.rawValue)")
        }
        guard rooms != nil else { return }
        switch route.reach {
        case .body: return
        // A name that is none is refused where it is read.
        case .room(let name): if let room = RoomName(name) { try check([room]) }
        case .everything: throw bound
        }
    }

    /// - Throws: `forbidden` where the key is bound to rooms, and these are not all among them.
    func check(_ target: BroadcastRequest.Target) throws(RequestError) {
        guard rooms != nil else { return }
        guard case .rooms(let names) = target else { throw bound }
        try check(names)
    }

    private func check(_ names: [RoomName]) throws(RequestError) {
        guard let rooms else { return }
        for name in names {
            guard !name.isInbox, !name.isEveryone, rooms.contains(where: { $0.matches(name) }) else { throw bound }
        }
    }

    private var bound: RequestError {
        let patterns = (rooms ?? []).map(\.description).joined(separator: ", ")
        return RequestError(.forbidden, "the key \(name) is bound to the rooms \(patterns)")
    }
}
