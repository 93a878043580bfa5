import GatewayCore

/// The limit on handshakes that a node takes in a second, so that a flood of clients does not drown those it has.
///
/// Clients that come back to a session go first: a quarter of each second is theirs alone, since every moment that they
/// stay away makes more to catch up with.
package struct AcceptRate: Sendable {
    /// Handshakes a second; 0: no limit.
    var limit: Int
    private var secondBegan: MonotonicTime?
    private var accepted = 0

    package init(limit: Int) {
        self.limit = limit
    }

    /// Counts a handshake, unless it is one too many for this second.
    package mutating func accepts(isResuming: Bool, now: MonotonicTime) -> Bool {
        guard limit > 0 else { return true }
        if let began = secondBegan, now - began < .seconds(1) {
            guard accepted < (isResuming ? limit : limit - limit / 4) else { return false }
        } else {
            secondBegan = now
            accepted = 0
        }
        accepted += 1
        return true
    }
}
