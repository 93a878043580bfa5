import Foundation
import TestKit
import Testing
import TestSupport

@Suite("Clients that speak Pusher's protocol, beside native ones")
struct PusherTests {
    private func cluster(_ environment: [String: String] = [:]) async throws -> Cluster {
        let all = Cluster.patience.merging(PusherClient.environment) { $1 }.merging(environment) { $1 }
        return try await Cluster.start(environment: all)
    }

    private func members(_ node: NodeProcess, _ room: String) async throws -> Set<String> {
        let answer = try await node.request("GET", "/v1/rooms/\(room)/members").json
        return Set((answer?["members"] as? [[String: Any]] ?? []).compactMap { $0["userId"] as? String })
    }

    private func isOnline(_ node: NodeProcess, _ user: String) async throws -> Bool {
        try await node.request("GET", "/v1/users/\(user)").json?["online"] as? Bool ?? false
    }

    @Test func `a presence channel is one roster for both kinds of clients, on both nodes`() async throws {
        let cluster = try await cluster()
        let (a, b) = (cluster.nodes[0], cluster.nodes[1])
        let room = "presence-lesson"
        let bob = try await WireClient.connect(to: b, as: "bob")
        try await bob.join(room)
        let alice = try await PusherClient.connect(to: a)
        try await alice.subscribe(room, as: "alice", info: #"{"name":"Al"}"#)
        #expect(alice.members(of: room) == ["alice", "bob"])
        let joined = try await bob.frame("presence") { $0.steps.contains("join alice") }
        #expect((joined.list("events").first?["info"] as? [String: Any])?["name"] as? String == "Al")
        let carol = try await PusherClient.connect(to: b)
        try await carol.subscribe(room, as: "carol")
        try await alice.frame("pusher_internal:member_added", on: room) { $0.data["user_id"] as? String == "carol" }
        let tab = try await PusherClient.connect(to: b)
        try await tab.subscribe(room, as: "alice")
        for one in [alice, carol, tab] { #expect(one.members(of: room) == ["alice", "bob", "carol"]) }
        #expect(try await members(a, room) == ["alice", "bob", "carol"])
        #expect(try await isOnline(b, "alice"))
        #expect(try await isOnline(a, "carol"))

        tab.unsubscribe(room)
        tab.close()
        carol.unsubscribe(room)
        try await alice.frame("pusher_internal:member_removed", on: room) { $0.data["user_id"] as? String == "carol" }
        try await bob.frame("presence") { $0.steps.contains("leave carol") }
        _ = try await bob.ask(#""type":"leave","roomId":"\#(room)""#)
        try await alice.frame("pusher_internal:member_removed", on: room) { $0.data["user_id"] as? String == "bob" }
        #expect(alice.members(of: room) == ["alice"])
        #expect(alice.frames("pusher_internal:member_removed", on: room).count == 2)
        #expect(alice.frames("pusher_internal:member_added", on: room).count == 1)
        withExtendedLifetime(cluster) {}
    }

    @Test func `messages and client events go both ways, across nodes, and not back to who sent them`() async throws {
        let cluster = try await cluster()
        let (a, b) = (cluster.nodes[0], cluster.nodes[1])
        let room = "presence-chat"
        let native = try await WireClient.connect(to: a, as: "nat")
        try await native.join(room)
        let (one, two) = (try await PusherClient.connect(to: a), try await PusherClient.connect(to: b))
        try await one.subscribe(room, as: "one")
        try await two.subscribe(room, as: "two")
        one.send(#"{"event":"client-typing","channel":"\#(room)","data":{"x": 1}}"#)
        let typing = try await two.frame("client-typing", on: room)
        #expect(typing.string == #"{"x": 1}"# && typing.user == "one")
        let seen = try await native.frame("message") { $0.string("event") == "client-typing" }
        #expect(seen.bool("volatile") == true && seen.string("userId") == "one" && seen.int("seq") == nil)
        _ = try await native.ask(#""type":"message","roomId":"\#(room)","event":"drawn","payload":"[1]""#)
        for one in [one, two] {
            let drawn = try await one.frame("drawn", on: room)
            #expect(drawn.string == "[1]" && drawn.user == "nat")
        }
        let body = #"{"to":{"rooms":["\#(room)"]},"event":"saved","payload":{"n":2}}"#
        #expect(try await b.request("POST", "/v1/broadcast", body: body).status == 200)
        let saved = try await one.frame("saved", on: room)
        #expect(saved.string == #"{"n":2}"# && saved.user == nil)
        #expect(one.frames("client-typing", on: room).isEmpty)
        withExtendedLifetime(cluster) {}
    }

    @Test func `who has signed in gets what is for the user, and is online as any other`() async throws {
        let cluster = try await cluster()
        let (a, b) = (cluster.nodes[0], cluster.nodes[1])
        let client = try await PusherClient.connect(to: a)
        client.ask("#server-to-user-alice")
        try await client.frame("pusher:subscription_error", on: "#server-to-user-alice")
        try await client.signIn(as: "alice")
        try await client.subscribe("#server-to-user-alice")
        try await eventually("alice online") { try await isOnline(b, "alice") }
        let body = #"{"to":{"users":["alice"]},"event":"news","payload":1}"#
        let answer = try await b.request("POST", "/v1/broadcast", body: body)
        #expect(answer.status == 200)
        #expect(try await client.frame("news", on: "#server-to-user-alice").string == "1")
        #expect(try await b.request("POST", "/v1/users/alice/disconnect", body: "{}").status == 200)
        #expect(await client.closed() == 4009)
        try await eventually("alice offline") { try await !isOnline(b, "alice") }
        withExtendedLifetime(cluster) {}
    }

    @Test func `members of a node that was killed are told to have left, once each`() async throws {
        let cluster = try await cluster()
        let (a, b) = (cluster.nodes[0], cluster.nodes[1])
        let room = "presence-storm"
        let watcher = try await PusherClient.connect(to: b)
        try await watcher.subscribe(room, as: "watcher")
        var clients: [PusherClient] = []
        for index in 0..<30 {
            let client = try await PusherClient.connect(to: a)
            client.ask(room, as: "u\(index)")
            clients.append(client)
        }
        for client in clients { try await client.frame("pusher_internal:subscription_succeeded", on: room) }
        try await eventually("all of them") { watcher.members(of: room).count == 31 }
        // One comes back elsewhere before anybody is told.
        a.kill9()
        let back = try await PusherClient.connect(to: b)
        try await back.subscribe(room, as: "u0")
        try await eventually("those who are left", within: .seconds(15)) {
            watcher.members(of: room) == ["watcher", "u0"]
        }
        let removed = watcher.frames("pusher_internal:member_removed", on: room).compactMap {
            $0.data["user_id"] as? String
        }
        #expect(removed.sorted() == (1..<30).map { "u\($0)" }.sorted())
        #expect(try await members(b, room) == ["watcher", "u0"])
        withExtendedLifetime((cluster, clients)) {}
    }

    @Test func `a draining node sends its clients elsewhere with 4200, and nobody is told that they left`() async throws
    {
        let cluster = try await cluster(["MARTLET_DRAIN_TIMEOUT": "4s", "MARTLET_PRESENCE_GRACE": "10s"])
        let (a, b) = (cluster.nodes[0], cluster.nodes[1])
        let room = "presence-moving"
        let watcher = try await PusherClient.connect(to: b)
        try await watcher.subscribe(room, as: "watcher")
        let moving = try await PusherClient.connect(to: a)
        try await moving.subscribe(room, as: "moving")
        try await watcher.frame("pusher_internal:member_added", on: room)
        a.terminate()
        #expect(await moving.closed() == 4200)
        let back = try await PusherClient.connect(to: b)
        try await back.subscribe(room, as: "moving")
        #expect(back.members(of: room) == ["watcher", "moving"])
        #expect(watcher.frames("pusher_internal:member_removed", on: room).isEmpty)
        #expect(watcher.frames("pusher_internal:member_added", on: room).count == 1)
        #expect(await a.exitStatus() == 0)
        withExtendedLifetime(cluster) {}
    }

    @Test func `a roster larger than what may wait for a client is one frame, and one member too many is refused`()
        async throws
    {
        let cluster = try await cluster([
            "MARTLET_PUSHER_MAX_PRESENCE_MEMBERS": "300", "MARTLET_CLIENT_MAX_QUEUED_BYTES": "128KiB",
            "MARTLET_CLIENT_MAX_MESSAGE_BYTES": "16KiB",
        ])
        let (a, b) = (cluster.nodes[0], cluster.nodes[1])
        let room = "presence-crowd"
        let info = #"{"x":"\#(String(repeating: "x", count: 1000))"}"#
        var clients: [PusherClient] = []
        for index in 0..<300 {
            let client = try await PusherClient.connect(to: index % 2 == 0 ? a : b)
            client.ask(room, as: "u\(index)", info: info)
            clients.append(client)
        }
        for client in clients { try await client.frame("pusher_internal:subscription_succeeded", on: room) }
        let late = try await PusherClient.connect(to: a)
        try await late.subscribe(room, as: "u0", info: info)
        #expect(late.members(of: room).count == 300)
        let other = try await PusherClient.connect(to: b)
        other.ask(room, as: "one-too-many", info: info)
        let refusal = try await other.frame("pusher:subscription_error", on: room)
        #expect(refusal.data["status"] as? Int == 403)
        try await eventually("the roster as it was") { try await members(a, room).count <= 300 }
        withExtendedLifetime((cluster, clients)) {}
    }

    @Test func `where auth_mode is left out apps alone are served`() async throws {
        let node = try await NodeProcess.start(
            nodeId: "a", redisURL: nil, environment: PusherClient.environment.merging(["MARTLET_AUTH_MODE": ""]) { $1 })
        let client = try await PusherClient.connect(to: node)
        try await client.subscribe("private-encrypted-a")
        try await client.subscribe("news")
        await #expect(throws: (any Error).self) { try await WireClient.connect(to: node, as: "alice") }
        withExtendedLifetime(node) {}
    }
}
