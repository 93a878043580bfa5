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
    /// Whole seconds since 1970 by Redis's clock.
    package static var time: Self { KeyCommand("TIME", of: Keys.indexSlot) { $0[0].integer } }
}
