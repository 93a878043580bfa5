import GatewayCore
import NIOPosix
import RedisBackend
import TestKit
import Testing
import TestSupport

/// Nodes that stop in the midst of what they do, and find the world changed when they go on.
@Suite("Presence while nodes stall", .serialized)
struct PresenceStallFaults {
    private let redis: RedisServerProcess
    private let observer: Observer
    private let loop = MultiThreadedEventLoopGroup.singleton.next()

    init() throws {
        redis = try RedisServerProcess()
        observer = try Observer(redis)
    }

    private func start(_ name: String) async throws -> PresenceNode {
        try await PresenceNode.start(name, on: redis, settings: .brisk(), loop: loop)
    }

    private func offline() async throws -> [Observer.Entry] {
        try await observer.ledger().filter { $0.type == "user.offline" }
    }

    @Test
    func `a coordinator that stalls while it sweeps, and wakes after another has taken over, takes away nothing more`()
        async throws
    {
        let partition = Partition(number: 7)
        let count = 3000
        var names: [String] = []
        var number = 0
        while names.count < count {
            if Partition(of: "u\(number)") == partition { names.append("u\(number)") }
            number += 1
        }
        var nodes = [try await start("n1"), try await start("n2"), try await start("n3")]
        let key = observer.keys.coordinator(partition).name
        try await eventually("a coordinator") { [redis] in try await redis.cli("GET", key).hasPrefix("n") }
        let token = try await redis.cli("GET", key)
        let stalled = nodes.remove(at: try #require(nodes.firstIndex { token.hasPrefix($0.name + ":") }))
        let victim = nodes.removeLast()
        let survivor = nodes[0]
        let first = UserID(unchecked: names[0])
        for (index, name) in names.enumerated() {
            victim.presence.connect(
                PresenceConnection(id: "c\(index)", userId: UserID(unchecked: name), address: ""), resuming: nil
            ) { _ in }
        }
        try await survivor.connect("d", names[0])
        try await stalled.connect("e", "stalled")
        try await eventually("everybody") {
            try await survivor.directory.users(limit: 1, cursor: nil).total == count + 1
        }
        try await victim.kill()
        try await eventually("the beginning of a sweep") { try await offline().count > 0 }
        try await stalled.proxy.treat(.toServer, .hold)
        try await eventually("the end of the sweep") { try await offline().count >= count }
        try await eventually("another coordinator") { [redis] in
            try await redis.cli("GET", key).hasPrefix(survivor.name)
        }
        try await survivor.connect("f", names[1])
        try await stalled.proxy.treat(.toServer, .pass)
        try await eventually("the stalled one's return") {
            let users = try await survivor.directory.users(limit: 10, cursor: nil)
            return users.total == 3 && stalled.backend.problem == nil
        }
        try await eventually("nobody's remains") { try await observer.holders().count == 2 }
        let gone = try await offline()
        #expect(gone.count == count && Set(gone.map(\.user)).count == count)
        #expect(Set(gone.map(\.user)) == Set(names.dropFirst() + ["stalled"]))
        #expect(try await survivor.directory.user(first)?.connections.map(\.connectionId) == ["d"])
        try await stalled.stop()
        try await survivor.stop()
    }

    @Test func `of two nodes with one name the second does not start, and the first one's users stay`() async throws {
        let node = try await start("n1")
        for number in 0..<20 { try await node.connect("c\(number)", "u\(number)") }
        let before = try await observer.texts()
        let second = try await PresenceNode.begin("n1", on: redis, settings: .brisk(), loop: loop)
        #expect(try await second.failure() == .nameTaken(nodeId: "n1"))
        #expect(try await observer.texts() == before)
        #expect(try await node.directory.users(limit: 1, cursor: nil).total == 20)
        #expect(try await observer.holders().count == 1)
        try await node.stop()
    }

    @Test func `a node that stalls until another has its name ends, and its users are told offline once`() async throws
    {
        let first = try await start("n1")
        for number in 0..<20 {
            try await first.connect("c\(number)", "u\(number)")
            try await first.join("r", "c\(number)")
        }
        try await first.proxy.treat(.toServer, .hold)
        let second = try await PresenceNode.begin("n1", on: redis, settings: .brisk(), loop: loop)
        // Asked for before the node has its place: so it is done before the node says that it has registered all that it
        // holds, which is its own word for sweeping what it held before.
        try await second.connect("d0", "u0")
        try await first.proxy.treat(.toServer, .pass)
        #expect(try await first.failure() == .nameTaken(nodeId: "n1"))
        let others = Set((1..<20).map { "u\($0)" })
        try await eventually("a sweep") { try await others.isSubset(of: offline().map(\.user)) }
        try await eventually("an empty room") { try await second.directory.room(RoomName(unchecked: "r")) == nil }
        try await eventually("one holder") { try await observer.holders().count == 1 }
        let gone = try await offline()
        #expect(gone.count == 19 && Set(gone.map(\.user)) == others)
        #expect(try await second.directory.user(UserID(unchecked: "u0"))?.connections.map(\.connectionId) == ["d0"])
        try await second.stop()
    }
}
