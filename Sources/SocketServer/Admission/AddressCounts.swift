import GatewayCore

/// The number of sockets that each address holds, from the accept on; IPv6 is counted by its /64, loopback not at all.
///
/// An address that holds as many as it may is told so, a few of its sockets at a time; past those it gets no word.
package struct AddressCounts: Sendable {
    package enum Verdict: Hashable, Sendable {
        case admitted
        /// It is to hear that it is one too many; counted all the same, until it is closed.
        case refused
        /// There is no room to tell it so; it is not counted.
        case dropped
    }

    /// The way in which a socket was counted.
    package enum Standing: Hashable, Sendable {
        case uncounted, admitted, refused
    }

    private struct Count {
        var admitted: Int32 = 0
        var refused: Int32 = 0
    }

    /// So many sockets of one address may be on their way out at a time.
    package static let maxRefused = 16

    /// 0: no limit.
    var limit: Int
    private var counts: [IPAddress: Count] = [:]

    package init(limit: Int) {
        self.limit = limit
    }

    /// Whether sockets of this address count at all.
    package func counts(_ address: IPAddress) -> Bool { limit > 0 && !address.isLoopback }

    /// A socket of an address that counts.
    package mutating func open(_ address: IPAddress) -> Verdict {
        var count = counts[address.counted] ?? Count()
        let verdict: Verdict
        if count.admitted < limit {
            count.admitted += 1
            verdict = .admitted
        } else if count.refused < AddressCounts.maxRefused {
            count.refused += 1
            verdict = .refused
        } else {
            return .dropped
        }
        counts[address.counted] = count
        return verdict
    }

    /// - Parameter standing: what `open` answered.
    package mutating func close(_ address: IPAddress, _ standing: Standing) {
        guard var count = counts[address.counted] else { return }
        switch standing {
        case .uncounted: return
        case .admitted: count.admitted -= 1
        case .refused: count.refused -= 1
        }
        counts[address.counted] = count.admitted > 0 || count.refused > 0 ? count : nil
    }
}
