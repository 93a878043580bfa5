import TestKit
import Testing

/// Whoever was let in spends what is their own, not the others' memory, Redis and streams.
@Suite("Members who attack", .serialized)
struct HostileMemberFaults {
    @Test(arguments: Arena.Transport.allCases)
    func `what inflates to thousands of keys is not read to its end`(_ transport: Arena.Transport) async throws {
        try await Arena.play(.memberKeys, over: transport).expect(processor: .milliseconds(600), nodeMiB: 8)
    }

    @Test(arguments: Arena.Transport.allCases)
    func `a member who fills Redis fills a part of it, and others log in`(_ transport: Arena.Transport) async throws {
        try await Arena.play(.fullRedis, over: transport).expect(processor: .seconds(2), nodeMiB: 32, redisMiB: 20)
    }

    @Test(arguments: Arena.Transport.allCases)
    func `a member who floods a room is held to what a room may cost`(_ transport: Arena.Transport) async throws {
        let bill = try await Arena.play(.floodedRoom, over: transport)
        bill.expect(processor: .seconds(1), nodeMiB: 24, redisMiB: 12)
        #expect(bill.receivedBytes < 96 << 20)
    }

    @Test(arguments: Arena.Transport.allCases)
    func `what waits for a silent Redis is bounded`(_ transport: Arena.Transport) async throws {
        try await Arena.play(.silentRedis, over: transport).expect(processor: .seconds(3), nodeMiB: 128, redisMiB: 16)
    }

    @Test(arguments: Arena.Transport.allCases)
    func `members who never read cost what the node has set aside for them and no more`(_ transport: Arena.Transport)
        async throws
    {
        // Over TLS what waits for each is there once more, encrypted.
        try await Arena.play(.deafMembers, over: transport).expect(
            processor: .seconds(1), nodeMiB: transport == .tls ? 32 : 24, redisMiB: 12)
    }

    @Test(arguments: Arena.Transport.allCases)
    func `pages of history are not read faster than their reader may spend`(_ transport: Arena.Transport) async throws {
        let bill = try await Arena.play(.longPages, over: transport)
        bill.expect(processor: .seconds(1), redis: .seconds(3), nodeMiB: 16)
        // 1.5 ms for 118 KiB, of a second saved up and a fifth of one for each.
        #expect(bill.receivedBytes < 160 << 20)
    }

    @Test func `one request cannot write hundreds of MiB`() async throws {
        try await Arena.play(.hugeBroadcast).expect(
            processor: .milliseconds(300), nodeMiB: 8, redisMiB: 1)
    }

    @Test(arguments: Arena.Transport.allCases)
    func `no user has more keys of messages remembered than the configuration grants`(_ transport: Arena.Transport)
        async throws
    {
        try await Arena.play(.dedupeKeys, over: transport).expect(
            processor: .seconds(1), redis: .seconds(1), redisMiB: 1)
    }
}
