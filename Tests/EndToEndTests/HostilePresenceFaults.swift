import TestKit
import Testing

/// Coming and going has its price, and what is none of one's business is not told.
@Suite("Members who come and go to harm", .serialized)
struct HostilePresenceFaults {
    @Test("who goes in and out of a room is told of at most four times a second")
    func revolvingDoor() async throws {
        let bill = try await Arena.play(.revolvingDoor)
        bill.expect(processor: .seconds(1), redis: .seconds(1))
        // Two hundred members, four frames a second of 200 bytes, for as long as it took.
        #expect(bill.receivedBytes < Int(200 * 200 * 4 * (bill.duration / .seconds(1) + 2)))
    }

    @Test("outsiders are not told what was said in a room, who is in it, and who is online")
    func outsiders() async throws {
        let (redis, node) = try await start(["MARTLET_PRESENCE_WATCH": "nobody"])
        defer { withExtendedLifetime(redis) {} }
        let mallory = try await HostileSocket.open(port: node.clientPort, path: "/ws?userId=mallory")
        try await mallory.text(with: #""type":"welcome""#)
        mallory.send(text: #"{"type":"history","id":1,"roomId":"private"}"#)
        #expect(try await mallory.text(with: #""id":1,"#).contains(#""code":"not_member""#))
        mallory.send(text: #"{"type":"members","id":2,"roomId":"private"}"#)
        #expect(try await mallory.text(with: #""id":2,"#).contains(#""code":"not_member""#))
        mallory.send(text: #"{"type":"watch","id":3,"users":["ann"]}"#)
        #expect(try await mallory.text(with: #""id":3,"#).contains(#"{"userId":"ann","code":"forbidden"}"#))
    }

    private func start(_ environment: [String: String] = [:]) async throws -> (RedisServerProcess, NodeProcess) {
        let redis = try RedisServerProcess()
        let node = try await NodeProcess.start(nodeId: "n0", redisURL: redis.url, environment: environment)
        try await eventually("the node's readiness") { try await node.request("GET", "/readyz").status == 200 }
        return (redis, node)
    }
}
