import Foundation
import Synchronization
import TestKit
import Testing
import TestSupport

/// Requests with and without a `traceparent`, a receiver of webhooks, and a collector of spans, well and not.
@Suite("Traces of calls")
struct TracingTests {
    private static let trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    private static let sampled = [("traceparent", "00-\(trace)-00f067aa0ba902b7-01")]

    /// A node whose rooms `told.*` tell webhooks of messages.
    private func node(_ hooks: HookServer, _ environment: [String: String]) async throws -> NodeProcess {
        let file = FileManager.default.temporaryDirectory.appending(path: "traces-\(UUID()).yaml").path
        try "rooms:\n  - {pattern: \"told.*\", webhook: true}\n".write(toFile: file, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(atPath: file) }
        let node = try await NodeProcess.start(
            nodeId: "traced", redisURL: nil, environment: Fleet.webhooks(hooks, environment), configuration: file)
        try await eventually("the node's readiness") { try await node.request("GET", "/readyz").status == 200 }
        return node
    }

    private func spans(_ collector: HookServer) -> [[String: Any]] {
        collector.requests.flatMap { request -> [[String: Any]] in
            let root = try? JSONSerialization.jsonObject(with: Data(request.body)) as? [String: Any]
            let resources = root?["resourceSpans"] as? [[String: Any]] ?? []
            return resources.flatMap { $0["scopeSpans"] as? [[String: Any]] ?? [] }
                .flatMap { $0["spans"] as? [[String: Any]] ?? [] }
        }
    }

    @Test func `events bear the traceparent of the request that caused them, though nothing is traced`() async throws {
        let hooks = try await HookServer.start()
        let node = try await node(hooks, [:])
        let alice = try await WireClient.connect(to: node, as: "alice")
        try await alice.join("told.room")
        func call(_ method: String, _ path: String, _ body: String) async throws {
            let answer = try await node.request(method, path, body: body, headers: Self.sampled)
            #expect((200..<300).contains(answer.status), "\(answer.body)")
        }
        try await call("POST", "/v1/broadcast", #"{"to":{"rooms":["told.room"]},"payload":1}"#)
        try await call("PUT", "/v1/rooms/told.room", #"{"version":0,"title":"t"}"#)
        try await call("PUT", "/v1/rooms/told.room/members/alice", #"{"role":"moderator"}"#)
        try await call("POST", "/v1/users/alice/disconnect", "{}")
        _ = try await node.request("POST", "/v1/broadcast", body: #"{"to":{"rooms":["told.room"]},"payload":2}"#)
        _ = try await node.request(
            "POST", "/v1/broadcast", body: #"{"to":{"rooms":["told.room"]},"payload":3}"#,
            headers: [("traceparent", "00-nonsense")])
        try await eventually("all events") {
            hooks.events.count { $0.type == "message.published" } == 3
                && hooks.events.contains { $0.type == "user.offline" }
        }
        for type in ["room.updated", "member.role", "user.offline"] {
            let event = try #require(hooks.events.first { $0.type == type }, "\(type)")
            #expect(event.traceparent == Self.sampled[0].1, "\(type)")
        }
        let told = hooks.events.filter { $0.type == "message.published" }
        #expect(told.map(\.traceparent) == [Self.sampled[0].1, nil, nil])
        #expect(hooks.events.filter { $0.type == "user.online" }.allSatisfy { $0.traceparent == nil })
        withExtendedLifetime(alice) {}
    }

    @Test func `a request, its script and the webhook's attempt are spans of the caller's trace`() async throws {
        let hooks = try await HookServer.start()
        let collector = try await HookServer.start()
        let node = try await node(
            hooks,
            ["MARTLET_TRACING_URL": "http://127.0.0.1:\(collector.port)/v1/traces", "MARTLET_TRACING_SAMPLE": "0%"])
        _ = try await node.request("POST", "/v1/broadcast", body: #"{"to":{"rooms":["told.room"]},"payload":1}"#)
        _ = try await node.request(
            "POST", "/v1/broadcast", body: #"{"to":{"rooms":["told.room"]},"payload":2}"#, headers: Self.sampled)
        _ = try await node.request("GET", "/v1/rooms/none", headers: Self.sampled)
        try await eventually("the spans") {
            let names = spans(collector).compactMap { $0["name"] as? String }
            return Set(names).isSuperset(of: ["POST /v1/broadcast", "publish", "webhook", "GET /v1/rooms/{roomId}"])
        }
        let all = spans(collector)
        #expect(all.allSatisfy { $0["traceId"] as? String == Self.trace })
        let request = try #require(all.first { $0["name"] as? String == "POST /v1/broadcast" })
        #expect(request["parentSpanId"] as? String == "00f067aa0ba902b7")
        let script = try #require(all.first { $0["name"] as? String == "publish" })
        #expect(script["parentSpanId"] as? String == request["spanId"] as? String)
        let attempt = try #require(all.first { $0["name"] as? String == "webhook" })
        #expect(attempt["parentSpanId"] as? String == "00f067aa0ba902b7")
        let asked = hooks.requests.compactMap(\.traceparent).first { $0.contains(Self.trace) }
        #expect(asked == "00-\(Self.trace)-\(attempt["spanId"] as? String ?? "")-01")
        let text = String(decoding: collector.requests.flatMap(\.body), as: UTF8.self)
        #expect(
            !text.contains("told.room") && !text.contains("/hooks"), "names and URLs are no business of a collector's")
        let metrics = try await node.request("GET", "/metrics").body
        #expect(metrics.contains(#"martlet_trace_spans_total{result="exported"}"#))
    }

    @Test(
        arguments: [
            HookServer.Reply.status(500), .never, .broken, .drip(.milliseconds(200)), .reset,
            .redirect("http://127.0.0.1:1/"),
        ])
    func `a collector that takes nothing hurts nobody`(_ reply: HookServer.Reply) async throws {
        let isTaken =
            switch reply {
            case .broken, .drip: true
            default: false
            }
        let hooks = try await HookServer.start()
        let collector = try await HookServer.start { _, _ in reply }
        let node = try await node(
            hooks,
            ["MARTLET_TRACING_URL": "http://127.0.0.1:\(collector.port)/v1/traces", "MARTLET_TRACING_SAMPLE": "100%"])
        for number in 0..<500 {
            let answer = try await node.request(
                "POST", "/v1/broadcast", body: #"{"to":{"rooms":["r"]},"payload":\#(number)}"#)
            #expect(answer.status == 200)
        }
        try await eventually("the spans' being counted") {
            let text = try await node.request("GET", "/metrics").body
            let kind = isTaken ? "exported" : "failed"
            let line = text.split(separator: "\n").first {
                $0.hasPrefix(#"martlet_trace_spans_total{result="\#(kind)"}"#)
            }
            return line.flatMap { $0.split(separator: " ").last }.flatMap { Double($0) } ?? 0 > 0
        }
        #expect(try await node.request("GET", "/readyz").status == 200)
        let warnings = node.log.split(separator: "\n").filter { $0.contains("The collector of traces takes no spans") }
        #expect(warnings.count == (isTaken ? 0 : 1))
        node.terminate()
        #expect(await node.exitStatus() == 0)
    }
}
