import Foundation
import TestKit
import Testing
import TestSupport

/// What holds in a room binds an app's clients as it binds native ones.
@Suite("Pusher's clients in rooms that are governed")
struct PusherGovernedTests {
    private let room = "presence-class"

    private func cluster() async throws -> Cluster {
        try await Cluster.start(environment: Cluster.patience.merging(PusherClient.environment) { $1 })
    }

    private func change(_ node: NodeProcess, _ method: String, _ path: String, _ body: String? = nil) async throws {
        let answer = try await node.request(method, "/v1/rooms/\(path)", body: body)
        #expect((200..<300).contains(answer.status), "\(method) \(path): \(answer.status) \(answer.body)")
    }

    /// Asks to be let in; answers the status of the refusal.
    private func refusal(_ client: PusherClient, _ channel: String, as user: String? = nil) async throws -> Int? {
        let count = client.frames("pusher:subscription_error", on: channel).count
        client.ask(channel, as: user)
        try await eventually("a refusal") {
            client.frames("pusher:subscription_error", on: channel).count > count
        }
        return client.frames("pusher:subscription_error", on: channel).last?.data["status"] as? Int
    }

    @Test func `who is banned is put out on whatever node, and not let in again until the ban is lifted`() async throws
    {
        let cluster = try await cluster()
        let (a, b) = (cluster.nodes[0], cluster.nodes[1])
        let watcher = try await PusherClient.connect(to: a)
        try await watcher.subscribe(room, as: "watcher")
        let ann = try await PusherClient.connect(to: b)
        try await ann.subscribe(room, as: "ann")
        try await watcher.frame("pusher_internal:member_added", on: room)
        try await change(a, "PUT", "\(room)/bans/ann", #"{"reason":"noise"}"#)
        let out = try await ann.frame("pusher:subscription_error", on: room)
        #expect(out.data["status"] as? Int == 403)
        try await watcher.frame("pusher_internal:member_removed", on: room) { $0.data["user_id"] as? String == "ann" }
        #expect(try await refusal(ann, room, as: "ann") == 403)
        let other = try await PusherClient.connect(to: a)
        #expect(try await refusal(other, room, as: "ann") == 403)
        // Elsewhere she may be, and here somebody else.
        try await ann.subscribe("presence-other", as: "ann")
        try await other.subscribe(room, as: "bob")
        try await change(b, "DELETE", "\(room)/bans/ann")
        let again = try await PusherClient.connect(to: b)
        try await again.subscribe(room, as: "ann")
        #expect(again.members(of: room) == ["watcher", "bob", "ann"])
        #expect(watcher.users("pusher_internal:member_removed", on: room) == ["ann"])
        withExtendedLifetime(cluster) {}
    }

    @Test func `events of whoever is mute reach nobody, and it is told without an end`() async throws {
        let cluster = try await cluster()
        let (a, b) = (cluster.nodes[0], cluster.nodes[1])
        let (ann, bob) = (try await PusherClient.connect(to: a), try await PusherClient.connect(to: b))
        try await ann.subscribe(room, as: "ann")
        try await bob.subscribe(room, as: "bob")
        let native = try await WireClient.connect(to: a, as: "nat")
        try await native.join(room)
        func say(_ number: Int) {
            ann.send(#"{"event":"client-said","channel":"\#(room)","data":{"n":\#(number)}}"#)
        }
        say(1)
        try await bob.frame("client-said", on: room)
        try await change(b, "PUT", "\(room)/mutes/ann", "{}")
        say(2)
        let error = try await ann.frame("pusher:error")
        // A code of its range would keep clients away for good.
        #expect(error.data["code"] as? Int == nil && ann.isOpen)
        try await change(b, "DELETE", "\(room)/mutes/ann")
        say(3)
        try await bob.frame("client-said", on: room) { $0.data["n"] as? Int == 3 }
        #expect(bob.frames("client-said", on: room).compactMap { $0.data["n"] as? Int } == [1, 3])
        try await native.frame("message") { $0.text.contains(#""n":3"#) }
        #expect(native.frames("message").allSatisfy { !$0.text.contains(#""n":2"#) })
        withExtendedLifetime(cluster) {}
    }

    @Test func `a locked room, a full one and a role that may not are 403, and channels without a roster are shut`()
        async throws
    {
        let cluster = try await cluster()
        let (a, b) = (cluster.nodes[0], cluster.nodes[1])
        let ann = try await PusherClient.connect(to: a)
        try await ann.subscribe(room, as: "ann")
        try await ann.subscribe("private-class")
        let other = try await PusherClient.connect(to: b)
        try await change(b, "PUT", room, #"{"version":0,"locked":true}"#)
        #expect(try await refusal(other, room, as: "bob") == 403)
        try await change(b, "PATCH", room, #"{"locked":false,"maxMembers":1}"#)
        #expect(try await refusal(other, room, as: "bob") == 403)
        try await change(b, "PATCH", room, #"{"maxMembers":null,"join":["moderator"]}"#)
        #expect(try await refusal(other, room, as: "bob") == 403)
        try await change(b, "PATCH", room, #"{"join":null}"#)
        try await other.subscribe(room, as: "bob")
        #expect(other.members(of: room) == ["ann", "bob"])
        // Nobody is on a roster there whom its settings could bind.
        try await change(b, "PUT", "private-class", #"{"version":0,"title":"Class"}"#)
        let out = try await ann.frame("pusher:subscription_error", on: "private-class")
        #expect(out.data["status"] as? Int == 403)
        #expect(try await refusal(other, "private-class") == 403)
        // Who is taken out by hand may come again.
        try await change(a, "DELETE", "\(room)/members/bob")
        try await other.frame("pusher:subscription_error", on: room) { $0.text.contains("closed to this user") }
        let again = try await PusherClient.connect(to: a)
        try await again.subscribe(room, as: "bob")
        withExtendedLifetime(cluster) {}
    }
}
