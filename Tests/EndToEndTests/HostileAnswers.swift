import Foundation
import TestKit
import Testing
import TestSupport

/// Prints what weak secrets, strange names and keys that look like others' are answered, beside the table of attacks.
@Suite(
    "What attacks are answered", .enabled(if: ProcessInfo.processInfo.environment["MARTLET_HOSTILE_TABLE"] != nil),
    .serialized)
struct HostileAnswers {
    private static let secret = Attack.secret

    @Test func `a node with secrets that can be guessed, or a receiver in a private place`() async throws {
        let everywhere = ["MARTLET_CLIENT_HOST": "0.0.0.0", "MARTLET_AUTH_MODE": "jwt"]
        let cases = [
            ("api.key of one byte on 0.0.0.0", ["MARTLET_API_HOST": "0.0.0.0", "MARTLET_API_KEY": "a"]),
            ("api.key local on 0.0.0.0", ["MARTLET_API_HOST": "0.0.0.0", "MARTLET_API_KEY": "local"]),
            (
                "auth.secret of 16 bytes on 0.0.0.0",
                everywhere.merging(["MARTLET_AUTH_SECRET": "0123456789abcdef"]) { $1 }
            ),
            ("webhooks.secret of 8 bytes", webhooks("https://example.com/", secret: "12345678")),
            ("webhooks.url http://0x7f.1/", webhooks("http://0x7f.1/", secret: HostileAnswers.secret)),
            ("webhooks.url http://2130706433/", webhooks("http://2130706433/", secret: HostileAnswers.secret)),
        ]
        for (what, environment) in cases { print("| \(what) | \(try await start(environment)) |") }
    }

    @Test func `names that do not print, and the backend's own`() async throws {
        let redis = try RedisServerProcess()
        let node = try await NodeProcess.start(
            nodeId: "n0", redisURL: redis.url,
            environment: ["MARTLET_AUTH_MODE": "jwt", "MARTLET_AUTH_SECRET": HostileAnswers.secret])
        try await eventually("the node's readiness") { try await node.request("GET", "/readyz").status == 200 }
        let names = [
            ("system", "system"), ("U+202E a", "\u{202E}a"), ("U+200B", "\u{200B}"), ("a blank", " "),
            ("a, a blank", "a "), ("U+2028", "\u{2028}"), ("U+E000", "\u{E000}"), ("a, U+200D, b", "a\u{200D}b"),
        ]
        for (what, name) in names {
            let claims = #"{"sub":"\#(name)","exp":\#(Int(Date().timeIntervalSince1970) + 600)}"#
            let token = try TestToken.signed(claims, secret: HostileAnswers.secret)
            let socket = try await HostileSocket.open(port: node.clientPort, path: "/ws?token=\(token)")
            try await eventually("an answer") { socket.textCount > 0 || !socket.isOpen }
            let byToken = socket.textCount > 0 ? "welcome" : "\(socket.closeCode ?? 0)"
            let path = name.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? name
            let byREST = try await node.request("POST", "/v1/users/\(path)/disconnect", body: "{}").status
            print("| user \(what) | token: \(byToken), REST: \(byREST) |")
        }
    }

    @Test func `a dedupe key whose place in Redis would be another room's log`() async throws {
        let redis = try RedisServerProcess()
        let node = try await NodeProcess.start(nodeId: "n0", redisURL: redis.url)
        try await eventually("the node's readiness") { try await node.request("GET", "/readyz").status == 200 }
        let bob = try await HostileSocket.open(port: node.clientPort, path: "/ws?userId=bob")
        try await bob.text(with: #""type":"welcome""#)
        for (id, room) in ["lobby:dedupe:u3:bob:Z26", "lobby"].enumerated() {
            bob.send(text: #"{"type":"join","id":\#(id),"roomId":"\#(room)"}"#)
            try await bob.text(with: #""id":\#(id),"#)
        }
        bob.send(text: #"{"type":"message","id":10,"roomId":"lobby:dedupe:u3:bob:Z26","payload":1}"#)
        try await bob.text(with: #""id":10,"#)
        bob.send(text: #"{"type":"message","id":11,"roomId":"lobby","payload":1,"dedupe":"Z26:log"}"#)
        print("| dedupe key Z26:log | \(try await bob.text(with: #""id":11,"#)) |")
    }

    private func webhooks(_ url: String, secret: String) -> [String: String] {
        ["MARTLET_WEBHOOKS_URL": url, "MARTLET_WEBHOOKS_SECRET": secret]
    }

    /// What becomes of `serve`.
    private func start(_ environment: [String: String]) async throws -> String {
        do {
            let node = try await NodeProcess.start(nodeId: "n0", redisURL: nil, environment: environment)
            let warnings = node.log.split(separator: "\n").filter { $0.contains(" warning ") }
            return "starts" + (warnings.isEmpty ? "" : ", with a warning")
        } catch is NodeProcess.Failure {
            let ended = try await NodeProcess.run(
                ["serve"],
                environment: ["MARTLET_API_KEY": NodeProcess.apiKey, "MARTLET_AUTH_MODE": "none"].merging(environment) {
                    $1
                })
            return "ends with \(ended.status): \(ended.output.prefix(160))"
        }
    }
}
