/// The process of Redis that answered, as one number: each has a seed of its own by which its hashes are in order.
package struct ServerMark: Hashable, Sendable {
    package let number: UInt32

    package init(number: UInt32) {
        self.number = number
    }

    /// - Parameter token: as scripts are told it: half of the `run_id`, a colon, and half of the history's name.
    package init(token: String) {
        // FNV-1a, 32 bits.
        number = token.prefix { $0 != ":" }.utf8.reduce(0x811c_9dc5) { ($0 ^ UInt32($1)) &* 0x0100_0193 }
    }
}
