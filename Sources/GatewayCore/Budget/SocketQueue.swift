/// The queue of what waits for one client to read it, from the moment that something does until all has been taken.
package struct SocketQueue: Sendable {
    /// The result of a look at a socket.
    package struct Look: Sendable {
        /// Bytes that wait in the node.
        package var queuedBytes: Int
        /// Bytes that the system holds and the peer has not taken.
        package var systemBytes: Int
        /// All that the peer has ever taken; nil where the system does not tell.
        package var takenBytes: UInt64?

        package init(queuedBytes: Int, systemBytes: Int = 0, takenBytes: UInt64? = nil) {
            self.queuedBytes = queuedBytes
            self.systemBytes = systemBytes
            self.takenBytes = takenBytes
        }
    }

    package enum Verdict: Hashable, Sendable {
        /// Nothing waits any more.
        case drained
        case waiting
        /// Bytes have waited for so long that the client is to be closed, and it has taken none.
        case tookNothing
    }

    /// How long a client may leave untaken what waits for it.
    package static let patience = Duration.seconds(30)
    /// A few pings and pongs of the gateway's own; who is silent altogether is found by the heartbeat.
    package static let idleBytes = 16

    package private(set) var queuedBytes = 0
    private var systemBytes = 0
    private var takenBytes: UInt64?
    /// When the client last took something, or began to let it wait.
    private var takenAt: MonotonicTime
    /// The least that has waited since the connection is fed from the log; nil while it is sent all as it comes.
    private var leastBytes: Int?

    package init(now: MonotonicTime) {
        takenAt = now
    }

    package var isFedFromLog: Bool { leastBytes != nil }

    /// What comes in rooms waits in the log from here on: only answers and the like are still added to what waits now.
    package mutating func feedsFromLog(waiting bytes: Int) {
        queuedBytes = bytes
        leastBytes = bytes
    }

    /// At least one room sends all as it comes again. Where more than this waits all the same, answers and the like do, and
    /// go on being counted.
    package mutating func goesLive(below bytes: Int) {
        if queuedBytes <= bytes { leastBytes = nil }
    }

    /// So many bytes wait in the node after a flush; answers whether answers and the like alone are more than may wait.
    package mutating func queued(_ bytes: Int, limit: Int) -> Bool {
        queuedBytes = bytes
        guard let least = leastBytes else { return false }
        leastBytes = min(least, bytes)
        return bytes - min(least, bytes) > limit
    }

    package mutating func looked(_ look: Look, now: MonotonicTime) -> Verdict {
        let isTaken: Bool
        if let taken = look.takenBytes, let before = takenBytes {
            isTaken = taken != before
        } else {
            isTaken = look.queuedBytes + look.systemBytes < queuedBytes + systemBytes
        }
        queuedBytes = look.queuedBytes
        systemBytes = look.systemBytes
        takenBytes = look.takenBytes
        if let least = leastBytes { leastBytes = min(least, queuedBytes) }
        guard queuedBytes + systemBytes > SocketQueue.idleBytes else { return .drained }
        if isTaken { takenAt = now }
        return now - takenAt >= SocketQueue.patience ? .tookNothing : .waiting
    }
}
