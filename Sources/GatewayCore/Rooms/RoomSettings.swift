/// The settings of a governed room, as a backend has given them and all who are in the room are told them.
package struct RoomSettings: Hashable, Sendable {
    /// How the chair of a host who has gone is given on.
    package enum HostHandover: String, Hashable, Sendable, CaseIterable {
        case role, oldest, none
    }

    /// Those who are not in the room yet stay out.
    package var isLocked = false
    /// How many users may be in it; nil where nobody counts.
    package var maxMembers: Int?
    /// Seconds between two messages of one user; nil where there is no such rule.
    package var slowMode: Int?
    /// The roles that may; nil where the roles' own rights and the configuration's rule hold.
    package var join: [RoleName]?
    package var publish: [RoleName]?
    package var hostHandover: HostHandover?
    /// In the order in which they stand.
    package var roles: [RoleRights] = []
    /// A room in which nobody was for so long is forgotten; nil where it is kept.
    package var expires: Duration?
    /// All of it as JSON, `title` and `data` included, which bind nobody.
    package var text: [UInt8]

    /// Whether they can keep a user from joining.
    package var keepsOut: Bool { isLocked || maxMembers != nil || join != nil }

    package init(text: [UInt8] = Array("{}".utf8)) {
        self.text = text
    }
}

/// The name of a role: 1 to 64 characters of `A-Z a-z 0-9 _ -`.
package struct RoleName: Hashable, Sendable {
    package let string: String

    /// All rights, always.
    package static let host = RoleName(unchecked: "host")
    /// All rights but `settings`, unless the settings say otherwise.
    package static let moderator = RoleName(unchecked: "moderator")
    /// Whoever has been given no other.
    package static let member = RoleName(unchecked: "member")

    package init?(_ string: String) {
        let isNamed = string.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
                true
            default: false
            }
        }
        guard isNamed, (1...64).contains(string.utf8.count) else { return nil }
        self.string = string
    }

    /// For names that were checked when they were stored.
    package init(unchecked string: String) {
        self.string = string
    }
}

/// A right that a role can give in a room.
package enum RoomRight: String, Hashable, Sendable, CaseIterable {
    case join, publish, history, presence, signal, moderate, settings
}

/// What a role may do.
package struct RoleRights: Hashable, Sendable {
    package var role: RoleName
    package var rights: [RoomRight]

    package init(role: RoleName, rights: [RoomRight]) {
        self.role = role
        self.rights = rights
    }
}
