import TestKit
import Testing

/// Whoever was let in spends what is their own, not the others' memory, Redis and streams.
@Suite("Members who attack", .serialized)
struct HostileMemberFaults {
    @Test("a member who fills Redis fills a part of it, and others log in")
    func fullRedis() async throws {
        try await Arena.play(.fullRedis).expect(processor: .seconds(2), redisMiB: 36)
    }

    @Test("a member who floods a room is held to what a room may cost")
    func floodedRoom() async throws {
        let bill = try await Arena.play(.floodedRoom)
        bill.expect(processor: .seconds(3), nodeMiB: 96)
        #expect(bill.receivedBytes < 96 << 20)
    }

    @Test("members who never read cost their queues and no more")
    func deafMembers() async throws {
        try await Arena.play(.deafMembers).expect(processor: .seconds(1), nodeMiB: 48)
    }
}
