/// The purpose of a channel, read from its name without copying; `Keys` spells them.
enum ChannelName {
    case room(UnsafeRawBufferPointer)
    case everyone
    case node
    /// Of this user.
    case status(UnsafeRawBufferPointer)

    private static let roomStart = Array("room:".utf8)
    private static let allStart = Array("all".utf8)
    private static let nodeStart = Array("node:".utf8)
    private static let statusStart = Array("status:".utf8)

    /// - Parameter prefixLength: bytes of `Keys.channelPrefix`.
    init?(_ channel: UnsafeRawBufferPointer, prefixLength: Int) {
        // Behind the prefix comes a tag of two letters, such as `:{mm}:`.
        let tagEnd = prefixLength + 4
        guard channel.count > tagEnd + 2, channel[tagEnd] == UInt8(ascii: "}") else { return nil }
        let rest = UnsafeRawBufferPointer(rebasing: channel[(tagEnd + 2)...])
        func behind(_ start: [UInt8]) -> UnsafeRawBufferPointer? {
            rest.starts(with: start) ? UnsafeRawBufferPointer(rebasing: rest[start.count...]) : nil
        }
        if let name = behind(ChannelName.roomStart) {
            self = .room(name)
        } else if rest.elementsEqual(ChannelName.allStart) {
            self = .everyone
        } else if rest.starts(with: ChannelName.nodeStart) {
            self = .node
        } else if let user = behind(ChannelName.statusStart) {
            self = .status(user)
        } else {
            return nil
        }
    }
}
