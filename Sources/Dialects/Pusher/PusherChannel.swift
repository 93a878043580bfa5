import GatewayCore

/// A channel as Pusher's clients and backends name it, and what its name says of it.
package struct PusherChannel: Hashable, Sendable {
    package enum Kind: Hashable, Sendable {
        /// Anybody's who knows the name.
        case open
        /// For those whom the app's backend has signed.
        case signed
        /// The same; what is sent in it only its members can read.
        case encrypted
        /// The same, with a user for each member.
        case presence
        /// What is for one user, who has signed in: `#server-to-user-<id>`.
        case user(String)
    }

    package let name: String
    package let kind: Kind
    /// Whether who subscribes is told the last event first.
    package let isCache: Bool

    private static let inboxPrefix = "#server-to-user-"
    private static let prefixes: [(text: String, kind: Kind, isCache: Bool)] = [
        ("private-encrypted-cache-", .encrypted, true), ("private-encrypted-", .encrypted, false),
        ("private-cache-", .signed, true), ("private-", .signed, false), ("presence-cache-", .presence, true),
        ("presence-", .presence, false), ("cache-", .open, true),
    ]

    /// What a name must be, worded to follow the field that holds it.
    package static let rule = "must be 1 to 200 of A-Z a-z 0-9 _ - = @ , . ; and not begin with @"

    /// 1 to 200 characters of `A-Z a-z 0-9 _ - = @ , . ;`, the first not `@`, or `#server-to-user-` and a user; nil for
    /// anything else.
    package init?(_ name: String) {
        if let user = name.behind(PusherChannel.inboxPrefix) {
            guard UserID(person: user) != nil else { return nil }
            (kind, isCache) = (.user(user), false)
        } else {
            guard RoomName(room: name) != nil, !name.utf8.contains(UInt8(ascii: ":")) else { return nil }
            let prefix = PusherChannel.prefixes.first { name.hasPrefix($0.text) }
            (kind, isCache) = (prefix?.kind ?? .open, prefix?.isCache ?? false)
        }
        self.name = name
    }

    /// The channel of an app in which is what a room holds; nil for a room that is none of the app's, or has a name that no
    /// channel can have.
    package init?(_ room: RoomName, of app: PusherApp) {
        if room.isInbox {
            guard let user = room.string.behind("@").flatMap({ app.own($0) }) else { return nil }
            self.init(PusherChannel.inboxPrefix + user)
        } else {
            guard let name = app.own(room.string) else { return nil }
            self.init(name)
        }
    }

    /// The room that it is for an app; nil where the name is too long for one, or its user's is.
    package func room(of app: PusherApp) -> RoomName? {
        if case .user(let user) = kind { return app.user(named: user).map { RoomName(inboxOf: $0) } }
        return RoomName(room: app.prefix + name)
    }

    package var isPresence: Bool { kind == .presence }

    /// Whether the app's backend has to sign that somebody may be in it.
    package var isSigned: Bool {
        switch kind {
        case .signed, .encrypted, .presence: true
        case .open, .user: false
        }
    }

    /// Whether its members may send events to each other: not where the gateway cannot tell who they are, or read them.
    package var takesClientEvents: Bool {
        switch kind {
        case .signed, .presence: true
        case .open, .encrypted, .user: false
        }
    }
}
