/// The index as a beat's answer showed it.
package struct IndexSnapshot: Sendable {
    /// Redis's clock at the beat, in milliseconds.
    package let now: Int64
    /// Every node that is not dead, lapsed ones included.
    package let incarnations: [String: Int64]
    /// Those of them that say that they cannot command or hear.
    package let unable: Set<String>
    /// When the next lease of another node that has not lapsed yet ends, by Redis's clock.
    package let earliestEnd: Int64?
    /// Whether this node may declare others dead: then what is missing here is dead, not merely late to come back.
    package let isSure: Bool
    /// The incarnation below which nobody may be taken for dead yet: they may be with the server that was before this one.
    package let spares: Int64
    /// How often connections of this node were marked to be closed.
    package let marks: Int64

    package init(
        now: Int64, incarnations: [String: Int64], unable: Set<String> = [], earliestEnd: Int64?, isSure: Bool,
        spares: Int64 = 0, marks: Int64 = 0
    ) {
        self.now = now
        self.spares = spares
        self.marks = marks
        self.incarnations = incarnations
        self.unable = unable
        self.earliestEnd = earliestEnd
        self.isSure = isSure
    }

    package init(_ index: Beat.Index, ownNode: String, isSure: Bool, spares: Int64) {
        var incarnations: [String: Int64] = [:]
        var unable: Set<String> = []
        var earliest: Int64?
        for node in index.nodes {
            incarnations[node.name] = node.incarnation
            if node.ability == .unable { unable.insert(node.name) }
            if node.name != ownNode, node.end >= index.now { earliest = min(earliest ?? node.end, node.end) }
        }
        self.init(
            now: index.now, incarnations: incarnations, unable: unable, earliestEnd: earliest, isSure: isSure,
            spares: spares, marks: index.marks)
    }

    /// The nodes that are with this server, under their present incarnations: one that may be with the server before it is
    /// not dead, and coordinates nothing here.
    package var present: [Holder] {
        incarnations.filter { $0.value >= spares }.map { Holder(node: $0.key, incarnation: $0.value) }
    }

    /// The nodes among which partitions are shared: of those present the able ones, or all where none is, since nobody
    /// would do it better then.
    package var coordinators: [Holder] {
        let able = present.filter { !unable.contains($0.node) }
        return able.isEmpty ? present : able
    }

    /// Whether all that this holder left in a partition is to be swept.
    ///
    /// A node that is missing is dead unless it may be with another server, or has registered after this was read, which
    /// its incarnation tells: that is never below the time of the registration. An older incarnation of a living node goes
    /// once the node has said, by its fence, that it has registered all again.
    package func mustSweep(_ holder: Holder, fence: Int64) -> Bool {
        guard isSure, holder.incarnation < now else { return false }
        guard let living = incarnations[holder.node] else { return holder.incarnation >= spares }
        return holder.incarnation < living && holder.incarnation < fence
    }
}
