/// A range of addresses that is kept out for a while.
package struct AddressBan: Hashable, Sendable {
    package var range: AddressRange
    /// Milliseconds since 1970 by the store's clock.
    package var until: Int64
    /// For people; may be empty.
    package var reason: String

    package init(range: AddressRange, until: Int64, reason: String) {
        self.range = range
        self.until = until
        self.reason = reason
    }
}

/// The reason why a range was not banned.
package enum AddressBanError: Error, Hashable, Sendable {
    /// There are as many bans as there may be.
    case full
    case backend(BackendError)
}

/// The store of addresses that are kept out of all nodes: each node hears of a change within two seconds, and one that
/// is cut off goes by what it last heard.
package protocol AddressBans: Sendable {
    /// A ban of the same range is replaced. From now on, for so many seconds.
    func ban(_ range: AddressRange, seconds: Int, reason: String) async throws(AddressBanError) -> AddressBan

    /// False where that very range is not banned; wider and narrower ones are others.
    func lift(_ range: AddressRange) async throws(BackendError) -> Bool

    /// Those that hold, in no order.
    func bans() async throws(BackendError) -> [AddressBan]
}
