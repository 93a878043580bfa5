import GatewayCore

/// A member's connections as `members` holds them: `connection`, the byte 1, `holder length info` each, the latest
/// joined last.
package enum PackedMember {
    /// Nil where the bytes are not what the scripts pack.
    package static func unpack(_ bytes: UnsafeRawBufferPointer, user: UserID) -> Member? {
        var fields = SpacedFields(bytes)
        var connections = 0
        var info: UnsafeRawBufferPointer?
        while !fields.rest.isEmpty {
            guard fields.word(before: 1) != nil, let holder = fields.word(), let length = fields.integer(),
                let latest = fields.take(Int(length))
            else { return nil }
            // One in its grace is held by nobody.
            if holder.first != UInt8(ascii: "~") { connections += 1 }
            info = latest
        }
        guard let info else { return nil }
        return Member(userId: user, info: [UInt8](info), connections: connections)
    }
}
