import Foundation
import TestKit
import Testing
import TestSupport

@Suite("Users whom a backend keeps out")
struct BanTests {
    private static let secret = "0123456789abcdef0123456789abcdef"

    private func token() async throws -> String {
        let made = try await NodeProcess.run(
            ["token", "--user", "eve"], environment: ["MARTLET_AUTH_SECRET": Self.secret])
        try #require(made.status == 0)
        return made.output.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    @Test
    func `a ban closes everywhere and holds on every node until it is lifted; tokens from before a moment stay void`()
        async throws
    {
        let environment = ["MARTLET_AUTH_MODE": "jwt", "MARTLET_AUTH_SECRET": Self.secret]
        let cluster = try await Cluster.start(environment: environment.merging(Cluster.patience) { $1 })
        let (a, b) = (cluster.nodes[0], cluster.nodes[1])
        let old = try await token()
        let living = try await WireClient.connect(to: b, as: "eve", query: "&token=\(old)")
        let session = try #require(try await living.frame("welcome").string("session"))

        let answer = try await a.request("POST", "/v1/users/eve/disconnect", body: #"{"banSeconds":600}"#)
        let end = try #require(answer.json?["bannedUntil"] as? Int)
        #expect(answer.json?["disconnected"] as? Int == 1)
        #expect(await living.ended().code == 4403)
        for node in [a, b] {
            let refused = try await WireClient.open(
                to: node.clientPort, as: "eve", query: "&token=\(old)&session=\(session)")
            #expect(await refused.ended().code == 4403)
            #expect(try await node.request("GET", "/v1/users/eve").json?["bannedUntil"] as? Int == end)
        }
        #expect(try await b.request("DELETE", "/v1/users/eve/ban").json?["lifted"] as? Bool == true)
        let back = try await WireClient.open(to: a.clientPort, as: "eve", query: "&token=\(old)&session=\(session)")
        #expect(try await back.frame("welcome").bool("resumed") == false)

        let soon = Int(Date().timeIntervalSince1970 * 1000) + 1000
        _ = try await b.request("POST", "/v1/users/eve/disconnect", body: #"{"tokensBefore":\#(soon)}"#)
        #expect(await back.ended().code == 4403)
        let refused = try await WireClient.open(to: b.clientPort, as: "eve", query: "&token=\(old)")
        #expect(await refused.ended().code == 4401)
        try await eventually("a token that is new enough") {
            let fresh = try await WireClient.open(to: b.clientPort, as: "eve", query: "&token=\(try await token())")
            try await eventually("an answer") { !fresh.isOpen || !fresh.frames("welcome").isEmpty }
            guard fresh.isOpen else { return false }
            #expect(fresh.frames("welcome").count == 1)
            fresh.send(#"{"type":"auth","token":"\#(old)"}"#)
            #expect(await fresh.ended().code == 4401)
            return true
        }
        withExtendedLifetime(cluster) {}
    }

    @Test func `a session whose connection is in its grace ends with a disconnection as well, offline at once`()
        async throws
    {
        let environment = Cluster.patience.merging(["MARTLET_PRESENCE_GRACE": "60s"]) { $1 }
        let cluster = try await Cluster.start(environment: environment)
        let (a, b) = (cluster.nodes[0], cluster.nodes[1])
        let lost = try await WireClient.connect(to: a, as: "eve")
        try await lost.join("r")
        let session = try #require(try await lost.frame("welcome").string("session"))
        lost.abort()
        try await eventually("the grace") {
            (try await b.request("GET", "/v1/users/eve").json?["connections"] as? [Any])?.isEmpty == true
        }
        #expect(try await b.request("GET", "/v1/users/eve").json?["online"] as? Bool == true)
        let answer = try await b.request("POST", "/v1/users/eve/disconnect", body: "{}")
        #expect(answer.json?["disconnected"] as? Int == 0)
        #expect(try await a.request("GET", "/v1/users/eve").json?["online"] as? Bool == false)
        let back = try await WireClient.connect(to: b, as: "eve", query: "&session=\(session)")
        #expect(try await back.frame("welcome").bool("resumed") == false)
        withExtendedLifetime(cluster) {}
    }
}
