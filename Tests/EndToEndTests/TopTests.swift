import Foundation
import TestKit
import Testing
import TestSupport

@Suite("martlet top")
struct TopTests {
    private func top(_ arguments: [String], key: String = NodeProcess.apiKey) async throws -> (
        status: Int32, output: String
    ) {
        try await NodeProcess.run(["top"] + arguments, environment: ["MARTLET_API_KEY": key])
    }

    @Test func `as JSON it is one object with every node, and all of them together`() async throws {
        let cluster = try await Cluster.start(environment: Cluster.patience)
        let alice = try await Participant.connect(to: cluster.nodes[0].clientURL, as: "alice")
        try await alice.join("r")
        try await eventually("the tick that counts her, and the beat that tells of both") {
            try await cluster.nodes[0].request("GET", "/metrics").body.contains("\nmartlet_connections 1\n")
        }
        let addresses = cluster.nodes.flatMap { ["--api", "127.0.0.1:\($0.apiPort)"] }
        // Nodes that have just started hand partitions to each other, and one under way has no coordinator.
        try await eventually("a coordinator for every partition") {
            let shown = try await top(addresses + ["--once", "--json"])
            let object = try JSONSerialization.jsonObject(with: Data(shown.output.utf8)) as? [String: Any]
            let totals = object?["totals"] as? [String: Any]
            return totals?["coordinatedPartitions"] as? Int == 64
        }
        let shown = try await top(addresses + ["--once", "--json"])
        #expect(shown.status == 0)
        let lines = shown.output.split(separator: "\n")
        #expect(lines.count == 1)
        let object = try #require(try JSONSerialization.jsonObject(with: Data(shown.output.utf8)) as? [String: Any])
        let nodes = try #require(object["nodes"] as? [[String: Any]])
        #expect(nodes.map { $0["nodeId"] as? String } == ["a", "b"])
        #expect(nodes.map { $0["connections"] as? Int } == [1, 0])
        #expect(nodes.allSatisfy { $0["ready"] as? Bool == true && $0["version"] as? String == "0.1.0" })
        let totals = try #require(object["totals"] as? [String: Any])
        #expect(totals["connections"] as? Int == 1 && totals["users"] as? Int == 1 && totals["rooms"] as? Int == 1)
        #expect(totals["ready"] as? Int == 2)
        #expect(totals["publishedPerSecond"] as? Int == 0)
        // Without the key nobody says whether a node is ready, and that is what is told.
        let refused = try await top(addresses + ["--once"], key: "another key of enough bytes")
        #expect(refused.status == 1 && refused.output.contains("refuses the key (401)"), "\(refused.output)")
        let piped = try await top(addresses + ["--json"])
        #expect(piped.status == 0 && piped.output.split(separator: "\n").count == 1, "\(piped.output)")
        // A node that has gone is shown as such, beside those that are there.
        cluster.nodes[1].kill9()
        let table = try await top(addresses)
        #expect(table.status == 0)
        #expect(table.output.contains("cannot be reached") && !table.output.contains("\u{1b}"), "\(table.output)")
        await alice.close()
    }

    @Test func `one that is no node, or away, is told, and with none left it ends with 1`() async throws {
        let port = try ReservedPort()
        let away = try await top(["--api", "127.0.0.1:\(port.number)", "--once"])
        #expect(away.status == 1 && away.output.contains("127.0.0.1:\(port.number)"), "\(away.output)")
        let other = try await HookServer.start()
        let stranger = try await top(["--api", "127.0.0.1:\(other.port)", "--once", "--json"])
        #expect(stranger.status == 1, "\(stranger.output)")
        let wrong = try await top(["--api", "no port"])
        #expect(wrong.status == 64 && wrong.output.contains("--api"), "\(wrong.output)")
        withExtendedLifetime(port) {}
    }
}
