import TestKit
import Testing

/// Coming and going has its price, and what is none of one's business is not told.
@Suite("Members who come and go to harm", .serialized)
struct HostilePresenceFaults {
    @Test(arguments: Arena.Transport.allCases)
    func `a user's sessions with many rooms are not resumed faster than the user may spend`(
        _ transport: Arena.Transport
    ) async throws {
        try await Arena.play(.resumedRooms, over: transport).expect(
            processor: .seconds(3), redis: .seconds(4), nodeMiB: 16)
    }

    @Test(arguments: Arena.Transport.allCases)
    func `one user has a hundred connections at most, and what is shown of it is kept once`(
        _ transport: Arena.Transport
    ) async throws {
        try await Arena.play(.crowdOfOne, over: transport).expect(
            processor: .seconds(1), redis: .seconds(1), nodeMiB: 16, redisMiB: 1)
    }

    @Test(arguments: Arena.Transport.allCases)
    func `who goes in and out of a room is told of at most four times a second`(_ transport: Arena.Transport)
        async throws
    {
        let bill = try await Arena.play(.revolvingDoor, over: transport)
        bill.expect(processor: .seconds(1), redis: .seconds(1))
        // Two hundred members, four frames a second of 200 bytes, for as long as it took.
        #expect(bill.receivedBytes < Int(200 * 200 * 4 * (bill.duration / .seconds(1) + 2)))
    }

    @Test(arguments: Arena.Transport.allCases)
    func `rooms that were only touched are forgotten within minutes`(_ transport: Arena.Transport) async throws {
        try await Arena.play(.freshNames, over: transport).expect(
            processor: .seconds(1), redis: .seconds(1), redisMiB: 1)
    }

    @Test(arguments: Arena.Transport.allCases)
    func `of users who came once no more are remembered than the configuration says`(_ transport: Arena.Transport)
        async throws
    {
        try await Arena.play(.inventedUsers, over: transport).expect(
            processor: .seconds(3), redis: .seconds(3), redisMiB: 2)
    }

    @Test(arguments: Arena.Transport.allCases)
    func `who was sent away does not come back with the same token`(_ transport: Arena.Transport) async throws {
        try await Arena.play(.bannedTokens, over: transport).expect(
            processor: .seconds(1), redis: .milliseconds(500), redisMiB: 1)
    }

    @Test(arguments: Arena.Transport.allCases)
    func `outsiders are not told what was said in a room, who is in it, and who is online`(_ transport: Arena.Transport)
        async throws
    {
        try await Arena.play(.curiousOutsiders, over: transport).expect(
            processor: .seconds(1), redis: .milliseconds(500), redisMiB: 1)
    }
}
