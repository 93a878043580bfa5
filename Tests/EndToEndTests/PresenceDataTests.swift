import Foundation
import TestKit
import Testing
import TestSupport

@Suite("Presence that carries data")
struct PresenceDataTests {
    private func infos(_ node: NodeProcess) async throws -> [String: String] {
        let members = try await node.request("GET", "/v1/rooms/r/members").json?["members"] as? [[String: Any]]
        return Dictionary(
            uniqueKeysWithValues: (members ?? []).map { member in
                ("\(member["userId"] ?? "")", "\((member["info"] as? [String: Any])?["mood"] ?? "-")")
            })
    }

    @Test func `a member changes what the others are shown, without leave and join, and a resume keeps it`()
        async throws
    {
        let cluster = try await Cluster.start(environment: Cluster.patience)
        let (a, b) = (cluster.nodes[0], cluster.nodes[1])
        let amy = try await WireClient.connect(to: a, as: "amy")
        let bob = try await WireClient.connect(to: b, as: "bob")
        try await amy.join("r")
        let version = try #require(try await bob.join("r").int("rosterVersion"))
        #expect(try await bob.ask(#""type":"presence","roomId":"r","info":{"mood":"glad"}"#).type == "ack")
        for client in [amy, bob] {
            let told = try await client.frame("presence") { $0.steps == ["update bob"] }
            #expect(told.int("rosterVersion") == version + 1 && told.int("members") == 2)
        }
        #expect(try await infos(a) == ["amy": "-", "bob": "glad"])
        #expect(try await bob.ask(#""type":"presence","roomId":"elsewhere","info":{}"#).string("code") == "not_member")

        let session = try #require(try await bob.frame("welcome").string("session"))
        bob.abort()
        let back = try await WireClient.connect(to: a, as: "bob", query: "&session=\(session)")
        #expect(try await back.frame("welcome").bool("resumed") == true)
        #expect(try await infos(b) == ["amy": "-", "bob": "glad"])
        // In all rooms, and in those that come.
        _ = try await back.ask(#""type":"presence","info":{"mood":"calm"}"#)
        try await back.join("s")
        #expect(try await infos(b)["bob"] == "calm")
        let other = try await b.request("GET", "/v1/rooms/s/members")
        #expect(other.body.contains(#""info":{"mood":"calm"}"#))
        withExtendedLifetime(cluster) {}
    }

    @Test func `who changes it without end is told of once a second, the latest, and nobody is left behind`()
        async throws
    {
        let cluster = try await Cluster.start(environment: Cluster.patience)
        let amy = try await WireClient.connect(to: cluster.nodes[0], as: "amy")
        let bob = try await WireClient.connect(to: cluster.nodes[1], as: "bob")
        try await amy.join("r")
        let version = try #require(try await bob.join("r").int("rosterVersion"))
        let began = ContinuousClock.now
        for step in 1...150 {
            #expect(try await bob.ask(#""type":"presence","roomId":"r","info":{"mood":\#(step)}"#).type == "ack")
        }
        try await amy.frame("presence") { $0.int("rosterVersion") == version + 150 }
        let seconds = Int((ContinuousClock.now - began) / .seconds(1))
        let told = amy.frames("presence").filter { $0.steps.contains("update bob") }
        #expect(told.count <= seconds + 2)
        #expect(told.last?.text.contains(#""mood":150"#) == true)
        withExtendedLifetime(cluster) {}
    }
}
