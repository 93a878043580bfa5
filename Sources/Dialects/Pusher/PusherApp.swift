import GatewayCore

/// One application that speaks Pusher's protocol: a key that everybody may know, and a secret that its backend signs with.
///
/// The first app shares rooms and users with native clients. Those of a further one live under its id: `:<id>:` stands before
/// each of their names, which no name of the first app's and, where there are further apps, no native one begins with.
package struct PusherApp: Hashable, Sendable {
    /// In paths of the HTTP API; 1 to 32 of `A-Z a-z 0-9 _ - .`.
    package let id: String
    /// What its clients name, and its backend too; 1 to 64 of the same.
    package let key: String
    /// One, or two while one takes the other's place.
    package let secrets: [String]
    /// Whether clients may send events to each other.
    package var hasClientEvents = true
    /// Whether subscribers are told how many they are.
    package var tellsSubscriptionCount = false
    /// The pages whose browsers may connect; nil: those of the port.
    package var origins: [String]?
    /// Connections at once on each node; 0: as many as the node takes.
    package var maxConnections = 0
    /// Calls of its backend in a second on each node; 0: as many as come.
    package var rate = 0
    /// Bytes of an event's data, a client's or a backend's.
    package var maxEventBytes = 10_240
    /// Silence after which its clients ask whether the gateway is still there.
    package var activitySeconds = 120
    /// Who is told of its events, each a URL, and behind it with blanks the events, where not all are meant.
    package var webhooks: [String] = []
    /// Whether rooms and users are those of native clients; decided by ``PusherApps``.
    package fileprivate(set) var isFirst = true
    /// Whether there are further apps, so that their names are none of this one's.
    package fileprivate(set) var hasOthers = false

    package init(id: String, key: String, secrets: [String]) {
        self.id = id
        self.key = key
        self.secrets = secrets
    }

    /// What an id or a key must be, worded to follow the field that holds it.
    package static func rule(upTo count: Int) -> String { "must be 1 to \(count) of A-Z a-z 0-9 _ - ." }

    package static let longestID = 32
    package static let longestKey = 64

    /// Whether this can be an id, or a key.
    package static func isName(_ text: String, upTo count: Int) -> Bool {
        (1...count).contains(text.utf8.count) && text.utf8.allSatisfy(isNameByte)
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."):
            true
        default: false
        }
    }

    // MARK: Names

    /// What stands before each name of a room or a user; nothing for the first app.
    package var prefix: String { isFirst ? "" : ":\(id):" }

    /// The user whom the app calls so; nil for what is no name of a person, or would be another app's.
    package func user(named name: String) -> UserID? {
        guard !name.isEmpty, !isFirst || !isForeign(name), let user = UserID(person: name) else { return nil }
        return isFirst ? user : UserID(person: prefix + name)
    }

    /// The room, of whatever kind, that the app calls so; nil for what is no room's name, or would be another app's. The room that
    /// everyone is in is the first app's alone.
    package func room(named name: String) -> RoomName? {
        if let user = name.behind("@") { return self.user(named: user).map { RoomName(inboxOf: $0) } }
        guard isFirst else { return RoomName(room: name).flatMap { RoomName(room: prefix + $0.string) } }
        return isForeign(name) ? nil : RoomName(name)
    }

    /// What the app calls a user; nil for one of another app's.
    package func name(of user: UserID) -> String? { own(user.string) }

    /// What the app calls a room; nil for one of another app's.
    package func name(of room: RoomName) -> String? {
        guard let user = room.string.behind("@") else { return own(room.string) }
        return own(user).map { "@" + $0 }
    }

    /// The name behind the app's prefix; nil for one that is not the app's.
    package func own(_ name: String) -> String? {
        isFirst ? (isForeign(name) ? nil : name) : name.behind(prefix)
    }

    /// Of the first app's names: whether it is rather one of a further app's.
    private func isForeign(_ name: String) -> Bool { hasOthers && AppFence.isForeign(name) }
}

/// All apps of a deployment; the order is that of the configuration.
package struct PusherApps: Hashable, Sendable {
    package let all: [PusherApp]

    package init(_ apps: [PusherApp] = []) {
        all = apps.enumerated().map { index, app in
            var app = app
            app.isFirst = index == 0
            app.hasOthers = apps.count > 1
            return app
        }
    }

    package var isEmpty: Bool { all.isEmpty }

    /// The one that shares rooms and users with native clients.
    package var first: PusherApp? { all.first }

    /// Whether there are names that are no native ones.
    package var hasFurther: Bool { all.count > 1 }

    package func app(withKey key: String) -> PusherApp? { all.first { $0.key == key } }

    package func app(withID id: String) -> PusherApp? { all.first { $0.id == id } }
}

extension String {
    /// What follows a text at its beginning, byte for byte; nil where it begins otherwise.
    func behind(_ beginning: String) -> String? {
        guard utf8.starts(with: beginning.utf8) else { return nil }
        return String(Substring(utf8.dropFirst(beginning.utf8.count)))
    }
}
