import Foundation
import TestKit
import Testing
import TestSupport

@Suite("What every app asks for")
struct SmallThingsTests {
    private static let secret = "0123456789abcdef0123456789abcdef"

    @Test func `one connection is closed on whatever node it is, and the user's others stay`() async throws {
        let cluster = try await Cluster.start(environment: Cluster.patience)
        let (a, b) = (cluster.nodes[0], cluster.nodes[1])
        var clients: [WireClient] = []
        for node in [a, b, b] { clients.append(try await WireClient.connect(to: node, as: "eve")) }
        for (index, asked) in [a, a, b].enumerated() {
            let client = clients[index]
            let id = try #require(try await client.frame("welcome").string("connectionId"))
            let path = "/v1/connections/\(id)/disconnect"
            let answer = try await asked.request("POST", path, body: #"{"code":4409,"reason":"moved on"}"#)
            #expect(answer.status == 200 && answer.json?["disconnected"] as? Int == 1)
            let end = await client.ended()
            #expect(end.code == 4409)
            let others = clients.dropFirst(index + 1).count { !$0.isOpen }
            #expect(others == 0)
            try await eventually("a connection that is known no more") {
                try await b.request("POST", path, body: "{}").status == 404
            }
        }
        #expect(try await a.request("POST", "/v1/connections/never-was-here/disconnect").status == 404)
        withExtendedLifetime(cluster) {}
    }

    @Test func `where a node does not say whether it has the connection, that is not known`() async throws {
        let cluster = try await Cluster.start(environment: Cluster.patience)
        let (a, b) = (cluster.nodes[0], cluster.nodes[1])
        let client = try await WireClient.connect(to: b, as: "eve")
        let id = try #require(try await client.frame("welcome").string("connectionId"))
        b.pause()
        let answer = try await a.request("POST", "/v1/connections/\(id)/disconnect", body: "{}")
        #expect(answer.status == 503)
        b.resume()
        let own = try await WireClient.connect(to: a, as: "amy")
        let other = try #require(try await own.frame("welcome").string("connectionId"))
        #expect(try await a.request("POST", "/v1/connections/\(other)/disconnect", body: "{}").status == 200)
        withExtendedLifetime(cluster) {}
    }

    @Test func `a join with last begins with so many of the newest messages`() async throws {
        let cluster = try await Cluster.start()
        let (a, b) = (cluster.nodes[0], cluster.nodes[1])
        let writer = try await WireClient.connect(to: a, as: "amy")
        try await writer.join("r")
        for index in 1...5 { _ = try await writer.ask(#""type":"message","roomId":"r","payload":\#(index)"#) }
        for (node, count) in [(a, 2), (b, 2), (b, 100)] {
            let reader = try await WireClient.connect(to: node, as: "bob")
            let joined = try await reader.ask(#""type":"join","roomId":"r","last":\#(count)"#)
            #expect(joined.bool("recovered") == true && joined.int("seq") == 5)
            try await reader.frame("message") { $0.int("seq") == 5 }
            #expect(reader.frames("message").compactMap { $0.int("seq") } == Array(max(1, 6 - count)...5))
            let again = try await reader.ask(#""type":"join","roomId":"r","last":1"#)
            #expect(again.bool("recovered") == true)
            try await eventually("the newest once more") { reader.frames("message").last?.int("seq") == 5 }
            reader.close()
        }
        withExtendedLifetime(cluster) {}
    }

    @Test func `a client and a backend get TURN credentials by the same secret, and are told where there are none`()
        async throws
    {
        let environment = ["MARTLET_TURN_URLS": "turn:turn.example.org:3478", "MARTLET_TURN_SECRET": Self.secret]
        let cluster = try await Cluster.start(environment: environment)
        let client = try await WireClient.connect(to: cluster.nodes[0], as: "amy")
        let frame = try await client.ask(#""type":"turn""#)
        #expect(frame.type == "turn" && frame.int("ttl") == 3600)
        #expect(frame.fields["urls"] as? [String] == ["turn:turn.example.org:3478"])
        let name = try #require(frame.string("username"))
        #expect(name.hasSuffix(":amy"))
        let answer = try await cluster.nodes[1].request("POST", "/v1/turn", body: #"{"userId":"amy"}"#)
        #expect(answer.status == 200)
        let other = try #require(answer.json?["username"] as? String)
        if name == other { #expect(answer.json?["credential"] as? String == frame.string("credential")) }
        let bare = try await Cluster.start()
        let stranger = try await WireClient.connect(to: bare.nodes[0], as: "amy")
        #expect(try await stranger.ask(#""type":"turn""#).string("code") == "not_found")
        withExtendedLifetime((cluster, bare)) {}
    }
}
