import GatewayCore

/// The bound on how much of what a connection missed is held for it at a time, of all its rooms together. Pure.
package struct CatchUpShares {
    /// Of the frames that wait in one client's socket; a part is sent when the one before has left.
    package let partBytes: Int
    /// Of the missed messages held and asked for, for all listeners of one connection.
    package let maxMissedBytes: Int

    /// Listeners that a share leaves something for at most.
    private static let mostListeners = 8

    /// - Parameters:
    ///   - queuedBytes: what may wait in one socket.
    ///   - isOverdrawn: whether the node holds too much as it is.
    package init(queuedBytes: Int, isOverdrawn: Bool) {
        partBytes = queuedBytes / (isOverdrawn ? 16 : 4)
        maxMissedBytes = queuedBytes / (isOverdrawn ? 8 : 2)
    }

    /// A share of what may still be asked for, that leaves something for others; nothing where it would not be worth it.
    ///
    /// - Parameters:
    ///   - heldBytes: of what is held or asked for already.
    ///   - listeners: that want something, this one included.
    package func share(heldBytes: Int, among listeners: Int) -> Portion {
        let bytes = (maxMissedBytes - heldBytes) / max(1, min(listeners, CatchUpShares.mostListeners))
        return bytes < maxMissedBytes / 64 ? .none : Portion(bytes: bytes)
    }

    /// How much a new listener with a position may be answered at once: others may come.
    package func firstShare(heldBytes: Int) -> Portion {
        share(heldBytes: heldBytes, among: CatchUpShares.mostListeners)
    }

    /// What the next listener in the queue asks for; nil where it has to wait until something of what is held has left.
    ///
    /// - Parameter needsRoom: whether its next message did not fit into the last answer: it asks alone.
    package func nextShare(heldBytes: Int, among listeners: Int, needsRoom: Bool) -> Portion? {
        let isAlone = heldBytes == 0
        guard isAlone || !needsRoom else { return nil }
        var portion = share(heldBytes: heldBytes, among: listeners)
        portion.atLeastOne = isAlone
        return portion.isNone ? nil : portion
    }
}
