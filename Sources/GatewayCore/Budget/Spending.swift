/// The resources that something took, or is about to take: the one measure of all that is done for clients.
package struct Spending: Hashable, Sendable {
    /// As they came over the wire.
    package var bytesIn = 0
    /// To others: each payload as often as it has receivers.
    package var bytesOut = 0
    /// Of Redis's one thread.
    package var redisNanoseconds = 0
    /// Of this node's cores.
    package var processorNanoseconds = 0
    /// That Redis keeps for long.
    package var storedBytes = 0

    package init(
        bytesIn: Int = 0, bytesOut: Int = 0, redisNanoseconds: Int = 0, processorNanoseconds: Int = 0,
        storedBytes: Int = 0
    ) {
        self.bytesIn = bytesIn
        self.bytesOut = bytesOut
        self.redisNanoseconds = redisNanoseconds
        self.processorNanoseconds = processorNanoseconds
        self.storedBytes = storedBytes
    }

    /// What it counts as, in nanoseconds of one core, whichever core that is.
    ///
    /// A byte to others is one: what the system takes to send it, and a gigabyte a second is what a network gives.
    package var price: Int { bytesOut + redisNanoseconds + processorNanoseconds }

    package static func + (left: Spending, right: Spending) -> Spending {
        Spending(
            bytesIn: left.bytesIn + right.bytesIn, bytesOut: left.bytesOut + right.bytesOut,
            redisNanoseconds: left.redisNanoseconds + right.redisNanoseconds,
            processorNanoseconds: left.processorNanoseconds + right.processorNanoseconds,
            storedBytes: left.storedBytes + right.storedBytes)
    }

    package static func += (left: inout Spending, right: Spending) { left = left + right }
}
