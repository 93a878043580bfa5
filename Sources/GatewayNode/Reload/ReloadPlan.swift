import GatewayCore

/// The way from the settings that a node runs with to those that are written by now: what of it is taken at once, and what
/// waits for a restart.
package struct ReloadPlan: Sendable {
    /// What the node runs with behind it.
    package private(set) var settings: Settings
    /// The keys that are taken, in the order of the explained file.
    package private(set) var taken: [String] = []
    /// The keys that need a restart.
    package private(set) var kept: [String] = []

    package init(from old: Settings, to new: Settings) {
        settings = old
        let differing = ReloadPlan.differing(old, new)
        var stuck = Set(Part.allCases.filter { $0.needsRestart(from: old, to: new) })
        let mustWait = differing.contains { path in
            ReloadPlan.isAboutRights(path) && Part(path).map { stuck.contains($0) } ?? true
        }
        if mustWait { stuck.formUnion([.tokens, .hook, .rooms]) }
        func isTaken(_ path: String) -> Bool {
            guard let part = Part(path), !stuck.contains(part) else { return false }
            return !mustWait || !ReloadPlan.isAboutRights(path)
        }
        for path in differing { note(path, isTaken: isTaken(path)) }
        for key in SettingKey.all where taken.contains(key.path) { key.copy(new, &settings) }
        if isTaken("client.origins") { settings.areOriginsWritten = new.areOriginsWritten }
        if isTaken("api.key") { settings.api.backendKeys = new.api.backendKeys }
        if taken.contains("auth.issuers") { settings.auth.issuers = new.auth.issuers }
        if taken.contains("rooms") { settings.rooms.rules = new.rooms.rules }
    }

    /// The keys that are not as they were, in the order of the explained file.
    private static func differing(_ old: Settings, _ new: Settings) -> [String] {
        var paths: [String] = []
        for key in SettingKey.all {
            // Written out, `*` says more than where it is left out.
            let isWrittenOut = key.path == "client.origins" && old.areOriginsWritten != new.areOriginsWritten
            guard key.written(old) != key.written(new) || isWrittenOut else { continue }
            // A name that is left out is another at each reading.
            if key.path == "nodeId" || key.path == "api.key" && old.isKeyMade && new.isKeyMade { continue }
            paths.append(key.path)
        }
        if old.auth.issuers != new.auth.issuers { paths.append("auth.issuers") }
        if old.pusher.apps != new.pusher.apps { paths.append("pusher.apps") }
        if old.rooms.rules != new.rooms.rules { paths.append("rooms") }
        return paths
    }

    /// Whether a key says who may do what. Some of the old and some of the new could open what neither opens, so where one of
    /// them has to wait for a restart all do.
    private static func isAboutRights(_ path: String) -> Bool {
        ["client.host", "client.origins", "presence.watch", "rooms"].contains(path)
            || ["auth.", "hooks.", "pusher."].contains { path.hasPrefix($0) }
    }

    private mutating func note(_ key: String, isTaken: Bool) {
        if isTaken { taken.append(key) } else { kept.append(key) }
    }

    /// Keys that hang together: all of them are taken, or none.
    private enum Part: CaseIterable {
        case clientTLS, apiTLS, keys, tokens, hook, rooms, webhooks, limits

        private static let limitKeys: Set<String> = [
            "client.maxRooms", "client.maxWatched", "client.messagesPerSecond", "client.messageBurst",
            "client.maxUnansweredBytes", "client.authTimeout", "client.handshakeTimeout", "client.origins",
            "client.trustedProxies", "client.maxConnections", "client.maxConnectionsPerAddress", "client.acceptRate",
            "presence.watch", "presence.bundleAbove", "auth.guests",
        ]
        private static let otherKeys: Set<String> = [
            "auth.mode", "auth.caFile", "log.level", "log.format", "log.recoverLimit", "webhooks.backlog",
            "webhooks.backlogBytes",
        ]

        /// Nil for a key that needs a restart by itself.
        init?(_ path: String) {
            if path == "rooms" {
                self = .rooms
            } else if Part.limitKeys.contains(path) {
                self = .limits
            } else if Part.otherKeys.contains(path) {
                return nil
            } else if path.hasPrefix("client.tls.") {
                self = .clientTLS
            } else if path.hasPrefix("api.tls.") {
                self = .apiTLS
            } else if path == "api.key" || path == "api.keysFile" {
                self = .keys
            } else if path.hasPrefix("auth.") {
                self = .tokens
            } else if path.hasPrefix("log.")
                || ["archive.everyone", "archive.backlog", "archive.backlogBytes"].contains(path)
            {
                self = .rooms
            } else if path.hasPrefix("webhooks.") {
                self = .webhooks
            } else if path.hasPrefix("hooks.") {
                self = .hook
            } else {
                return nil
            }
        }

        func needsRestart(from old: Settings, to new: Settings) -> Bool {
            switch self {
            case .clientTLS: old.clientTLS.isSecure != new.clientTLS.isSecure
            case .apiTLS:
                old.apiTLS.isSecure != new.apiTLS.isSecure
                    || (old.apiTLS.clientAuthorityFile == nil) != (new.apiTLS.clientAuthorityFile == nil)
            case .keys:
                old.isKeyMade != new.isKeyMade || (old.apiKeysFile == nil) != (new.apiKeysFile == nil)
                    // The port answers every host by now.
                    || !old.api.hasWeakKeys && new.api.hasWeakKeys
            case .tokens: old.auth.mode != new.auth.mode
            case .hook: (old.hook.url == nil) != (new.hook.url == nil)
            case .rooms:
                !old.rooms.needReplicas && new.rooms.needReplicas || old.rooms.keepArchive != new.rooms.keepArchive
                    || !old.rooms.keepsRosters(as: new.rooms)
                    // Nobody could be asked.
                    || old.hook.url == nil && new.rooms.askBackend
            // The ledger is written for receivers, or not at all.
            case .webhooks:
                old.webhookConfiguration.receivers.isEmpty || new.webhookConfiguration.receivers.isEmpty
                    // Of apps that are not there yet nobody could be told.
                    || old.pusher.apps != new.pusher.apps
                        && new.webhookConfiguration.receivers.contains { $0.form != .native }
            case .limits: false
            }
        }
    }
}

extension RoomRules {
    /// Whether the same rooms have rosters under the other rules, as far as that shows without asking for each: those who are in
    /// such a room are counted, or they are not.
    fileprivate func keepsRosters(as other: RoomRules) -> Bool {
        if (rules + other.rules).allSatisfy({ $0.presence == .full }) { return true }
        return rules.map(\.pattern) == other.rules.map(\.pattern)
            && rules.map(\.presence) == other.rules.map(\.presence)
    }
}
