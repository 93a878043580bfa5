import Dialects
import GatewayCore

/// What users may read of one room by its settings. Pure.
struct RoomOutlook {
    /// Nil where there are none.
    private(set) var settings: RoomState?
    /// Nil where every role may read everything.
    private(set) var readingRoles: ReadingRoles?

    /// These settings hold from here on; most are told again and again.
    mutating func govern(by state: RoomState?) {
        guard state !== settings else { return }
        if state?.settings != settings?.settings {
            let roles = state.map { ReadingRoles(settings: $0.settings) }
            readingRoles = roles?.isEmpty == false ? roles : nil
        }
        settings = state
    }

    func role(of user: UserID) -> RoleName { settings?.role(of: user) ?? .member }

    /// What a user may read; nil where the room is not governed.
    func reading(by user: UserID?) -> RoomReading? {
        guard let settings else { return nil }
        let role = settings.role(of: user)
        return readingRoles?.reading(as: role) ?? RoomReading(role: role)
    }

    /// Whether the user's role may know who is there.
    func showsPresence(to user: UserID?) -> Bool {
        guard let readingRoles, let settings else { return true }
        return !readingRoles.withoutPresence.contains(settings.role(of: user))
    }
}
