import Foundation
import TestKit
import TestSupport
import Testing

/// `martlet bench` against a real node with its private Redis.
@Suite("The load tool against a node")
struct BenchTests {
    private static let secret = "0123456789abcdef0123456789abcdef"

    private func bench(_ arguments: String) async throws -> (status: Int32, output: String) {
        try await NodeProcess.run(["bench"] + arguments.split(separator: " ").map(String.init))
    }

    @Test func `every way of publishing delivers all, seen by workers too, to users with tokens`() async throws {
        let node = try await NodeProcess.start(
            nodeId: "bench", redisURL: nil,
            environment: [
                "MARTLET_CLIENT_MESSAGES_PER_SECOND": "100000", "MARTLET_AUTH_MODE": "jwt",
                "MARTLET_AUTH_SECRET": Self.secret,
            ])
        let ports =
            "--target \(node.clientPort) --api \(node.apiPort) --key \(NodeProcess.apiKey) --token-secret \(Self.secret)"
        let crowd = "--rooms 4 --members 10 --publishers 3 --messages 60 --window 8 --warmup 0.1"
        for way in [
            "--via batch --batch 4", "--via websocket --random", "--via rest --workers 2", "--via rest --to everyone",
        ] {
            let (status, output) = try await bench("fanout \(crowd) \(ports) \(way)")
            #expect(status == 0, "\(way): \(output)")
            #expect(output.contains("no faults"))
            #expect(output.contains("server CPU per million deliveries"))
            #expect(!output.contains(NodeProcess.apiKey), "a report is passed on, its key is not")
            #expect(!output.contains(Self.secret))
        }
        withExtendedLifetime(node) {}
    }

    @Test func `joins, leaves and a reconnect storm are checked and counted, as JSON and as a page`() async throws {
        // Churners join and leave as fast as they are answered.
        let node = try await NodeProcess.start(
            nodeId: "bench", redisURL: nil,
            environment: [
                "MARTLET_CLIENT_MESSAGES_PER_SECOND": "100000", "MARTLET_CLIENT_MESSAGE_BURST": "100000",
                "MARTLET_CLIENT_JOINS_PER_SECOND": "100000", "MARTLET_CLIENT_JOIN_BURST": "100000",
                "MARTLET_BUDGET_CONNECTION": "0s", "MARTLET_BUDGET_USER": "0s",
            ])
        let page = FileManager.default.temporaryDirectory.appending(path: "bench-\(UUID()).html").path
        defer { try? FileManager.default.removeItem(atPath: page) }
        let presence = try await bench(
            "presence --rooms 2 --members 5 --churners 3 --seconds 1 --warmup 0 --workers 2 --target \(node.clientPort) --json"
        )
        #expect(presence.status == 0, "\(presence.output)")
        #expect(presence.output.contains("until all had been told p99"))
        let resume = try await bench(
            "resume -n 40 --rooms 4 --missed 10 --settle 0.2 --workers 2 --target \(node.clientPort) "
                + "--api \(node.apiPort) --key \(NodeProcess.apiKey) --report \(page)")
        #expect(resume.status == 0, "\(resume.output)")
        #expect(resume.output.contains("reconnect until caught up p99"))
        #expect(resume.output.contains("redis commands per resume"))
        #expect(try String(contentsOfFile: page, encoding: .utf8).contains("<svg"))
        withExtendedLifetime(node) {}
    }

    @Test func `members that speak Pusher's protocol get all, by themselves and among native ones`() async throws {
        let node = try await NodeProcess.start(
            nodeId: "bench", redisURL: nil,
            environment: [
                "MARTLET_CLIENT_MESSAGES_PER_SECOND": "100000", "MARTLET_PUSHER_APP_ID": "1",
                "MARTLET_PUSHER_KEY": "shop", "MARTLET_PUSHER_SECRET": "0123456789abcdef",
            ])
        let ports = "--target \(node.clientPort) --api \(node.apiPort) --key \(NodeProcess.apiKey)"
        let crowd = "--rooms 4 --members 10 --publishers 3 --messages 60 --window 8 --warmup 0.1 --app-key shop"
        for way in [
            "--dialect pusher --via batch --batch 4", "--dialect mixed --via websocket",
            "--dialect mixed --via rest --workers 2",
        ] {
            let (status, output) = try await bench("fanout \(crowd) \(ports) \(way)")
            #expect(status == 0, "\(way): \(output)")
            #expect(output.contains("no faults"))
            #expect(output.contains("Pusher's protocol"))
        }
        let idle = try await bench(
            "connect -n 20 --rooms 2 --dialect pusher --app-key shop --target \(node.clientPort)")
        #expect(idle.status == 0, "\(idle.output)")
        let stranger = try await bench("connect -n 2 --dialect pusher --app-key other --target \(node.clientPort)")
        #expect(stranger.status == 1)
        #expect(stranger.output.contains("4001"), "\(stranger.output)")
        withExtendedLifetime(node) {}
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

    @Test(arguments: [SIGINT, SIGTERM, SIGKILL])
    func `a measurement that is ended takes with it the node that it has started`(signal: Int32) async throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "capacity-\(UUID())").path
        defer { try? FileManager.default.removeItem(atPath: file) }
        // What a shell runs in the background ignores it, and so would the program.
        Foundation.signal(SIGINT, SIG_DFL)
        let bench = try ProgramProcess([NodeProcess.executable, "bench", "capacity"], file: file)
        try await eventually("its node's readiness") {
            for port in BenchTests.nodes(startedBy: bench.pid).values
            where (try? await HTTPAnswer.fetch(port: port, method: "GET", path: "/readyz"))?.status == 200 {
                return true
            }
            return false
        }
        let nodes = BenchTests.nodes(startedBy: bench.pid)
        try #require(!nodes.isEmpty)
        kill(bench.pid, signal)
        // Not by its port, which another may have by then.
        try await eventually("the node's end", within: .seconds(20)) {
            nodes.keys.allSatisfy { BenchTests.apiPort(of: $0) == nil }
        }
    }

    /// The api ports of nodes that a process has started by itself or through others.
    private static func nodes(startedBy pid: pid_t) -> [pid_t: Int] {
        let pids = ((try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []).compactMap { pid_t($0) }
        let parents = Dictionary(uniqueKeysWithValues: pids.map { ($0, read($0, "status").field("PPid:")) })
        func isBelow(_ one: pid_t) -> Bool {
            guard let parent = parents[one] ?? nil, parent > 1 else { return false }
            return parent == pid || isBelow(parent)
        }
        var nodes: [pid_t: Int] = [:]
        for one in pids where isBelow(one) { nodes[one] = apiPort(of: one) }
        return nodes
    }

    /// Nil of a process that has ended, or is no node.
    private static func apiPort(of pid: pid_t) -> Int? {
        read(pid, "environ").split(separator: "\0").first { $0.hasPrefix("MARTLET_API_PORT=") }
            .flatMap { Int($0.drop { $0 != "=" }.dropFirst()) }
    }

    /// Whoever ends meanwhile says nothing.
    private static func read(_ pid: pid_t, _ file: String) -> String {
        (try? String(contentsOfFile: "/proc/\(pid)/\(file)", encoding: .utf8)) ?? ""
    }
}

extension String {
    fileprivate func field(_ name: String) -> pid_t? {
        split(separator: "\n").first { $0.hasPrefix(name) }
            .flatMap { pid_t($0.dropFirst(name.count).trimmingCharacters(in: .whitespaces)) }
    }
}
