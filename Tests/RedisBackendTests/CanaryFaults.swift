import GatewayCore
import NIOPosix
import RedisBackend
import RedisClient
import TestKit
import Testing
import TestSupport

/// Subscriptions whose connections stand and bring nothing.
@Suite("Subscriptions that have gone deaf", .serialized)
struct CanaryFaults {
    private let reason = "a message that the node sends to itself through Redis does not come back"

    @Test func `a silent flow is told, and the subscriptions are made anew until they bring something`() async throws {
        let fixture = try RedisFixture()
        let proxy = try await FaultProxy.start(target: .unix(path: fixture.redis.socketPath))
        try await fixture.withBackends(
            ["redis://127.0.0.1:\(proxy.port)", nil],
            configure: { _, configuration in
                configuration.canaryInterval = .seconds(1)
                // It is not the pings that find out: a server that answers them may bring nothing all the same.
                configuration.redis.pingInterval = .seconds(600)
            }
        ) { backends in
            let sink = RecordingSink()
            backends[0].streams.follow(room, ticket: 1, hub: backends[0].streams.open(sink))
            try await eventually { sink.position(of: 1) != nil }
            // Whatever is connected from now on is not heard of either.
            for direction in [FaultProxy.Direction.toServer, .toClient] {
                try await proxy.treat(direction, .drop, isForNewOnly: true)
            }
            try await proxy.silence("SUBSCRIBE")
            let before = try await proxy.counts().connectionsAccepted
            _ = try await backends[1].messageLog.publish(Publication(room, "1"))
            try await eventually("a node that says so") { backends[0].problem == reason }
            #expect(backends[1].problem == nil)
            try await proxy.waitUntil { $0.connectionsAccepted > before }
            #expect(backends[0].problem == reason)
            for direction in [FaultProxy.Direction.toServer, .toClient] {
                try await proxy.treat(direction, .pass, isForNewOnly: true)
            }
            try await eventually("a node that hears again") { backends[0].problem == nil }
            try await eventually("what it missed") { sink.sequence == [1] }
        }
        try await proxy.stop()
    }

    @Test func `a node whose user of Redis may call no scripts for a while is well again once it may`() async throws {
        let fixture = try RedisFixture()
        _ = try await fixture.redis.cli("ACL", "SETUSER", "node", "on", ">pw", "~*", "&*", "+@all")
        try await fixture.withBackends(
            ["unix://\(fixture.redis.socketPath)?user=node&password=pw"],
            configure: { _, configuration in configuration.canaryInterval = .milliseconds(200) }
        ) { backends in
            _ = try await fixture.redis.cli("ACL", "SETUSER", "node", "-evalsha")
            try await eventually("a node that says so") { backends[0].problem != nil }
            await #expect(throws: (any Error).self) {
                _ = try await backends[0].messageLog.publish(Publication(room, "1"))
            }
            _ = try await fixture.redis.cli("ACL", "SETUSER", "node", "+evalsha")
            try await eventually("a node that is well again") { backends[0].problem == nil }
            _ = try await backends[0].messageLog.publish(Publication(room, "1"))
        }
    }

    @Test(arguments: ["evalsha", "hget"])
    func `a node whose user of Redis lacks a right does not start, and says which`(command: String) async throws {
        let redis = try RedisServerProcess()
        _ = try await redis.cli("ACL", "SETUSER", "node", "on", ">pw", "~*", "&*", "+@all", "-\(command)")
        let node = try await PresenceNode.begin(
            "n1", on: redis, settings: .brisk(), loop: MultiThreadedEventLoopGroup.singleton.next(),
            credentials: "node:pw@")
        guard case .refused(let reason)? = try await node.failure() else {
            Issue.record("it started")
            return
        }
        #expect(reason.hasPrefix("NOPERM") && reason.contains(command))
    }

    @Test func `a user of Redis who may not publish is no good for a node, until they may`() async throws {
        let fixture = try RedisFixture()
        _ = try await fixture.redis.cli("ACL", "SETUSER", "node", "on", ">pw", "~*", "&*", "+@all")
        try await fixture.withBackends(
            ["unix://\(fixture.redis.socketPath)?user=node&password=pw"],
            configure: { _, configuration in configuration.canaryInterval = .milliseconds(200) }
        ) { backends in
            _ = try await fixture.redis.cli("ACL", "SETUSER", "node", "-publish")
            try await eventually("a node that says so") { backends[0].problem?.hasPrefix("\(reason): ") == true }
            _ = try await fixture.redis.cli("ACL", "SETUSER", "node", "+publish")
            try await eventually("a node that is well again") { backends[0].problem == nil }
        }
    }
}
