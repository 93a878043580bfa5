/// An action that can be allowed in a room.
package enum RoomAction: String, Sendable, CaseIterable {
    case join, publish, presence, history
}

/// The grants of one token: the union of all patterns that match; what none of them names is forbidden.
package struct RoomGrants: Hashable, Sendable {
    package var entries: [(pattern: RoomPattern, actions: Set<RoomAction>)]

    package init(_ entries: [(pattern: RoomPattern, actions: Set<RoomAction>)]) {
        self.entries = entries
    }

    package func allows(_ action: RoomAction, in room: RoomName) -> Bool {
        entries.contains { $0.pattern.matches(room) && $0.actions.contains(action) }
    }

    package static func == (left: RoomGrants, right: RoomGrants) -> Bool {
        left.entries.elementsEqual(right.entries) { $0.pattern == $1.pattern && $0.actions == $1.actions }
    }

    package func hash(into hasher: inout Hasher) {
        for entry in entries {
            hasher.combine(entry.pattern)
            hasher.combine(entry.actions)
        }
    }
}

/// The bounds of what Redis keeps of a room.
package struct LogLimits: Hashable, Sendable {
    /// Messages; 0 keeps none (they are still counted).
    package var size: Int
    package var age: Duration
    /// Of all messages together, with some 64 for each; whatever `size` says, no more is kept.
    package var bytes: Int

    /// 1,000 messages of 4 KiB.
    package static let defaultBytes = 4 << 20

    package init(size: Int, age: Duration, bytes: Int = LogLimits.defaultBytes) {
        self.size = size
        self.age = age
        self.bytes = bytes
    }
}

/// The rule on whether a room keeps a roster.
package enum RoomPresence: String, Hashable, Sendable, CaseIterable {
    /// Members are counted and listed, and told of each other.
    case full
    /// Nobody is counted or told; for rooms that many pass through.
    case off
}

/// The moment at which a publish to a room is acknowledged.
package enum Durability: String, Hashable, Sendable, CaseIterable {
    /// As soon as Redis has it; a failover may lose the last messages, of which members are told by `gap`.
    case primary
    /// Not before a replica has it as well.
    case replicated
}

/// One entry of the configuration's `rooms`: what holds for the rooms a pattern matches.
package struct RoomRule: Hashable, Sendable {
    package var pattern: RoomPattern
    /// What clients whose token says nothing about rooms may do.
    package var allow: Set<RoomAction>
    /// What of that, presence or history, they may do without being in the room.
    package var outside: Set<RoomAction>
    package var presence: RoomPresence
    package var log: LogLimits
    package var durability = Durability.primary
    /// Whether receivers of webhooks are told of its messages.
    package var tellsMessages = false
    /// Whether its messages also go into the partition's stream for a backend's own consumers.
    package var isStreamed = false
    /// Whether its messages are kept in the archive, and so go into the partition's stream as well.
    package var isArchived = false
    /// For what of that, join or publish, the backend is asked first.
    package var asked: Set<RoomAction> = []
    /// What guests may do; nil where the rule does not say.
    package var guestsMay: Set<RoomAction>?

    package init(
        pattern: RoomPattern, allow: Set<RoomAction> = Set(RoomAction.allCases), outside: Set<RoomAction> = [],
        presence: RoomPresence = .full, log: LogLimits
    ) {
        self.pattern = pattern
        self.allow = allow
        self.outside = outside
        self.presence = presence
        self.log = log
    }
}

