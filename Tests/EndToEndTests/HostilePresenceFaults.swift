import TestKit
import Testing

/// Coming and going has its price, and what is none of one's business is not told.
@Suite("Members who come and go to harm", .serialized)
struct HostilePresenceFaults {
    @Test func `a user's sessions with many rooms are not resumed faster than the user may spend`() async throws {
        try await Arena.play(.resumedRooms).expect(processor: .seconds(3), redis: .seconds(4), nodeMiB: 16)
    }

    @Test func `one user has a hundred connections at most, and what is shown of it is kept once`() async throws {
        try await Arena.play(.crowdOfOne).expect(processor: .seconds(1), redis: .seconds(1), nodeMiB: 16, redisMiB: 1)
    }

    @Test func `who goes in and out of a room is told of at most four times a second`() async throws {
        let bill = try await Arena.play(.revolvingDoor)
        bill.expect(processor: .seconds(1), redis: .seconds(1))
        // Two hundred members, four frames a second of 200 bytes, for as long as it took.
        #expect(bill.receivedBytes < Int(200 * 200 * 4 * (bill.duration / .seconds(1) + 2)))
    }

    @Test func `rooms that were only touched are forgotten within minutes`() async throws {
        try await Arena.play(.freshNames).expect(processor: .seconds(1), redis: .seconds(1), redisMiB: 1)
    }

    @Test func `of users who came once no more are remembered than the configuration says`() async throws {
        try await Arena.play(.inventedUsers).expect(processor: .seconds(3), redis: .seconds(3), redisMiB: 2)
    }

    @Test func `who was sent away does not come back with the same token`() async throws {
        try await Arena.play(.bannedTokens).expect(processor: .seconds(1), redis: .milliseconds(500), redisMiB: 1)
    }

    @Test func `outsiders are not told what was said in a room, who is in it, and who is online`() async throws {
        try await Arena.play(.curiousOutsiders).expect(processor: .seconds(1), redis: .milliseconds(500), redisMiB: 1)
    }
}
