import GatewayCore

/// A member as `members` holds it: what is shown of the user, then for each connection the byte 2, its name, the byte 1 and
/// its holder, the latest joined last. No JSON text holds such bytes.
package enum PackedMember {
    /// Nil where the bytes are not what the scripts pack.
    package static func unpack(_ bytes: UnsafeRawBufferPointer, user: UserID) -> Member? {
        let parts = bytes.split(separator: 2, omittingEmptySubsequences: false)
        guard parts.count > 1 else { return nil }
        var connections = 0
        for part in parts.dropFirst() {
            guard let end = part.firstIndex(of: 1), let first = part[(end + 1)...].first else { return nil }
            // One in its grace is held by nobody.
            if first != UInt8(ascii: "~") { connections += 1 }
        }
        return Member(userId: user, info: [UInt8](parts[0]), connections: connections)
    }
}
