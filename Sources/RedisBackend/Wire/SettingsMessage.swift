import GatewayCore

/// A change of a room's settings as it comes over the room's channel: `o version u life text`, or `o version c 0 ` where the
/// room was closed.
package struct SettingsMessage {
    package let state: RoomState

    package static func isOne(_ bytes: UnsafeRawBufferPointer) -> Bool {
        bytes.count > 1 && bytes[0] == UInt8(ascii: "o") && bytes[1] == UInt8(ascii: " ")
    }

    /// Nil where the bytes are not what `govern` sends.
    package init?(_ bytes: UnsafeRawBufferPointer) {
        var fields = SpacedFields(bytes)
        guard let kind = fields.word(), kind.elementsEqual("o".utf8), let version = fields.integer(),
            let change = fields.word(), let life = fields.integer()
        else { return nil }
        switch String(decoding: change, as: UTF8.self) {
        case "u":
            state = RoomState(
                version: version, settings: [UInt8](fields.rest), expires: life > 0 ? .milliseconds(life) : nil)
        case "c": state = .closed(at: version)
        default: return nil
        }
    }
}
