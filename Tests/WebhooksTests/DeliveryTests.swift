import GatewayCore
import NIOCore
import NIOPosix
import RedisBackend
import TestKit
import Testing
import Webhooks
import TestSupport

@Suite("Events from the ledger to the backend")
struct DeliveryTests {
    @Test func `a user who comes, joins and goes is told in order, signed, to each receiver what it wants`()
        async throws
    {
        let redis = try RedisServerProcess()
        let all = try await HookServer.start()
        let picky = try await HookServer.start()
        let receivers = [
            WebhookReceiver(url: all.url, types: nil), WebhookReceiver(url: picky.url, types: ["user.offline"]),
        ]
        let node = try await HookNode.start("a", on: redis, configuration: .brisk(receivers))
        try await node.connect("c1", "alice")
        try await node.join("lesson", "c1")
        node.backend.presence.disconnect("c1", .farewell(.closed))
        try await eventually("both to know") { all.events.count == 6 && picky.events.count == 1 }
        let ofUser = all.events.filter { $0.roomId == nil }.map(\.type)
        let ofRoom = all.events.filter { $0.roomId == "lesson" }.map(\.type)
        #expect(ofUser == ["user.online", "user.offline"])
        #expect(ofRoom == ["room.occupied", "member.joined", "member.left", "room.vacated"])
        #expect(picky.events[0].type == "user.offline" && picky.events[0].cause == "closed")
        for request in all.requests + picky.requests {
            let signature = try #require(request.signature.flatMap { WebhookSignature($0) })
            #expect(signature.isValid(for: request.body, secret: "a secret of a test"))
        }
        try await eventually("all to be settled") {
            try await node.backend.webhookDirectory.webhooks().map(\.lag) == [0, 0]
        }
        let status = try await node.backend.webhookDirectory.webhooks()
        #expect(status.allSatisfy { $0.lastSent != nil && $0.lastError == nil })
        try await node.stop()
    }

    @Test func `a receiver that is added gets what comes from then on, and one that is taken away nothing more`()
        async throws
    {
        let redis = try RedisServerProcess()
        let (first, second) = (try await HookServer.start(), try await HookServer.start())
        let (one, two) = (
            WebhookReceiver(url: first.url, types: ["user.online"]),
            WebhookReceiver(url: second.url, types: ["user.online"])
        )
        let node = try await HookNode.start("a", on: redis, configuration: .brisk([one]))
        try await node.connect("c1", "alice")
        // Told, and noted as told: one that is taken away between would be told again.
        try await eventually("the first to know") {
            guard first.events.count == 1 else { return false }
            return try await node.backend.webhookDirectory.webhooks().allSatisfy { $0.lag == 0 }
        }
        node.replace(.brisk([one, two]))
        try await node.connect("c2", "bob")
        try await eventually("both to know") {
            first.events.contains { $0.userId == "bob" } && second.events.contains { $0.userId == "bob" }
        }
        try await eventually("both to have it noted") {
            let webhooks = try await node.backend.webhookDirectory.webhooks()
            return webhooks.count == 2 && webhooks.allSatisfy { $0.lag == 0 }
        }
        node.replace(.brisk([two]))
        try await node.connect("c3", "carol")
        try await eventually("the second to know") { second.events.contains { $0.userId == "carol" } }
        #expect(!first.events.contains { $0.userId == "carol" })
        #expect(first.events.filter { $0.userId == "alice" }.count == 1)
        try await node.stop()
    }

    @Test func `a receiver that hangs holds up neither the other receiver nor more requests than it is allowed`()
        async throws
    {
        let redis = try RedisServerProcess()
        let hanging = try await HookServer.start { _, _ in .never }
        let good = try await HookServer.start()
        var configuration = WebhookConfiguration.brisk([
            WebhookReceiver(url: hanging.url, types: nil), WebhookReceiver(url: good.url, types: nil),
        ])
        configuration.concurrency = 3
        configuration.drainTimeout = .milliseconds(200)
        let node = try await HookNode.start("a", on: redis, configuration: configuration)
        for number in 0..<100 { try await node.connect("c\(number)", "user-\(number)") }
        try await eventually("the good one to know") { good.events.count == 100 }
        #expect(hanging.mostUnderWay == 3 && hanging.events.isEmpty)
        #expect(good.mostUnderWay <= 3)
        try await eventually("the good one's to be settled, the other's not") {
            try await node.backend.webhookDirectory.webhooks().map(\.lag) == [100, 0]
        }
        try await node.stop()
    }

    @Test func `events that nobody was there to send are sent by the next node, a batch cut short again under its ids`()
        async throws
    {
        let redis = try RedisServerProcess()
        // The first node's request is never answered.
        let server = try await HookServer.start { number, _ in number == 0 ? .never : .status(200) }
        var configuration = WebhookConfiguration.brisk([WebhookReceiver(url: server.url, types: ["user.online"])])
        configuration.drainTimeout = .zero
        let first = try await HookNode.start("a", on: redis, configuration: configuration)
        try await first.connect("c1", "alice")
        try await eventually("the request") { server.requests.count == 1 }
        try await first.kill()
        let second = try await HookNode.start("b", on: redis, configuration: configuration)
        try await eventually("the event") { server.events.count == 1 }
        #expect(server.requests[0].events == server.requests[1].events)
        try await second.stop()
        try await first.proxy.refuse(false)
        try await first.stop()
    }
}
