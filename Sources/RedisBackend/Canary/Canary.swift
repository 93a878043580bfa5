import GatewayCore

/// A probe of the way from a publish to its subscription on one server: a message that a node sends to itself each
/// interval, and that must be back within two.
///
/// An answered ping says that a connection stands, not that it brings anything. One for each server. Time counts while
/// the node is awake: between two calls of `ticked` no more than two ticks go by, however late the second comes, since
/// what a node that slept has not read yet is not Redis's doing.
package struct Canary: Sendable {
    package enum Action: Hashable, Sendable {
        /// To be published on the node's own channel.
        case send(Int)
        /// The first that did not come back in time, or was refused.
        case fellSilent
        /// What was published did not come: the subscription link is to be given up and made anew.
        case renewSubscriptions
        /// The first that came back again.
        case cameBack
    }

    package enum Standing: Hashable, Sendable {
        /// One came back since the links stand, or a link is away, which is told by itself.
        case well
        /// None has come back since the links stand.
        case awaited
        case silent
        /// Redis does not let it be sent.
        case refused(reason: String)
    }

    private struct Flight {
        let number: Int
        let began: Duration
        /// Redis has said so.
        var isPublished = false
    }

    private struct Way {
        var flights: [Flight] = []
        var next: Duration
        /// One came back over it.
        var isProven = false
    }

    private enum Trouble {
        case silence
        case refusal(reason: String)
    }

    private let interval: Duration
    /// Nil while a link is away.
    private var way: Way?
    /// Until one comes back, whatever links are made anew meanwhile.
    private var trouble: Trouble?
    private var number = 0
    private var awake = Duration.zero
    private var lastTick: MonotonicTime?
    private var lastReturn = Duration.zero

    package init(interval: Duration) {
        self.interval = interval
    }

    /// How often `ticked` is to be called.
    package var tick: Duration { interval / 5 }

    /// Since when none came back, while the node was awake.
    package var age: Duration { awake - lastReturn }

    package var standing: Standing {
        switch trouble {
        case .silence: return .silent
        case .refusal(let reason): return .refused(reason: reason)
        case nil: break
        }
        guard let way else { return .well }
        return way.isProven ? .well : .awaited
    }

    /// Commands go out, and all subscriptions are confirmed.
    package mutating func linked() -> [Action] {
        guard way == nil else { return [] }
        way = Way(next: awake)
        return send()
    }

    /// A link is away: what was under way is owed by nobody.
    package mutating func linkLost() { way = nil }

    /// Redis has published it, and heard or not, it is to come.
    package mutating func sent(_ number: Int) {
        guard let index = way?.flights.firstIndex(where: { $0.number == number }) else { return }
        way?.flights[index].isPublished = true
    }

    /// Redis does not let it be published.
    package mutating func refused(_ number: Int, reason: String) -> [Action] {
        guard let index = way?.flights.firstIndex(where: { $0.number == number }) else { return [] }
        way?.flights.remove(at: index)
        return meet(.refusal(reason: reason))
    }

    /// It came over the subscriptions; what was sent before it came earlier or is lost, and is not waited for.
    package mutating func returned(_ number: Int) -> [Action] {
        guard way?.flights.contains(where: { $0.number == number }) == true else { return [] }
        way?.flights.removeAll { $0.number <= number }
        way?.isProven = true
        lastReturn = awake
        defer { trouble = nil }
        switch trouble {
        case .silence, .refusal: return [.cameBack]
        case nil: return []
        }
    }

    /// Called each ``tick``, or as soon after as the node comes to it.
    package mutating func ticked(now: MonotonicTime) -> [Action] {
        if let lastTick { awake += min(now - lastTick, tick * 2) }
        lastTick = now
        return judge() + send()
    }

    private mutating func judge() -> [Action] {
        guard let way, let first = way.flights.first, awake - first.began >= interval * 2 else { return [] }
        // What Redis has not even answered is the command link's to tell.
        let isLost = way.flights.contains { $0.isPublished && awake - $0.began >= interval * 2 }
        self.way?.flights.removeAll { awake - $0.began >= interval * 2 }
        return meet(.silence) + (isLost ? [.renewSubscriptions] : [])
    }

    private mutating func meet(_ trouble: Trouble) -> [Action] {
        defer { self.trouble = trouble }
        switch self.trouble {
        case nil: return [.fellSilent]
        case .silence, .refusal: return []
        }
    }

    private mutating func send() -> [Action] {
        guard let next = way?.next, awake >= next else { return [] }
        number += 1
        way?.flights.append(Flight(number: number, began: awake))
        way?.next = awake + interval
        return [.send(number)]
    }
}
