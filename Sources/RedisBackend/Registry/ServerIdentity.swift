import RedisClient

/// The check that a node's links to one server all lead to the same data; else what is said over one is not what is
/// heard over another, as after a failover that some of them have missed.
///
/// Whichever was greeted last counts: links that lead elsewhere are made anew until all agree.
package struct ServerIdentity: Sendable {
    package enum Link: Hashable, Sendable, CaseIterable {
        case commands, replicated, beats, coordination, subscriptions
    }

    /// A link that is to be made anew if it still leads to this server.
    package struct Departure: Hashable, Sendable {
        package let link: Link
        package let server: ServerID

        package init(_ link: Link, from server: ServerID) {
            self.link = link
            self.server = server
        }
    }

    /// The reason why the links cannot be relied on together.
    package enum Trouble: Hashable, Sendable {
        case apart
        /// Where a link leads now is none that can serve, as it says.
        case unfit(reason: String)
    }

    /// Where the links lead that stand.
    private var servers: [Link: ServerID] = [:]
    /// What is known not to be there any more under this name, though links to it stand.
    private var former: ServerID?
    /// Links that found what cannot serve, and have not stood since.
    private var unfit: [Link: String] = [:]

    package init() {}

    /// Whether all links that stand lead to one server, which is still what it was.
    package var isOne: Bool {
        let known = Set(servers.values)
        return known.count <= 1 && (former.map { !known.contains($0) } ?? true)
    }

    package var trouble: Trouble? {
        if !isOne { return .apart }
        return Link.allCases.lazy.compactMap { unfit[$0] }.first.map { .unfit(reason: $0) }
    }

    /// A connection was greeted.
    package mutating func stands(_ link: Link, on server: ServerID) -> [Departure] {
        if former == server { former = nil }
        unfit[link] = nil
        servers[link] = server
        return departures { $0 != server }
    }

    /// A connection is gone.
    package mutating func fell(_ link: Link) {
        servers[link] = nil
    }

    /// A connection led to a replica, say. The other links stay: it may be the only one that was led astray.
    package mutating func foundUnfit(_ link: Link, reason: String) {
        fell(link)
        unfit[link] = reason
    }

    /// The server at the other end of a link said that it is another by now, though the connection never broke: it was
    /// demoted, and promoted again with what it had been given meanwhile.
    package mutating func changed(under link: Link) -> [Departure] {
        guard let server = servers[link] else { return [] }
        former = server
        return departures { $0 == server }
    }

    private func departures(_ mustLeave: (ServerID) -> Bool) -> [Departure] {
        Link.allCases.compactMap { link in
            servers[link].flatMap { mustLeave($0) ? Departure(link, from: $0) : nil }
        }
    }
}
