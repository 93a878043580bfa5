import RedisClient

/// A part of what a server says of itself.
package enum InfoSection: String, Sendable {
    case server, memory, replication
}

extension KeyCommand where Answer == String {
    /// Lines of `field:value`, see `infoField`.
    ///
    /// - Parameter slot: of whichever server has it.
    package static func info(_ section: InfoSection, of slot: KeySlot = Keys.indexSlot) -> Self {
        KeyCommand("INFO", section: section.rawValue, of: slot) { $0.string }
    }
}

extension KeyCommand where Answer == Int64 {
    /// Whole seconds since 1970 by the clock of the server that has a slot.
    package static func time(of slot: KeySlot) -> Self {
        KeyCommand("TIME", of: slot) { $0[0].integer }
    }
}
