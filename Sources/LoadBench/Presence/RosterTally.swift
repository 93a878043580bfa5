/// The counts of joins and leaves that receivers were told of, and of what was wrong with them.
package struct RosterTally: Codable, Sendable, Equatable {
    /// Events that came, all users'.
    package var events = 0
    /// Events of churners that the seated members got, each once.
    package var seatedEvents = 0
    package var frames = 0
    /// A join of a churner who was there already, or a leave of one who was not: something before was lost or came twice.
    package var repeated = 0
    /// Frames that did not begin at the version before, be it said or by as many steps as they had events.
    package var jumps = 0
    /// Frames that say only that the roster has changed unseen.
    package var unseen = 0
    package var damaged = 0
    package var misplaced = 0

    package init() {}

    package mutating func add(_ other: RosterTally) {
        events += other.events
        seatedEvents += other.seatedEvents
        frames += other.frames
        repeated += other.repeated
        jumps += other.jumps
        unseen += other.unseen
        damaged += other.damaged
        misplaced += other.misplaced
    }

    package var faults: [String] {
        var lines: [String] = []
        for (count, what) in [
            (repeated, "joins or leaves were told twice, or one before them not"),
            (jumps, "presence frames did not follow on the version before"),
            (unseen, "times a roster was told to have changed unseen"),
            (damaged, "presence frames could not be read"), (misplaced, "presence frames were of another room"),
        ] where count > 0 {
            lines.append("\(count) \(what)")
        }
        return lines
    }
}
