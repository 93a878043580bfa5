/// The index as a beat's answer showed it.
package struct IndexSnapshot: Sendable {
    /// Redis's clock at the beat, in milliseconds.
    package let now: Int64
    /// No incarnation above it had been given before.
    package let newest: Int64
    /// Every node that is not dead, those included that have not beaten for a lease.
    package let incarnations: [String: Int64]
    /// Those of them that say that they cannot command or hear.
    package let unable: Set<String>
    /// Whether this node may declare others dead: then what is missing here is dead, not merely late to come back.
    package let isSure: Bool
    /// The incarnation below which nobody may be taken for dead yet: they may be with the server that was before this one.
    package let spares: Int64
    /// How often connections of this node were marked to be closed.
    package let marks: Int64
    /// Redis's clock, as the beats have shown it.
    package let clock: ClockWatch

    package init(
        now: Int64 = 0, newest: Int64, incarnations: [String: Int64], unable: Set<String> = [], isSure: Bool,
        spares: Int64 = 0, marks: Int64 = 0, clock: ClockWatch = ClockWatch()
    ) {
        self.now = now
        self.newest = newest
        self.incarnations = incarnations
        self.isSure = isSure
        self.spares = spares
        self.marks = marks
        self.unable = unable
        self.clock = clock
    }

    package init(_ index: Beat.Index, isSure: Bool, spares: Int64, clock: ClockWatch) {
        var incarnations: [String: Int64] = [:]
        var unable: Set<String> = []
        for node in index.nodes {
            incarnations[node.name] = node.last.incarnation
            if node.ability == .unable { unable.insert(node.name) }
        }
        self.init(
            now: index.now, newest: index.newest, incarnations: incarnations, unable: unable, isSure: isSure,
            spares: spares, marks: index.marks, clock: clock)
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

    /// What a node says of itself.
    package func word(of node: String) -> Ability.Word { unable.contains(node) ? .unable : .able }

    /// Whether another node that is with this server says that it can do its part.
    package func isAnotherAble(than node: String) -> Bool {
        present.contains { $0.node != node && !unable.contains($0.node) }
    }

    /// Whether all that this holder left in a partition is to be swept.
    ///
    /// A node that is missing is dead unless it may be with another server, or has registered after this was read, which
    /// its incarnation tells: each is above all that were given before. An older incarnation of a living node goes
    /// once the node has said, by its fence, that it has registered all again: that is its own word, for which nobody
    /// needs the right to declare it dead. What was registered with another server waits for that right all the same: what
    /// a failover has lost may not be registered again yet, such as a newer connection of the same user on another node.
    package func mustSweep(_ holder: Holder, fence: Int64) -> Bool {
        guard holder.incarnation <= newest else { return false }
        guard let living = incarnations[holder.node] else { return isSure && holder.incarnation >= spares }
        guard holder.incarnation < living, holder.incarnation < fence else { return false }
        return isSure || holder.incarnation >= spares
    }
}
