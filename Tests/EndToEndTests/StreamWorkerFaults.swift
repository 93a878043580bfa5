import Foundation
import TestKit
import Testing
import TestSupport

/// The worker of the pages as it stands there, as real processes on what real nodes write.
@Suite("A backend's own workers", .serialized)
struct StreamWorkerFaults {
    /// What the page leaves to its reader. A message counts once it is handled to its end; where a variable says so,
    /// the worker stops in the middle of one.
    private static let handle = """
        import itertools, os, time
        count = itertools.count(1)
        def handle(message):
            place = message[b"roomId"].decode() + " " + message[b"seq"].decode()
            if next(count) == int(os.environ.get("STOP_AT", 0)):
                print("stops at", place)
                time.sleep(3600)
            print("done", time.monotonic_ns(), place, message[b"payload"].decode())

        """

    @Test func `two share the messages out, one is killed: each message is done once, in order for its room`()
        async throws
    {
        let redis = try RedisServerProcess()
        let rules = FileManager.default.temporaryDirectory.path + "/stream-rules-\(UUID().uuidString).yaml"
        try "rooms:\n  - {pattern: \"order-*\", stream: true}\n".write(toFile: rules, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(atPath: rules) }
        let nodes = try await each(["a", "b"]) { name in
            let node = try await NodeProcess.start(nodeId: name, redisURL: redis.url, configuration: rules)
            try await eventually("the node's readiness") { try await node.request("GET", "/readyz").status == 200 }
            return node
        }
        let program = try Self.handle + Pages.code("python", with: "xautoclaim")
        let environment = ["MARTLET_REDIS_URL": redis.url]
        let dying = try ScriptProcess(python: program, environment: environment.merging(["STOP_AT": "100"]) { $1 })
        let rooms = (0..<20).map { "order-\($0)" }
        let names = rooms.map { "\"\($0)\"" }.joined(separator: ",")
        for number in 1...30 {
            let body = #"{"to":{"rooms":[\#(names)]},"payload":{"number":\#(number)}}"#
            #expect(try await nodes[number % 2].request("POST", "/v1/broadcast", body: body).status == 200)
        }
        // The other comes while the first is at work: earlier, it might leave too little for the first to stop at.
        try await eventually("the first at work", within: .seconds(60)) { !Self.done(by: dying).isEmpty }
        let living = try ScriptProcess(python: program, environment: environment)
        try await eventually("the first to stop in the middle", within: .seconds(60)) {
            dying.text.contains("stops at")
        }
        let killed = ContinuousClock.now
        dying.kill9()
        // A lease of the dead one ends by itself.
        try await eventually("all messages", within: .seconds(120)) {
            Set((Self.done(by: dying) + Self.done(by: living)).map(\.place)).count == 600
        }
        let (first, second) = (Self.done(by: dying), Self.done(by: living))
        print(
            "600 messages, \(first.count) by a worker that was killed, \(second.count) by the other, all done",
            "\(ContinuousClock.now - killed) after the kill, doubled \(first.count + second.count - 600)")
        #expect(first.count == 99)
        // Done to the end and not acknowledged, had it been killed a moment later, would be done again; this one was not.
        #expect(Set((first + second).map(\.place)).count == first.count + second.count)
        for room in rooms {
            let order = (first + second).filter { $0.room == room }.sorted { $0.time < $1.time }
            #expect(order.map(\.seq) == Array(1...30), "\(room)")
            #expect(order.allSatisfy { $0.payload == "{\"number\":\($0.seq)}" })
        }
        withExtendedLifetime((redis, nodes)) {}
    }

    private struct Done {
        /// By the clock that all processes share.
        let time: Int64
        let room: String
        let seq: Int
        let payload: String

        var place: String { "\(room) \(seq)" }
    }

    private static func done(by worker: ScriptProcess) -> [Done] {
        worker.lines.compactMap { line in
            let words = line.split(separator: " ", maxSplits: 4)
            guard words.count == 5, words[0] == "done", let time = Int64(words[1]), let seq = Int(words[3]) else {
                return nil
            }
            return Done(time: time, room: String(words[2]), seq: seq, payload: String(words[4]))
        }
    }
}
