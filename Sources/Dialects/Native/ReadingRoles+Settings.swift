import GatewayCore

extension ReadingRoles {
    /// As a room's settings, a JSON object that was checked when they were given, list the roles there.
    package init(settings: [UInt8]) {
        self.init(settings.withUnsafeBytes(ReadingRoles.roles))
    }

    private static func roles(in settings: UnsafeRawBufferPointer) -> [RoleRights] {
        var scanner = JSONScanner(settings)
        // What cannot be read names no role.
        guard let object = try? scanner.value(upTo: JSONScanner.maxTextDepth),
            let roles = object.fields()?.last(where: { $0.key.equals("roles") })?.value.fields()
        else { return [] }
        return roles.compactMap(role)
    }

    private static func role(_ field: (key: JSONString, value: JSONValue)) -> RoleRights? {
        guard let name = field.key.text.flatMap({ RoleName($0) }) else { return nil }
        let rights = field.value.elements() ?? []
        return RoleRights(role: name, rights: rights.compactMap { $0.string?.text.flatMap(RoomRight.init) })
    }
}
