/// The bounds on the connections that the api port holds and on the requests it serves at once, and the choice of who
/// gives way.
///
/// A connection at rest (no request under way) costs little and can be had again, so the one that rests longest gives way
/// to a new one where all places are taken. A part of the places is never held by requests other than probes, so that
/// whoever asks whether the node lives always finds one.
package struct ConnectionSlots: Sendable {
    package struct ID: Hashable, Sendable {
        fileprivate let number: UInt64
    }

    package struct Opening: Hashable, Sendable {
        /// Nil where there is no place at all: every connection serves a request.
        package let id: ID?
        /// Whoever is to be closed in its favour.
        package let givesWay: ID?
    }

    private enum Standing {
        /// Since when, as a number that grows.
        case resting(UInt64)
        case serving
        case probing
    }

    private let places: Int
    private let maxRequests: Int
    private var standings: [ID: Standing] = [:]
    private var requests = 0
    private var lastNumber: UInt64 = 0

    /// - Parameter places: connections at once; a tenth of them, one at least, is kept for probes.
    package init(places: Int) {
        self.places = max(2, places)
        maxRequests = self.places - max(1, self.places / 10)
    }

    package var count: Int { standings.count }

    package mutating func opened() -> Opening {
        var leaving: ID?
        if standings.count >= places {
            leaving = longestAtRest
            guard let leaving else { return Opening(id: nil, givesWay: nil) }
            standings[leaving] = nil
        }
        let id = ID(number: number())
        standings[id] = .resting(id.number)
        return Opening(id: id, givesWay: leaving)
    }

    /// A request's head is here. False where it is not to be served: there are too many, or the connection has been told
    /// to give way meanwhile.
    package mutating func begins(_ id: ID, isProbe: Bool) -> Bool {
        guard case .resting = standings[id] else { return false }
        if isProbe {
            standings[id] = .probing
            return true
        }
        guard requests < maxRequests else { return false }
        requests += 1
        standings[id] = .serving
        return true
    }

    /// The answer is written.
    package mutating func rests(_ id: ID) {
        switch standings[id] {
        case .serving: requests -= 1
        case .probing: break
        case .resting, nil: return
        }
        standings[id] = .resting(number())
    }

    package mutating func closed(_ id: ID) {
        if case .serving = standings.removeValue(forKey: id) { requests -= 1 }
    }

    /// Looks at all of them: that is done only where every place is taken, and there are about a thousand.
    private var longestAtRest: ID? {
        var longest: (id: ID, since: UInt64)?
        for (id, standing) in standings {
            guard case .resting(let since) = standing, since < longest?.since ?? .max else { continue }
            longest = (id, since)
        }
        return longest?.id
    }

    private mutating func number() -> UInt64 {
        lastNumber += 1
        return lastNumber
    }
}
