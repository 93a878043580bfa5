import GatewayCore

/// The right of this node to write, and what it knows of the Redis behind a partition.
///
/// The right is the node's as a whole, since its beat is one; links are by partition, since each may have a server of its
/// own.
struct NodeStanding {
    private enum Standing {
        /// It is not in the index, or its incarnation is dead somewhere.
        case away
        case present(Presence)
    }

    private struct Presence {
        let holder: Holder
        /// When the last answered beat went out.
        var beaten: MonotonicTime
        /// When the node heard of it: later, where its loop was held up.
        var heard: MonotonicTime
        /// Partitions that have this incarnation among their holders, as an answer over the present link said. What
        /// could take it from there breaks the link or gives the node another incarnation, and a comparison looks for
        /// it too.
        var announced = PartitionSet.none
    }

    private var standing = Standing.away
    /// When the last answered beat went out, under whatever incarnation; nil before the first.
    private var spoken: MonotonicTime?
    /// Under which incarnation all of a partition was registered last.
    private var settled: [Partition: Int64] = [:]
    /// Partitions whose calls go straight out.
    private(set) var linked = PartitionSet.none
    /// Whether only a partition's fence says that the node was taken for dead there. Of a Cluster: what has the index may be
    /// away, or stand and answer no beat, while other partitions serve.
    let goesByFences: Bool

    init(goesByFences: Bool) {
        self.goesByFences = goesByFences
    }

    /// Under which incarnation the node is in the index.
    var holder: Holder? {
        switch standing {
        case .away: nil
        case .present(let presence): presence.holder
        }
    }

    /// Answers for how long nobody had beaten.
    mutating func registered(_ holder: Holder, sent: MonotonicTime, now: MonotonicTime) -> Duration {
        defer { spoken = sent }
        standing = .present(Presence(holder: holder, beaten: sent, heard: now))
        return spoken.map { sent - $0 } ?? .zero
    }

    /// Answers for how long nobody had beaten, or heard of it.
    mutating func beaten(sent: MonotonicTime, now: MonotonicTime) -> Duration {
        guard case .present(var presence) = standing else { return .zero }
        let silence = max(sent - presence.beaten, now - presence.heard)
        (presence.beaten, presence.heard, spoken) = (sent, now, sent)
        standing = .present(presence)
        return silence
    }

    mutating func lost() { standing = .away }

    mutating func linked(_ partitions: PartitionSet) { linked.formUnion(partitions) }

    mutating func linkLost(_ partitions: PartitionSet) {
        linked.subtract(partitions)
        guard case .present(var presence) = standing else { return }
        presence.announced.subtract(partitions)
        standing = .present(presence)
    }

    /// Who may write; nil while the node may have been taken for dead.
    func writer(now: MonotonicTime, lease: Duration) -> Holder? {
        guard case .present(let presence) = standing, goesByFences || now - presence.beaten < lease else { return nil }
        return presence.holder
    }

    /// A script has put this holder among a partition's, or found it there.
    mutating func announced(_ writer: Holder, in partition: Partition) {
        guard case .present(var presence) = standing, presence.holder == writer else { return }
        presence.announced.insert(partition)
        standing = .present(presence)
    }

    /// All of a partition is registered under this holder.
    mutating func settled(_ holder: Holder, in partition: Partition) { settled[partition] = holder.incarnation }

    func settled(in partition: Partition) -> Int64? { settled[partition] }

    func isAnnounced(in partition: Partition) -> Bool {
        switch standing {
        case .away: false
        case .present(let presence): presence.announced.contains(partition)
        }
    }
}
