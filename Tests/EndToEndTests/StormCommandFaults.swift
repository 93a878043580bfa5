import Foundation
import TestKit
import Testing
import TestSupport

/// `martlet bench storm` as anybody runs it against nodes of their own.
@Suite("The storm as a command")
struct StormCommandFaults {
    private func storm(_ fleet: Fleet, _ arguments: String) async throws -> (status: Int32, output: String) {
        let places = fleet.nodes.flatMap {
            ["--target", "127.0.0.1:\($0.clientPort)", "--api", "127.0.0.1:\($0.apiPort)"]
        }
        return try await NodeProcess.run(
            ["bench", "storm"] + places + arguments.split(separator: " ").map(String.init),
            environment: ["MARTLET_API_KEY": NodeProcess.apiKey])
    }

    /// Once somebody of a storm is online.
    private func begun(_ fleet: Fleet, _ node: NodeProcess) async throws {
        try await eventually("the storm's beginning") {
            try await node.request("GET", "/v1/stats").json?["users"] as? Int == 12
        }
        try await fleet.wait(.seconds(3))
    }

    private func object(_ output: String) throws -> [String: Any] {
        let start = try #require(output.firstIndex(of: "{")), end = try #require(output.lastIndex(of: "}"))
        return try #require(try JSONSerialization.jsonObject(with: Data(output[start...end].utf8)) as? [String: Any])
    }

    @Test func `a node that is killed in the midst of it costs nothing, and nothing is left behind`() async throws {
        let fleet = try await Fleet.start(2)
        let page = FileManager.default.temporaryDirectory.appending(path: "storm-\(UUID()).html").path
        defer { try? FileManager.default.removeItem(atPath: page) }
        async let ended = storm(fleet, "--clients 12 --rooms 4 --rate 40 --seconds 12 --json --report \(page)")
        try await begun(fleet, fleet.nodes[0])
        fleet.nodes[1].kill9()
        let (status, output) = try await ended
        #expect(status == 0, "\(output)")
        let found = try object(output)
        #expect(found["published"] as? Int == 480 && found["acknowledged"] as? Int == 480, "\(output)")
        #expect(found["delivered"] as? Int == 480 * 9, "\(output)")
        for key in ["lost", "doubled", "outOfOrder", "falsePresence", "gaps"] {
            #expect(found[key] as? Int == 0, "\(key)")
        }
        let silence = try #require(found["longestSilenceMs"] as? Int)
        #expect(silence > 100 && silence < 12_000)
        #expect(found["reconnects"] as? Int ?? 0 >= 6)
        let html = try String(contentsOfFile: page, encoding: .utf8)
        #expect(html.contains("no faults") && html.contains("<svg") && !html.contains(NodeProcess.apiKey))
        let keys = try await fleet.redis.cli("KEYS", "*storm-*")
        #expect(!keys.contains(":log") && !keys.contains(":members") && !keys.contains(":conns"), "\(keys)")
    }

    @Test func `somebody who is thrown out is missed, and it ends with 1`() async throws {
        let fleet = try await Fleet.start(1)
        let node = fleet.nodes[0]
        async let ended = storm(fleet, "--clients 12 --rooms 3 --rate 30 --seconds 6 --settle 10 --json")
        try await begun(fleet, node)
        let users = try #require(try await node.request("GET", "/v1/users").json?["users"] as? [[String: Any]])
        let user = try #require(users.first?["userId"] as? String)
        #expect(user.hasPrefix("storm-"))
        _ = try await node.request("POST", "/v1/users/\(user)/disconnect", body: "{}")
        let (status, output) = try await ended
        #expect(status == 1, "\(output)")
        let found = try object(output)
        #expect(found["falsePresence"] as? Int ?? 0 > 0 && found["lost"] as? Int ?? 0 > 0, "\(output)")
    }

    @Test func `without a run it ends with 2, and what is elsewhere is left in peace`() async throws {
        let fleet = try await Fleet.start(1)
        let key = try await storm(fleet, "--key another --seconds 1")
        #expect(key.status == 2 && key.output.contains("refuses the API key"), "\(key.output)")
        let port = try ReservedPort()
        let away = try await NodeProcess.run(["bench", "storm", "--api", "127.0.0.1:\(port.number)", "--seconds", "1"])
        #expect(away.status == 2 && away.output.contains("no api port answers"), "\(away.output)")
        let deaf = try await NodeProcess.run([
            "bench", "storm", "--target", "127.0.0.1:\(port.number)", "--api", "127.0.0.1:\(fleet.nodes[0].apiPort)",
            "--key",
            NodeProcess.apiKey, "--seconds", "1",
        ])
        #expect(deaf.status == 2 && deaf.output.contains("lets storm-"), "\(deaf.output)")
        let remote = try await NodeProcess.run(["bench", "storm", "--target", "192.0.2.1:80", "--seconds", "1"])
        #expect(remote.status == 64 && remote.output.contains("--remote"), "\(remote.output)")
        withExtendedLifetime(port) {}
    }
}
