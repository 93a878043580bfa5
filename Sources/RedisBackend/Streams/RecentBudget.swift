import DequeModule
import GatewayCore

/// Bounds what all rooms' recent messages hold together: the node's oldest message goes first.
struct RecentBudget {
    private struct Note {
        let track: Track
        let generation: Int32
        let bytes: Int
    }

    private let maxBytes: Int
    private(set) var bytes = 0
    private var notes: Deque<Note> = []

    init(maxBytes: Int) {
        self.maxBytes = maxBytes
    }

    /// Records a message that its room remembers now, and has rooms forget what no longer fits.
    mutating func record(_ message: RoomMessage, of track: Track) {
        let cost = message.memoryBytes
        notes.append(Note(track: track, generation: track.machine.generation, bytes: cost))
        bytes += cost
        while bytes > maxBytes, let oldest = notes.popFirst() {
            bytes -= oldest.bytes
            oldest.track.machine.forgetOldest(of: oldest.generation)
        }
    }
}
