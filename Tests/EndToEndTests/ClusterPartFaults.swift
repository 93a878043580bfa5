import GatewayCore
import MartletClient
import RedisBackend
import Synchronization
import TestKit
import Testing
import TestSupport

/// What clients can do while a part of a Cluster is away, and are told once it is back.
@Suite("A part of a Cluster away", .serialized)
struct ClusterPartFaults {
    private static func partition(of room: RoomName) -> String { Partition.tags[Partition(of: room).number] }

    @Test func `who connects while the shard of everyone's messages is away is let in, and told them once it is back`()
        async throws
    {
        var options = ClusterGroup.Options()
        options.replicas = 0
        let group = try await ClusterGroup.start(options)
        let fleet = try await Fleet.over(group)
        let away = try await group.primary(of: group.slot(of: Self.partition(of: .everyone)))
        var elsewhere: [String] = []
        for number in 0..<64 {
            let user = "user-\(number)"
            let slot = try await group.slot(of: Self.partition(of: RoomName(inboxOf: UserID(unchecked: user))))
            if try await group.primary(of: slot).shard != away.shard { elsewhere.append(user) }
        }
        away.process.pause()

        let began = ContinuousClock.now
        let raw = try await WireClient.connect(to: fleet.nodes[0], as: elsewhere[0])
        print("welcomed after \(ContinuousClock.now - began)")
        let welcome = try await raw.frame("welcome")
        let positions = try #require(welcome.fields["positions"] as? [String: Any])
        #expect(Array(positions.keys) == ["@\(elsewhere[0])"])
        let heard = Mutex<[String]>([])
        let client = try MartletClient(
            configuration: MartletClient.Configuration(
                url: fleet.nodes[1].clientURL, credentials: .user(elsewhere[1])))
        let events = client.events
        let reading = Task {
            for await event in events {
                switch event {
                case .message(let message):
                    heard.withLock {
                        $0.append("message \(message.room) \(String(decoding: message.payload, as: UTF8.self))")
                    }
                case .gap(let room, _): heard.withLock { $0.append("gap \(room)") }
                default: break
                }
            }
        }
        defer { reading.cancel() }
        _ = try await client.connect()

        away.process.resume()
        try await group.agreed()
        _ = try await raw.frame("gap") { $0.room == "*" }
        try await eventually("the gap of the client") { heard.withLock { $0 == ["gap *"] } }
        let answer = try await fleet.nodes[0].request(
            "POST", "/v1/broadcast", body: #"{"to":{"everyone":true},"payload":"hello"}"#)
        #expect(answer.status == 200)
        let message = try await raw.frame("message") { $0.room == "*" }
        #expect(message.string("payload") == "hello")
        try await eventually("the message") { heard.withLock { $0 == ["gap *", #"message * "hello""#] } }
        await client.close()
        try await group.stop()
    }
}
