import Foundation
import TestKit
import Testing

/// `martlet bench` against a real node with its private Redis.
@Suite struct BenchTests {
    private func bench(_ arguments: String) async throws -> (status: Int32, output: String) {
        try await NodeProcess.run(["bench"] + arguments.split(separator: " ").map(String.init))
    }

    @Test func `every way of publishing delivers all, seen by workers too, and is measured`() async throws {
        let node = try await NodeProcess.start(
            nodeId: "bench", redisURL: nil,
            environment: ["MARTLET_CLIENT_MESSAGES_PER_SECOND": "100000", "MARTLET_LOG_LEVEL": "warning"])
        let ports = "--target \(node.clientPort) --api \(node.apiPort) --key \(NodeProcess.apiKey)"
        let crowd = "--rooms 4 --members 10 --publishers 3 --messages 60 --window 8 --warmup 0.1"
        for way in ["--via rest", "--via batch --batch 4", "--via websocket --random", "--via rest --workers 2"] {
            let (status, output) = try await bench("fanout \(crowd) \(ports) \(way)")
            #expect(status == 0, "\(way): \(output)")
            #expect(output.contains("no faults"))
            #expect(output.contains("server CPU per million deliveries"))
            #expect(!output.contains(NodeProcess.apiKey), "a report is passed on, its key is not")
        }
    }

    @Test func `connections, idleness and a ladder are told as JSON and as a page`() async throws {
        let node = try await NodeProcess.start(
            nodeId: "bench", redisURL: nil, environment: ["MARTLET_CLIENT_ECHO": "true"])
        let page = FileManager.default.temporaryDirectory.appending(path: "bench-\(UUID()).html").path
        defer { try? FileManager.default.removeItem(atPath: page) }
        let idle = try await bench("idle -n 50 --hold 0.2 --settle 0.1 --target \(node.clientPort) --json")
        #expect(idle.status == 0, "\(idle.output)")
        #expect(idle.output.contains("server memory per connection"))
        let ladder = try await bench(
            "ladder --steps 5,20 --rate 50 --seconds 0.3 --max-p99 60000 --max-cpu 10000 --target \(node.clientPort) "
                + "--api \(node.apiPort) --key \(NodeProcess.apiKey) --report \(page)")
        #expect(ladder.status == 0, "\(ladder.output)")
        #expect(try String(contentsOfFile: page, encoding: .utf8).contains("<svg"))
        let echo = try await bench("echo -n 4 --seconds 0.3 --warmup 0 --target \(node.clientPort)")
        #expect(echo.status == 0, "\(echo.output)")
    }

    @Test func `the floor server is started for a run and measured`() async throws {
        let (status, output) = try await bench("floor --members 30 --messages 40 --warmup 0")
        #expect(status == 0, "\(output)")
        #expect(output.contains("no faults"))
    }

    @Test func `faults end with 1, what cannot be run with 2`() async throws {
        // Nobody listens on port 1.
        let refused = try await bench("connect -n 3 --target 127.0.0.1:1")
        #expect(refused.status == 1, "\(refused.output)")
        #expect(refused.output.contains("3 connections not made: Connection refused"))
        let foreign = try await bench("connect --target 192.0.2.1:80")
        #expect(foreign.status == 2)
        #expect(foreign.output.contains("is not a loopback address"))
    }
}
