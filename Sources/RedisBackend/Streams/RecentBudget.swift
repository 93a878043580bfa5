import DequeModule
import GatewayCore

/// Bounds what all rings of recent messages hold together: the node's oldest message goes first.
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

    /// Puts a message into its room's ring and takes out what no longer fits.
    mutating func append(_ message: RoomMessage, to track: Track) {
        let cost = message.memoryBytes
        track.recent.append(message)
        notes.append(Note(track: track, generation: track.recentGeneration, bytes: cost))
        bytes += cost
        while bytes > maxBytes, let oldest = notes.popFirst() {
            bytes -= oldest.bytes
            if oldest.generation == oldest.track.recentGeneration { oldest.track.recent.removeOldest() }
        }
    }

    /// Empties a room's ring: what follows does not continue it.
    mutating func clear(_ track: Track) {
        track.recent.removeAll()
        track.recentGeneration &+= 1
    }
}
