/// The rosters as the members of this process are told of them: every step is checked, and who has seen a churner come
/// or go is counted.
package struct RosterWatch {
    package private(set) var tally = RosterTally()
    /// Churners whose latest join or leave all seated members of their room have seen, since they were last taken.
    private var completed: [UInt32] = []

    let reader: FrameReader
    private let words: Int
    /// By stream: the version it has seen.
    private var versions: [UInt64] = []
    /// By stream: a bit for each churner who is there.
    private var present: [UInt64] = []
    /// By churner: how many streams have seen the latest join or leave.
    private var progress: [Int32]
    /// The members of a room get the same bytes: read once, they are known.
    private var lastBytes: [UInt8] = []
    private var lastFrame: PresenceFrame?

    package init(layout: RoomLayout, churners: Int) {
        reader = FrameReader(roomPrefix: layout.prefix, payloadBytes: 0)
        words = (churners + 63) / 64
        progress = Array(repeating: 0, count: churners)
    }

    /// Makes room for streams up to this number.
    package mutating func reserve(streams: Int) {
        guard streams > versions.count else { return }
        versions += repeatElement(0, count: streams - versions.count)
        present += repeatElement(0, count: streams * words - present.count)
    }

    /// A stream begins to be told of its room's changes, after this version.
    package mutating func enter(stream: Int, version: UInt64) {
        versions[stream] = version
    }

    /// Forgets what was counted; nothing may be under way.
    package mutating func restart() {
        tally = RosterTally()
        completed = []
    }

    package mutating func takeCompleted() -> [UInt32] {
        defer { completed.removeAll(keepingCapacity: true) }
        return completed
    }

    /// Takes a presence frame.
    ///
    /// - Parameters:
    ///   - room: the room that the stream is in; nil for none.
    ///   - seats: how many seated members of that room are in this process; nil where the stream is none of them.
    package mutating func receive(_ text: UnsafeRawBufferPointer, stream: Int, room: Int?, seats: Int32?) {
        guard let frame = read(text) else {
            tally.damaged += 1
            return
        }
        guard let room, frame.room == room else {
            tally.misplaced += 1
            return
        }
        tally.frames += 1
        tally.events += frame.events.count
        if frame.events.isEmpty, frame.from == nil { tally.unseen += 1 }
        if let from = frame.from {
            if from != versions[stream] { tally.jumps += 1 }
        } else if frame.version != versions[stream] + UInt64(frame.events.count) {
            tally.jumps += 1
        }
        versions[stream] = frame.version
        guard let seats else { return }
        for event in frame.events {
            guard let churner = event.churner, churner < progress.count else { continue }
            let word = stream * words + churner / 64
            let bit = UInt64(1) << UInt64(churner % 64)
            guard (present[word] & bit == 0) == event.isJoin else {
                tally.repeated += 1
                continue
            }
            present[word] ^= bit
            tally.seatedEvents += 1
            progress[churner] += 1
            if progress[churner] >= seats {
                progress[churner] = 0
                completed.append(UInt32(churner))
            }
        }
    }

    private mutating func read(_ text: UnsafeRawBufferPointer) -> PresenceFrame? {
        if let lastFrame, FrameReader.stands(lastBytes, in: text, at: 0), lastBytes.count == text.count {
            return lastFrame
        }
        lastFrame = PresenceFrame(text, reader)
        lastBytes = Array(text)
        return lastFrame
    }
}
