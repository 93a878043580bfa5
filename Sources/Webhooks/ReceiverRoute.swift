import GatewayCore

/// The route to a receiver: which of its addresses is dialled, and when its name is looked up again.
package struct ReceiverRoute: Sendable {
    /// A receiver that has moved is followed after this time, even where its old address goes on answering.
    private static let freshness = Duration.seconds(60)

    /// Those that may be dialled, in the order in which they are tried.
    private var addresses: [IPAddress] = []
    private var lookedUpAt: MonotonicTime?

    package init() {}

    /// The address to dial; nil until a look-up has found one.
    package var address: IPAddress? { addresses.first }

    package func mustLookUp(now: MonotonicTime) -> Bool {
        guard let lookedUpAt, !addresses.isEmpty else { return true }
        return now - lookedUpAt >= ReceiverRoute.freshness
    }

    /// The name leads to these, one at least: an address that answers is kept as long as it is among them.
    package mutating func found(_ found: [IPAddress], now: MonotonicTime) {
        lookedUpAt = now
        if let address, found.contains(address) {
            addresses = [address] + found.filter { $0 != address }
        } else {
            addresses = found
        }
    }

    /// The look-up failed; what is known stays for a while.
    package mutating func foundNothing(now: MonotonicTime) {
        lookedUpAt = now
    }

    /// Nobody answered there: the next one is tried, and after the last the name is looked up.
    package mutating func failed(_ address: IPAddress) {
        guard address == self.address else { return }
        addresses.removeFirst()
    }
}
