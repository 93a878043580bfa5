/// The ways in which a release spells what it keeps in Redis: it writes the way that its number `writes` names or any older one
/// down to `reads`, and reads all of these.
///
/// Nodes of two releases share a deployment where each reads what the other writes: it bears what all write just now, and
/// each entry of the index what its node knows. Whoever changes how a key, a record or a message is spelled raises
/// `writes`, and goes on writing as before while the deployment bears a lower number.
package struct Format: Hashable, Sendable {
    package let writes: Int
    package let reads: Int

    /// This release's. Before 2 nothing bore a number.
    ///
    /// Of 3 are the settings of rooms: `Lua/govern.lua`.
    package static let own = Format(writes: 3, reads: 2)

    package init(writes: Int, reads: Int) {
        self.writes = writes
        self.reads = reads
    }

    /// The deployment as a node finds it when it comes.
    package struct Found: Hashable, Sendable {
        /// How many partitions there are, and how tagged; nil where that is not said.
        package var partitions: String?
        /// What the deployment bears: what all write, and the oldest that may lie there. Nil where it bears nothing.
        package var borne: Format?
        /// What each node of the index knows; nil for one of a release that bears nothing.
        package var nodes: [Format?]

        package init(partitions: String? = nil, borne: Format? = nil, nodes: [Format?] = []) {
            self.partitions = partitions
            self.borne = borne
            self.nodes = nodes
        }
    }

    package enum Verdict: Hashable, Sendable {
        /// The node may come; the deployment bears this from then on.
        case join(Format)
        case refuse(Refusal)
    }

    /// The reason why a node must not come.
    package enum Refusal: Hashable, Sendable {
        /// All that lies there is of a release that bore no number.
        case unnumbered
        /// Records may be spelled this way, older than the node reads.
        case older(Int)
        /// Records are, or will be, spelled this way, newer than the node reads.
        case newer(Int)
        /// There is another number of partitions, or they are tagged otherwise.
        case partitions(String)
    }

    /// Whether a node of this release may come to a deployment.
    ///
    /// - Parameter last: what the node wrote before, where it was there already: when Redis has lost all, those that are
    ///   older than it come again as well.
    package func verdict(on found: Found, having last: Int? = nil) -> Verdict {
        if let borne = found.borne {
            if let stored = found.partitions, stored != Partition.layout { return .refuse(.partitions(stored)) }
            if borne.reads < reads { return .refuse(.older(borne.reads)) }
            if let newer = refusal(of: borne.writes) { return .refuse(newer) }
            return .join(borne)
        }
        let known = found.nodes.compactMap { $0 }
        if known.count < found.nodes.count { return .refuse(.unnumbered) }
        if let stored = found.partitions, stored != Partition.layout { return .refuse(.unnumbered) }
        let lowest = known.map(\.writes).reduce(min(writes, last ?? writes), min)
        if let newest = known.map(\.reads).max(), newest > lowest { return .refuse(.newer(newest)) }
        return refusal(of: lowest).map { .refuse($0) } ?? .join(Format(writes: lowest, reads: lowest))
    }

    /// Why a node of this release cannot go on where all write so; nil where it can.
    package func refusal(of written: Int) -> Refusal? {
        if written > writes { .newer(written) } else if written < reads { .older(written) } else { nil }
    }
}

extension Format {
    /// As an entry of the index has it: `format=2 reads=2`.
    package var text: String { "format=\(writes) reads=\(reads)" }

    /// Nil where the text is not what `text` spells.
    package init?(_ text: some StringProtocol) {
        guard let found = String(text).wholeMatch(of: /format=(\d{1,9}) reads=(\d{1,9})/), let writes = Int(found.1),
            let reads = Int(found.2)
        else { return nil }
        self.init(writes: writes, reads: reads)
    }
}

extension Format.Refusal: CustomStringConvertible {
    /// What lies there and what an operator may do.
    package var description: String {
        let own = Format.own
        let read = own.reads == own.writes ? "format \(own.writes)" : "formats \(own.reads) to \(own.writes)"
        return switch self {
        case .unnumbered:
            """
            what lies there was written by an earlier release, in a format that this one does not read; \
            give all nodes of this release a fresh redis.prefix
            """
        case .older(let found):
            """
            what lies there is in format \(found) and this release reads \(read); update by way of a release that reads \
            both, or use a fresh redis.prefix
            """
        case .newer(let found):
            """
            what lies there is in format \(found), of a later release, and this one reads \(read); \
            run a release that reads it, or use another redis.prefix
            """
        case .partitions(let stored):
            "there are \(stored) partitions and this release has \(Partition.layout); use another redis.prefix"
        }
    }
}
