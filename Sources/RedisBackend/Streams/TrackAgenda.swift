import GatewayCore

/// The tracks that time has to be looked at for, and those to be compared with their heads.
struct TrackAgenda {
    private var pending: [ObjectIdentifier: Track] = [:]
    private var uncompared: [Track] = []

    var isEmpty: Bool { pending.isEmpty && uncompared.isEmpty }

    /// Those with something under way.
    var all: [Track] { Array(pending.values) }

    /// Those of them that a tick has to look at.
    func due(now: MonotonicTime) -> [Track] {
        pending.values.filter { $0.machine.isDue(now: now) }
    }

    mutating func look(at track: Track) {
        pending[ObjectIdentifier(track)] = track
    }

    mutating func remove(_ track: Track) {
        pending[ObjectIdentifier(track)] = nil
    }

    /// All of some partitions, once each; what was recorded before may be among them.
    mutating func compare(all tracks: [Track]) {
        guard !uncompared.isEmpty else { return uncompared = tracks }
        let known = Set(tracks.map { ObjectIdentifier($0) })
        uncompared = uncompared.filter { !known.contains(ObjectIdentifier($0)) } + tracks
    }

    mutating func compare(_ tracks: [Track]) {
        uncompared += tracks
    }

    /// Takes out those to be compared whose head can be asked for.
    mutating func takeUncompared(where isReachable: (Track) -> Bool) -> [Track] {
        guard !uncompared.isEmpty else { return [] }
        let reachable = uncompared.filter(isReachable)
        uncompared = reachable.count == uncompared.count ? [] : uncompared.filter { !isReachable($0) }
        return reachable
    }
}
