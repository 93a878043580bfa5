import Foundation
import TestKit
import Testing
import TestSupport

/// Real nodes whose receivers fail, each in a way of its own, while the others go on.
@Suite("Webhooks whose receivers fail", .serialized)
struct WebhookReceiverFaults {
    @Test
    func `down for a minute, wrong certificates, a wrong name: each gets all once it is mended, the good one at once`()
        async throws
    {
        let certificates = try TestCertificates()
        let port = try ReservedPort()
        let good = try await HookServer.start()
        let selfSigned = try await HookServer.start(tls: try certificates.selfSigned(for: "localhost"))
        let otherName = try await HookServer.start(tls: try certificates.vouched(for: "other.example"))
        let down = "http://127.0.0.1:\(port.number)/hooks?token=hunter2"
        let urls = [
            good.url, down, "https://localhost:\(selfSigned.port)/", "https://localhost:\(otherName.port)/",
            "http://nobody.invalid/",
        ]
        let environment = ["MARTLET_WEBHOOKS_CA_FILE": certificates.authorityFile]
        let fleet = try await Fleet.start(2, environment: Fleet.webhooks(urls, environment))
        try await fleet.churn(users: 60, rounds: 1)
        let began = ContinuousClock.now
        try await EventAccount.compare(fleet, good, "beside four that fail, the first round", within: .seconds(20))
        let reasons = [
            "Connection refused", "name its authority's file in webhooks.caFile", "its certificate is for another name",
            "name does not resolve: correct webhooks.url",
        ]
        try await eventually("what is wrong with each", within: .seconds(60)) {
            let told = try await Self.status(by: fleet.nodes[1])
            return told.count == 5 && zip(told.dropFirst(), reasons).allSatisfy { $0.lag > 0 && $0.error.contains($1) }
        }
        let told = try await Self.status(by: fleet.nodes[0])
        #expect(told[0].lag == 0 && told[0].error.isEmpty)
        #expect(told[1].url == "http://127.0.0.1:\(port.number)/hooks")

        try await fleet.wait(.seconds(60) - (ContinuousClock.now - began))
        try await fleet.churn(users: 60, rounds: 1)
        try await EventAccount.compare(fleet, good, "beside four that fail, a minute later", within: .seconds(20))
        let back = try await HookServer.start(port: port.number)
        selfSigned.show(try certificates.vouched(for: "localhost"))
        otherName.show(try certificates.vouched(for: "localhost"))
        try await EventAccount.compare(fleet, back, "down for a minute")
        try await EventAccount.compare(fleet, selfSigned, "a certificate that nobody vouches for")
        try await EventAccount.compare(fleet, otherName, "a certificate for another name")

        // Another URL is another receiver, which is told from now on, and on request what was before.
        let corrected = try await HookServer.start()
        let nodes = try await each(["n0", "n1"]) { name in
            let next = try await NodeProcess.start(
                nodeId: "\(name)-again", redisURL: fleet.redis.url, environment: Fleet.webhooks(corrected, environment))
            try await eventually("the node's readiness") { try await next.request("GET", "/readyz").status == 200 }
            return next
        }
        for node in fleet.nodes {
            node.terminate()
            #expect(await node.exitStatus() == 0)
            #expect(reasons.allSatisfy { node.log.contains($0) })
            for secret in ["hunter2", Fleet.webhookSecret, NodeProcess.apiKey] { #expect(!node.log.contains(secret)) }
        }
        try await eventually("the replay to be taken", within: .seconds(60)) {
            let order = #"{"from":0,"url":"\#(corrected.url)"}"#
            return try await nodes[0].request("POST", "/v1/webhooks/replay", body: order).status == 200
        }
        try await EventAccount.compare(fleet, corrected, "a wrong name, corrected, and a replay")
        withExtendedLifetime(nodes) {}
    }

    @Test
    func `a private address that is not allowed: refused at the start, or told where a name leads there; then allowed`()
        async throws
    {
        // The machine's name leads to 127.0.0.1 on some, to 127.0.1.1 or another address of its own on others.
        let server = try await HookServer.start(host: "0.0.0.0")
        let plain = try await NodeProcess.run(
            ["serve"],
            environment: Fleet.webhooks(
                server, ["MARTLET_WEBHOOKS_ALLOW_PRIVATE": "false", "MARTLET_CLIENT_PORT": "0"]))
        #expect(plain.status == 78)
        #expect(plain.output.contains("needs webhooks.allowPrivate (MARTLET_WEBHOOKS_ALLOW_PRIVATE=true)"))

        let redis = try RedisServerProcess()
        // A private address to whoever looks it up, and to nobody else.
        let url = "http://\(ProcessInfo.processInfo.hostName):\(server.port)/"
        func start(_ name: String, _ allowed: String) async throws -> NodeProcess {
            let node = try await NodeProcess.start(
                nodeId: name, redisURL: redis.url,
                environment: Fleet.webhooks([url], ["MARTLET_WEBHOOKS_ALLOW_PRIVATE": allowed]))
            try await eventually("the node's readiness") { try await node.request("GET", "/readyz").status == 200 }
            return node
        }
        let strict = try await start("strict", "false")
        let client = try await WireClient.connect(to: strict, as: "alice")
        try await eventually("the warning") { strict.log.contains(" is a private address") }
        try await eventually("the reason") {
            try await Self.status(by: strict).first?.error.contains("docker compose, set webhooks.allowPrivate") == true
        }
        client.close()
        strict.terminate()
        #expect(await strict.exitStatus() == 0)
        #expect(server.requests.isEmpty)
        let lenient = try await start("lenient", "true")
        try await eventually("both events") { server.events.count >= 2 }
        #expect(Set(server.events.map(\.type)) == ["user.online", "user.offline"])
        withExtendedLifetime((redis, lenient)) {}
    }

    @Test func `a backlog that is full: what is lost is counted, logged as an error and told before what follows`()
        async throws
    {
        let gate = Gate()
        let server = try await HookServer.start { _, _ in gate.isOpen ? .status(200) : .status(503) }
        let fleet = try await Fleet.start(1, environment: Fleet.webhooks(server, ["MARTLET_WEBHOOKS_BACKLOG": "1000"]))
        let node = fleet.nodes[0]
        // All of one user's, and so in one ledger.
        for _ in 0..<800 {
            let client = try await WireClient.connect(to: node, as: "alice")
            client.close()
            _ = await client.ended()
        }
        try await eventually("the last to be told offline") {
            try await node.request("GET", "/v1/stats").json?["users"] as? Int == 0
        }
        gate.open()
        try await eventually("the error", within: .seconds(60)) { node.log.contains("Events were lost to a webhook") }
        let kept = try await fleet.ledger().count
        try await eventually("what is left", within: .seconds(60)) {
            Set(server.events.filter { $0.type != "events.lost" }.map(\.id)).count >= kept
        }
        var ids: Set<String> = []
        let first = server.events.filter { ids.insert($0.id).inserted }
        let lost = first.filter { $0.type == "events.lost" }.compactMap(\.count).reduce(0, +)
        let told = first.count { $0.type != "events.lost" }
        print("a full backlog: transitions 1600, events \(told), told to be lost \(lost)")
        #expect(lost + told == 1600 && lost > 0)
        let status = try await Self.status(by: node)
        #expect(status[0].lost == lost)
    }

    private struct Status {
        let url: String
        let lag: Int
        let lost: Int
        let error: String
    }

    /// What a node says of each receiver.
    private static func status(by node: NodeProcess) async throws -> [Status] {
        let answer = try await node.request("GET", "/v1/webhooks")
        return (answer.json?["webhooks"] as? [[String: Any]] ?? []).map { one in
            Status(
                url: one["url"] as? String ?? "", lag: one["lag"] as? Int ?? -1, lost: one["lost"] as? Int ?? -1,
                error: (one["lastError"] as? [String: Any])?["message"] as? String ?? "")
        }
    }
}
