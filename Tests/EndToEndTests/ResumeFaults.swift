import TestKit
import Testing
import TestSupport

@Suite("Rooms that are resumed while Redis is silent", .serialized)
struct ResumeFaults {
    @Test func `a room that is told as unavailable goes on by itself from its position, once Redis answers`()
        async throws
    {
        let cluster = try await Cluster.start(environment: ["MARTLET_REDIS_COMMAND_TIMEOUT": "1s"])
        let (a, b) = (cluster.nodes[0], cluster.nodes[1])
        let lost = try await WireClient.connect(to: a, as: "eve")
        let session = try #require(try await lost.frame("welcome").string("session"))
        let epoch = try #require(try await lost.join("r").string("epoch"))
        lost.abort()
        let back = try await WireClient.connect(to: b, as: "eve", query: "&session=\(session)")
        #expect(try await back.frame("welcome").bool("resumed") == true)
        for text in ["one", "two"] { try await publish(text, by: a) }

        cluster.redis.pause()
        let told = try await back.ask(#""type":"resume","since":{"r":{"epoch":"\#(epoch)","seq":0}}"#)
        #expect(told.type == "resumed")
        #expect(told.list("rooms").map { $0["code"] as? String } == ["unavailable"])
        cluster.redis.resume()
        try await cluster.ready()
        try await publish("three", by: a)
        try await eventually("all that was missed") { back.frames("message").count == 3 }
        #expect(back.frames("message").map { $0.int("seq") } == [1, 2, 3])
        #expect(back.frames("gap").isEmpty)
    }

    private func publish(_ text: String, by node: NodeProcess) async throws {
        let answer = try await node.request(
            "POST", "/v1/broadcast", body: #"{"to":{"rooms":["r"]},"payload":"\#(text)"}"#)
        #expect(answer.status == 200)
    }
}
