import Foundation
import TestKit
import Testing
import TestSupport

@Suite("A log that nobody outside can flood")
struct LogFloodTests {
    @Test func `hundreds who do everything wrong are a few lines at most`() async throws {
        let node = try await NodeProcess.start(
            nodeId: "quiet", redisURL: nil,
            environment: [
                "MARTLET_LOG_LEVEL": "info", "MARTLET_AUTH_MODE": "jwt",
                "MARTLET_AUTH_SECRET": "0123456789abcdef0123456789abcdef",
                "MARTLET_CLIENT_ORIGINS": "https://app.example",
            ])
        try await eventually("the node's readiness") { try await node.request("GET", "/readyz").status == 200 }
        let before = node.log.split(separator: "\n").count
        _ = try await each(Array(0..<100), width: 16) { number in
            // Another path, an origin of nobody's, no token and one that is none, no HTTP; a key that is none, and nonsense with one.
            _ = try await HTTPAnswer.fetch(port: node.clientPort, path: "/nothing-\(number)")
            _ = try await HostileSocket.open(
                port: node.clientPort, path: "/ws", headers: [("Origin", "https://evil-\(number).example")])
            let stranger = try await HostileSocket.open(port: node.clientPort, path: "/ws")
            for _ in 0..<12 { stranger.send(text: "{\"type\":\"nonsense-\(number)\"") }
            _ = try await HostileSocket.open(port: node.clientPort, path: "/ws?token=none-\(number)")
            _ = try await HTTPAnswer.fetch(
                port: node.apiPort, path: "/v1/stats", headers: [("Authorization", "Bearer none-\(number)")])
            _ = try await node.request("POST", "/v1/broadcast", body: "{\(number)")
        }
        let lines = node.log.split(separator: "\n").dropFirst(before)
        #expect(lines.count < 20, "\(lines.prefix(40).joined(separator: "\n"))")
    }
}
