/// A room whose host has left it, and the rule by which another member follows.
package struct VacantChair: Hashable, Sendable {
    package struct Member: Hashable, Sendable {
        package var user: UserID
        package var role: RoleName
        /// When the user came into the room, in milliseconds since 1970; for those who were there before, when it was governed.
        package var since: Int64
        /// Whether one of the connections stands; all others are in their grace.
        package var isConnected: Bool

        package init(user: UserID, role: RoleName, since: Int64, isConnected: Bool = true) {
            self.user = user
            self.role = role
            self.since = since
            self.isConnected = isConnected
        }
    }

    /// Of the room as it was read.
    package var version: Int64
    package var handover: RoomSettings.HostHandover
    /// As the settings list them.
    package var roles: [RoleName]
    package var members: [Member]

    package init(
        version: Int64, handover: RoomSettings.HostHandover, roles: [RoleName], members: [Member]
    ) {
        self.version = version
        self.handover = handover
        self.roles = roles
        self.members = members
    }

    /// Who is to be host; nil where the chair stays with the one who left.
    ///
    /// By role: the highest present, in the order host, moderator, then as the settings list them, those that they do not
    /// list, member; among equals, and by age alone, whoever is in the room longest. Who is in the grace of a lost connection
    /// comes after all who are not.
    package var successor: UserID? {
        switch handover {
        case .none: nil
        case .oldest: first { _ in 0 }
        case .role: first { rank($0.role) }
        }
    }

    private func first(by rank: (Member) -> Int) -> UserID? {
        members.min { left, right in
            if left.isConnected != right.isConnected { return left.isConnected }
            let ranks = (rank(left), rank(right))
            if ranks.0 != ranks.1 { return ranks.0 < ranks.1 }
            return left.since != right.since ? left.since < right.since : left.user.string < right.user.string
        }?.user
    }

    private func rank(_ role: RoleName) -> Int {
        switch role {
        case .host: 0
        case .moderator: 1
        case .member: roles.count + 3
        case _: 2 + (roles.firstIndex(of: role) ?? roles.count)
        }
    }
}
