import GatewayCore

/// The route to a receiver: which of its addresses is dialled, and when its name is looked up again.
package struct ReceiverRoute: Sendable {
    /// What a request does next.
    package enum Step: Hashable, Sendable {
        case dial(IPAddress)
        /// The same, and begin a look-up beside it.
        case dialAndLookUp(IPAddress)
        /// Begin a look-up, and wait for its end.
        case lookUp
        /// For the end of the one under way.
        case wait
    }

    /// A receiver that has moved is followed after this time, even where its old address goes on answering.
    private static let freshness = Duration.seconds(60)

    /// Those that may be dialled, in the order in which they are tried.
    private var addresses: [IPAddress] = []
    private var lookedUpAt: MonotonicTime?
    private var isLookingUp = false

    package init() {}

    /// The address to dial; nil until a look-up has found one.
    package var address: IPAddress? { addresses.first }

    package func mustLookUp(now: MonotonicTime) -> Bool {
        guard let lookedUpAt, !addresses.isEmpty else { return true }
        return now - lookedUpAt >= ReceiverRoute.freshness
    }

    /// For each request; no second look-up begins before the end of the one under way.
    package mutating func next(now: MonotonicTime) -> Step {
        let begins = mustLookUp(now: now) && !isLookingUp
        if begins { isLookingUp = true }
        guard let address else { return begins ? .lookUp : .wait }
        return begins ? .dialAndLookUp(address) : .dial(address)
    }

    /// The name leads to these, one at least: an address that answers is kept as long as it is among them.
    package mutating func found(_ found: [IPAddress], now: MonotonicTime) {
        isLookingUp = false
        lookedUpAt = now
        if let address, found.contains(address) {
            addresses = [address] + found.filter { $0 != address }
        } else {
            addresses = found
        }
    }

    /// The look-up failed; what is known stays for a while.
    package mutating func foundNothing(now: MonotonicTime) {
        isLookingUp = false
        lookedUpAt = now
    }

    /// The name leads to nothing that may be dialled: what was known counts no longer.
    package mutating func foundForbidden() {
        self = ReceiverRoute()
    }

    /// No connection came about there: the next one is tried; the last one stays, and the name is looked up beside it.
    package mutating func failed(_ address: IPAddress) {
        guard address == self.address else { return }
        if addresses.count > 1 { addresses.removeFirst() } else { lookedUpAt = nil }
    }
}