/// The configuration of rooms by pattern: the first match wins, the defaults hold where none matches.
package struct RoomRules: Hashable, Sendable {
    package var rules: [RoomRule]
    package var defaultLog: LogLimits
    package var inboxLog: LogLimits
    package var everyoneLog: LogLimits
    /// For inboxes and `*` as well.
    package var defaultDurability = Durability.primary
    /// Messages of each partition, about, kept for a backend's own consumers.
    package var streamSize = 10_000
    /// Bytes of them in each partition.
    package var streamBytes = 8 << 20
    /// Whether messages in inboxes are kept in the archive.
    package var archivesInboxes = false
    /// Whether messages to everyone (`*`) are kept in the archive.
    package var archivesEveryone = false
    /// Messages of each partition that wait for the archive at most.
    package var archiveBacklog = 100_000
    /// Bytes of them in each partition.
    package var archiveBacklogBytes = 32 << 20
    /// Rooms that visitors may enter who only know an app's key, where no rule says what guests may.
    package var openToVisitors: [RoomPattern] = []
    /// Of events that are noted only where a receiver asks for them, the rooms of which one does.
    package var noted: [EventType: [RoomPattern]] = [:]
    /// Whether names that begin with a colon belong to apps, and to no client of the gateway's own.
    package var fencesApps = false
    /// Whether rooms that an app's backend signs for are entered by a right that names them alone, never by the default.
    package var keepsSignedRooms = false

    package init(
        rules: [RoomRule] = [],
        defaultLog: LogLimits = LogLimits(size: 1000, age: .seconds(24 * 3600)),
        inboxLog: LogLimits = LogLimits(size: 100, age: .seconds(168 * 3600), bytes: 2 << 20),
        everyoneLog: LogLimits = LogLimits(size: 100, age: .seconds(24 * 3600), bytes: 8 << 20)
    ) {
        self.rules = rules
        self.defaultLog = defaultLog
        self.inboxLog = inboxLog
        self.everyoneLog = everyoneLog
    }

    /// How much of this room is kept.
    package func log(of room: RoomName) -> LogLimits {
        if room.isEveryone { return everyoneLog }
        if room.isInbox { return inboxLog }
        return rules.first { $0.pattern.matches(room) }?.log ?? defaultLog
    }

    /// When a publish to this room is acknowledged.
    package func durability(of room: RoomName) -> Durability {
        if room.isEveryone || room.isInbox { return defaultDurability }
        return rules.first { $0.pattern.matches(room) }?.durability ?? defaultDurability
    }

    /// Whether there may be rooms whose messages must be on a replica.
    package var needReplicas: Bool {
        defaultDurability == .replicated || rules.contains { $0.durability == .replicated }
    }

    /// Whether the room keeps a roster; inboxes and `*` keep none.
    package func presence(of room: RoomName) -> RoomPresence {
        if room.isEveryone || room.isInbox { return .off }
        return rules.first { $0.pattern.matches(room) }?.presence ?? .full
    }

    /// Whether receivers of webhooks are told of the room's messages; of inboxes and `*` they never are.
    package func tellsMessages(of room: RoomName) -> Bool {
        rules.first { $0.pattern.matches(room) }?.tellsMessages ?? false
    }

    /// Whether a receiver has asked to be told of such events in the room.
    package func notes(_ type: EventType, in room: RoomName) -> Bool {
        guard !noted.isEmpty, !room.isInbox else { return false }
        return noted[type]?.contains { $0.matches(room) } ?? false
    }

    /// Whether the room's messages go into the partition's stream as well; those of inboxes and `*` never do.
    package func isStreamed(_ room: RoomName) -> Bool {
        rules.first { $0.pattern.matches(room) }?.isStreamed ?? false
    }

    /// Whether the room's messages are kept in the archive.
    package func isArchived(_ room: RoomName) -> Bool {
        if room.isEveryone { return archivesEveryone }
        if room.isInbox { return archivesInboxes }
        return rules.first { $0.pattern.matches(room) }?.isArchived ?? false
    }

    /// Whether anything is kept in the archive.
    package var keepArchive: Bool { archivesInboxes || archivesEveryone || rules.contains(where: \.isArchived) }

    /// How many messages of a partition's stream stay for a backend's own consumers where the archive has them.
    package var keptForConsumers: Int { rules.contains(where: \.isStreamed) ? streamSize : 0 }

    /// How much a partition's stream holds at most. What waits for the archive is not to go before it is there, whichever
    /// room's message comes behind it.
    package var streamBound: (entries: Int, bytes: Int) {
        guard keepArchive else { return (streamSize, streamBytes) }
        return (max(streamSize, archiveBacklog), max(streamBytes, archiveBacklogBytes))
    }

    /// Whether the backend is asked before this is done here; of inboxes and `*` it never is.
    package func asks(_ action: RoomAction, in room: RoomName) -> Bool {
        guard !room.isEveryone, !room.isInbox else { return false }
        return rules.first { $0.pattern.matches(room) }?.asked.contains(action) ?? false
    }

    /// Whether there are rooms for which the backend is asked.
    package var askBackend: Bool { rules.contains { !$0.asked.isEmpty } }

    /// Whether one may do this here who only knows an app's key.
    package func allowsVisitors(_ action: RoomAction, in room: RoomName) -> Bool {
        guard !room.isEveryone, !room.isInbox else { return false }
        if let may = rules.first(where: { $0.pattern.matches(room) })?.guestsMay { return may.contains(action) }
        guard action == .join else { return false }
        return fencesApps && AppFence.isForeign(room) || openToVisitors.contains { $0.matches(room) }
    }

    /// Whether this client may do this here. A client reads its own inbox and `*`, and writes to neither.
    package func allows(_ action: RoomAction, in room: RoomName, for identity: Identity) -> Bool {
        if fencesApps, AppFence.isForeign(room) { return false }
        if room.isEveryone || room.isInbox {
            let isReading = action == .join || action == .history
            return isReading && (room.isEveryone || room == RoomName(inboxOf: identity.userId))
        }
        if let rights = identity.rights { return rights.allows(action, in: room) }
        let rule = rules.first { $0.pattern.matches(room) }
        guard opens(rule, room) else { return false }
        return rule?.allow.contains(action) ?? true
    }

    /// A rule for rooms alone that an app's backend signs for opens them, not one for many others.
    private func opens(_ rule: RoomRule?, _ room: RoomName) -> Bool {
        guard keepsSignedRooms, AppFence.isSigned(room) else { return true }
        return rule.map { AppFence.isSigned($0.pattern.description) } ?? false
    }

    /// Whether a client without a user, of the gateway's own dialect, may do this here: nothing where no rule says so. It reads
    /// `*`.
    package func allowsGuests(_ action: RoomAction, in room: RoomName) -> Bool {
        if room.isEveryone { return action == .join || action == .history }
        guard !room.isInbox, !(fencesApps && AppFence.isForeign(room)) else { return false }
        guard let rule = rules.first(where: { $0.pattern.matches(room) }), opens(rule, room) else { return false }
        return rule.guestsMay?.contains(action) ?? false
    }

    /// Whether guests may do anything anywhere: what they may read they may where they are, or from outside.
    package var openToGuests: Bool {
        rules.contains { rule in
            guard let may = rule.guestsMay else { return false }
            return may.contains(.join) || may.contains(.history) && rule.outside.contains(.history)
        }
    }

    /// Whether a client that may do this here may do it without being in the room: where the room's rule says so, or where a
    /// token grants it and not `join`, as an observer's. Everybody is in `*` and in the own inbox.
    ///
    /// - Parameter identity: nil for a guest.
    package func allowsOutside(_ action: RoomAction, in room: RoomName, for identity: Identity?) -> Bool {
        if room.isEveryone || room.isInbox { return true }
        if let rights = identity?.rights, rights.allows(action, in: room), !rights.allows(.join, in: room) {
            return true
        }
        return rules.first { $0.pattern.matches(room) }?.outside.contains(action) ?? false
    }
}
