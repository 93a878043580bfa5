import GatewayCore

extension ReadingRoles {
    /// As `rights.lua` has the roles: `;name=,right,right,` for each.
    init(spelled text: String) {
        self.init(
            text.split(separator: ";").map { role in
                let parts = role.split(separator: "=", maxSplits: 1)
                let rights = parts.last?.split(separator: ",").compactMap { RoomRight(rawValue: String($0)) }
                return RoleRights(
                    role: RoleName(unchecked: String(parts.first ?? "")), rights: parts.count == 2 ? rights ?? [] : [])
            })
    }
}
