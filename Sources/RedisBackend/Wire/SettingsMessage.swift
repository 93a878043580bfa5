import GatewayCore

/// A change in a governed room as it comes over the room's channel: `o version` and
/// - `u life text`: settings
/// - `c 0 `: the room was closed
/// - `r length user role` and `h length user role`: the user's role, the second with the host's chair
/// - `m until user`: the user is mute until then in ms, 0 without end; `n 0 user`: no more
package struct SettingsMessage {
    package enum Change: Hashable, Sendable {
        case settings(RoomState)
        case person(RoomPerson)
    }

    package let version: Int64
    package let change: Change

    package static func isOne(_ bytes: UnsafeRawBufferPointer) -> Bool {
        bytes.count > 1 && bytes[0] == UInt8(ascii: "o") && bytes[1] == UInt8(ascii: " ")
    }

    /// Nil where the bytes are not what the scripts send.
    package init?(_ bytes: UnsafeRawBufferPointer) {
        var fields = SpacedFields(bytes)
        guard let kind = fields.word(), kind.elementsEqual("o".utf8), let version = fields.integer(),
            let change = fields.word(), let number = fields.integer()
        else { return nil }
        self.version = version
        let name = String(decoding: change, as: UTF8.self)
        switch name {
        case "u":
            self.change = .settings(
                RoomState(
                    version: version, settings: [UInt8](fields.rest),
                    expires: number > 0 ? .milliseconds(number) : nil))
        case "c": self.change = .settings(.closed(at: version))
        case "r", "h":
            guard let user = fields.text(number) else { return nil }
            let role = RoleName(unchecked: String(decoding: fields.rest, as: UTF8.self))
            self.change = .person(
                RoomPerson(user: UserID(unchecked: user), change: name == "h" ? .host : .role(role)))
        case "m", "n":
            let user = UserID(unchecked: String(decoding: fields.rest, as: UTF8.self))
            let change = name == "n" ? RoomPerson.Change.unmuted : .muted(until: number > 0 ? number : nil)
            self.change = .person(RoomPerson(user: user, change: change))
        default: return nil
        }
    }
}
