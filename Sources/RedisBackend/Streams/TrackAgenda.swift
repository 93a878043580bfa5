import GatewayCore

/// The tracks that time has to be looked at for, and those to be compared with their heads.
struct TrackAgenda {
    /// Those with something under way. Of rooms that were just joined there are as many as were joined within the seconds
    /// that a join's findings are kept, and nearly all of them rest.
    private var pending = Agenda<Track>()
    private var uncompared: [Track] = []

    var isEmpty: Bool { pending.isEmpty && uncompared.isEmpty }

    /// Those with something under way.
    var all: [Track] { pending.items }

    /// Those of them that a tick has to look at; each is to be kept or removed then.
    mutating func takeDue(now: MonotonicTime) -> [Track] { pending.takeDue(now: now) }

    mutating func look(at track: Track) { pending.look(at: track) }

    mutating func keep(_ track: Track) { pending.keep(track, restingUntil: track.machine.restsUntil) }

    mutating func remove(_ track: Track) { pending.remove(track) }

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
