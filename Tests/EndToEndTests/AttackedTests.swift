import TestKit
import Testing
import TestSupport

@Suite("An operator under attack")
struct AttackedTests {
    @Test func `sees who it is on any node, bans an address on all, and lets it in again`() async throws {
        let cluster = try await Cluster.start(environment: Cluster.patience)
        let (a, b) = (cluster.nodes[0], cluster.nodes[1])
        let alice = try await WireClient.connect(to: a, as: "alice")
        try await alice.join("lobby")
        for number in 1...100 {
            _ = try await alice.ask(#""type":"message","roomId":"lobby","payload":\#(number)"#)
        }
        // What a connection has spent is told in portions, and the rest at its end.
        let crowd = try await WireClient.connect(to: a, as: "bob")
        crowd.close()
        alice.close()
        try await eventually("alice among those who cost most") {
            try await b.request("GET", "/v1/top?by=bytesIn&of=users").body.contains(#""userId":"alice""#)
        }
        let addresses = try await b.request("GET", "/v1/top?by=cpu&of=addresses").body
        #expect(addresses.contains(#""address":"127.0.0.1""#))

        let carol = try await WireClient.connect(to: b, as: "carol")
        let ban = try await a.request(
            "PUT", "/v1/addresses/bans", body: #"{"cidr":"127.0.0.0/8","seconds":3600,"reason":"a test"}"#)
        #expect(ban.status == 200)
        for node in cluster.nodes {
            try await eventually("403") {
                try await HTTPAnswer.fetch(port: node.clientPort, path: "/healthz").status == 403
            }
        }
        #expect(try await carol.join("lobby").type == "joined", "who stands already goes on")
        #expect(try await b.request("GET", "/v1/addresses/bans").body.contains(#""reason":"a test""#))
        #expect(try await b.request("DELETE", "/v1/addresses/bans?cidr=127.0.0.0/8").status == 200)
        for node in cluster.nodes {
            try await eventually("200") {
                try await HTTPAnswer.fetch(port: node.clientPort, path: "/healthz").status == 200
            }
        }
    }
}
