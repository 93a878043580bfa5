import TestKit
import Testing

/// Whoever has no token costs next to nothing, and keeps nobody waiting.
@Suite("Strangers who attack", .serialized)
struct HostileStrangerFaults {
    @Test("what inflates to thousands of keys is not unpacked for a stranger")
    func inflatedKeys() async throws {
        try await Arena.play(.inflatedKeys).expect(processor: .milliseconds(800), nodeMiB: 32)
    }

    @Test("half a message of a stranger is kept no larger than it came")
    func halfMessages() async throws {
        try await Arena.play(.halfMessages).expect(processor: .milliseconds(500), nodeMiB: 8)
    }
}
