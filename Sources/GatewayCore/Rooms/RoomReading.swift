/// What a user may read in a governed room, by the role there.
package struct RoomReading: Hashable, Sendable {
    package var role: RoleName
    /// What the log holds from before the user came.
    package var history: Bool
    /// Who is in the room, comes and goes.
    package var presence: Bool

    package init(role: RoleName, history: Bool = true, presence: Bool = true) {
        self.role = role
        self.history = history
        self.presence = presence
    }

    /// Whether a page may be read for which this right is asked.
    package func allows(_ action: RoomAction) -> Bool {
        switch action {
        case .history: history
        case .presence: presence
        case .join, .publish: true
        }
    }
}

/// The roles of one room that may not read all of it.
package struct ReadingRoles: Hashable, Sendable {
    package var withoutHistory: Set<RoleName> = []
    package var withoutPresence: Set<RoleName> = []

    /// - Parameter roles: as the settings list them; what they do not list may read everything, and so may the host.
    package init(_ roles: [RoleRights] = []) {
        for role in roles where role.role != .host {
            if !role.rights.contains(.history) { withoutHistory.insert(role.role) }
            if !role.rights.contains(.presence) { withoutPresence.insert(role.role) }
        }
    }

    package var isEmpty: Bool { withoutHistory.isEmpty && withoutPresence.isEmpty }

    package func reading(as role: RoleName) -> RoomReading {
        RoomReading(
            role: role, history: !withoutHistory.contains(role), presence: !withoutPresence.contains(role))
    }
}
