import Foundation
import TestKit
import Testing
import TestSupport

/// What Pusher's clients and backends see when nodes die or leave, and Redis is away.
@Suite("Pusher's clients when things break", .serialized)
struct PusherFaults {
    private static let room = "presence-hall"

    private static func environment(_ more: [String: String] = [:]) -> [String: String] {
        PusherClient.environment.merging(more) { $1 }
    }

    private static var backend: PusherBackend {
        PusherBackend(id: "1", key: "key", secret: PusherClient.secret)
    }

    /// The users in a webhook's events of this name.
    private func told(_ name: String, by server: HookServer) -> [String] {
        server.requests.flatMap { request -> [[String: Any]] in
            let object = try? JSONSerialization.jsonObject(with: Data(request.body)) as? [String: Any]
            return object?["events"] as? [[String: Any]] ?? []
        }.filter { $0["name"] as? String == name && $0["channel"] as? String == Self.room }
            .compactMap { $0["user_id"] as? String }
    }

    @Test func `a node killed with a hundred members: each has left within 5 s, told once, and once by webhook`()
        async throws
    {
        let server = try await HookServer.start()
        let fleet = try await Fleet.start(
            2,
            environment: Self.environment([
                "MARTLET_WEBHOOKS_URL": "\(server.url) format=pusher", "MARTLET_WEBHOOKS_ALLOW_PRIVATE": "true",
            ]))
        let watcher = try await PusherClient.connect(to: fleet.nodes[0])
        try await watcher.subscribe(Self.room, as: "watcher")
        let users = (0..<100).map { "user-\($0)" }
        let lost = try await each(users) { user in
            let client = try await PusherClient.connect(to: fleet.nodes[1])
            try await client.subscribe(Self.room, as: user)
            return client
        }
        try await eventually("all of them") { watcher.members(of: Self.room).count == 101 }

        let (_, time, slowness) = try await Slowness.beside {
            fleet.nodes[1].kill9()
            try await eventually("their leaving") {
                watcher.users("pusher_internal:member_removed", on: Self.room).count >= users.count
            }
        }
        print("a hundred members of a killed node gone within \(time), slowness \(slowness)")
        #expect(time <= .seconds(5) * slowness)
        try await eventually("their leaving, by webhook") { told("member_removed", by: server).count >= users.count }
        try await fleet.wait(.seconds(1))
        #expect(watcher.users("pusher_internal:member_removed", on: Self.room).sorted() == users.sorted())
        #expect(told("member_removed", by: server).sorted() == users.sorted())
        #expect(told("member_added", by: server).sorted() == (users + ["watcher"]).sorted())
        #expect(watcher.members(of: Self.room) == ["watcher"])
        withExtendedLifetime(lost) {}
    }

    @Test func `a node drained under triggers: its clients are sent to the other with 4200, and miss nothing there`()
        async throws
    {
        let patience = ["MARTLET_DRAIN_TIMEOUT": "10s", "MARTLET_PRESENCE_GRACE": "30s"]
        let fleet = try await Fleet.start(2, environment: Self.environment(patience))
        let stay = try await PusherMember.begin("stay", in: Self.room, and: ["news"], on: [fleet.nodes[0]], first: 0)
        let moving = try await each((0..<40).map { "moving-\($0)" }) { user in
            try await PusherMember.begin(user, in: Self.room, and: ["news"], on: fleet.nodes, first: 1)
        }
        let stored = TriggerBook()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await stored.trigger("news", times: 250, every: .milliseconds(20)) { body in
                    try await fleet.nodes[0].call("POST", "/events", [:], body, by: Self.backend).status == 200
                }
            }
            group.addTask {
                try await fleet.wait(.seconds(1))
                fleet.nodes[1].terminate()
                #expect(await fleet.nodes[1].exitStatus() == 0)
            }
            try await group.waitForAll()
        }
        try await eventually("all on the other node") { moving.allSatisfy(\.isIn) }
        let everybody = Set(moving.map(\.user) + ["stay"])
        for member in moving + [stay] {
            try await eventually("\(member.user)'s roster") { member.roster == everybody }
        }
        // Nothing is lost on a connection: each has seen a run of numbers without a hole, and no run begins before another's
        // end; the last one of all has come to everybody.
        try await stored.trigger("news", times: 1, every: .zero) { body in
            try await fleet.nodes[0].call("POST", "/events", [:], body, by: Self.backend).status == 200
        }
        let all = stored.numbers
        for member in moving + [stay] {
            try await eventually("the last event, at \(member.user)") {
                member.clients.last?.frames("tick", on: "news").last?.string == all.last.map { "\($0)" }
            }
            var last = -1
            for client in member.clients {
                let seen = client.frames("tick", on: "news").compactMap { $0.string.flatMap { Int($0) } }
                // Sent home before the first one.
                guard let first = seen.first, let end = seen.last else { continue }
                #expect(first > last && seen == all.filter { (first...end).contains($0) }, "\(member.user)")
                last = end
            }
            #expect(last == all.last)
        }
        #expect(moving.allSatisfy { $0.closings == [4200] })
        #expect(stay.closings.isEmpty && stay.removed.isEmpty && moving.allSatisfy { $0.removed.isEmpty })
        #expect(try await fleet.members(of: Self.room, by: fleet.nodes[0]) == everybody)
        for member in moving + [stay] { member.end() }
    }

    @Test func `Redis cut for 3 s: subscriptions stay, triggers are 503, and nobody is told to be gone`() async throws {
        let redis = try RedisServerProcess()
        let proxy = try await FaultProxy.start(target: .unix(path: redis.socketPath))
        let fleet = try await Fleet.over(redis, environment: Self.environment()) { _, _ in
            "redis://127.0.0.1:\(proxy.port)"
        }
        let members = try await each(Array(0..<20)) { number in
            try await PusherMember.begin(
                "user-\(number)", in: Self.room, and: ["news"], on: fleet.nodes, first: number % 2)
        }
        let everybody = Set(members.map(\.user))
        for member in members {
            try await eventually("\(member.user)'s roster") { member.roster == everybody }
        }
        let body = #"{"name":"tick","data":"1","channel":"news"}"#
        #expect(try await fleet.nodes[0].call("POST", "/events", [:], body, by: Self.backend).status == 200)

        try await proxy.refuse(true)
        try await proxy.cutAll()
        let cut = ContinuousClock.now
        var statuses: Set<Int> = []
        repeat {
            for node in fleet.nodes {
                let away = body.replacing("\"1\"", with: "\"away\"")
                statuses.insert(try await node.call("POST", "/events", [:], away, by: Self.backend).status)
            }
            try await fleet.wait(.milliseconds(100))
        } while ContinuousClock.now - cut < .seconds(3)
        #expect(statuses == [503])
        try await proxy.refuse(false)

        try await fleet.ready()
        let last = body.replacing("\"1\"", with: "\"2\"")
        for node in fleet.nodes {
            try await eventually("a trigger") {
                try await node.call("POST", "/events", [:], last, by: Self.backend).status == 200
            }
        }
        for member in members {
            try await eventually("what came behind it, at \(member.user)") {
                member.clients.last?.frames("tick", on: "news").filter { $0.string == "2" }.count ?? 0 >= 2
            }
        }
        let late = try await PusherClient.connect(to: fleet.nodes[0])
        try await late.subscribe(Self.room, as: "late")
        for member in members {
            try await eventually("who comes behind it, at \(member.user)") { member.roster.contains("late") }
            #expect(member.clients.count == 1 && member.closings.isEmpty && member.removed.isEmpty)
            #expect(member.roster == everybody.union(["late"]))
        }
        #expect(late.members(of: Self.room) == everybody.union(["late"]))
        let ledger = try await fleet.ledger()
        #expect(ledger.allSatisfy { !["user.offline", "member.left"].contains($0.type) })
        for member in members { member.end() }
        try await proxy.stop()
    }

    @Test func `who comes and goes while a node hears nothing of it is told behind that, once each`() async throws {
        let redis = try RedisServerProcess()
        let proxy = try await FaultProxy.start(target: .unix(path: redis.socketPath))
        let fleet = try await Fleet.over(redis, environment: Self.environment()) { number, url in
            number == 0 ? "redis://127.0.0.1:\(proxy.port)" : url
        }
        let (deaf, other) = (fleet.nodes[0], fleet.nodes[1])
        let ann = try await PusherClient.connect(to: deaf)
        try await ann.subscribe(Self.room, as: "ann")
        let (bob, cid) = (try await PusherClient.connect(to: other), try await PusherClient.connect(to: other))
        try await bob.subscribe(Self.room, as: "bob")
        try await cid.subscribe(Self.room, as: "cid")
        try await eventually("all three") { ann.members(of: Self.room) == ["ann", "bob", "cid"] }

        try await proxy.refuse(true)
        try await proxy.cutAll()
        bob.close()
        try await cid.frame("pusher_internal:member_removed", on: Self.room)
        let dan = try await PusherClient.connect(to: other)
        try await dan.subscribe(Self.room, as: "dan")
        #expect(ann.members(of: Self.room) == ["ann", "bob", "cid"])
        try await proxy.refuse(false)
        try await eventually("what is other") { ann.members(of: Self.room) == ["ann", "cid", "dan"] }
        // What comes behind it comes as ever.
        let eve = try await PusherClient.connect(to: deaf)
        try await eve.subscribe(Self.room, as: "eve")
        for one in [ann, cid, dan] {
            try await eventually("eve") { one.members(of: Self.room) == ["ann", "cid", "dan", "eve"] }
        }
        #expect(eve.members(of: Self.room) == ["ann", "cid", "dan", "eve"])
        #expect(ann.users("pusher_internal:member_removed", on: Self.room) == ["bob"])
        #expect(ann.users("pusher_internal:member_added", on: Self.room) == ["bob", "cid", "dan", "eve"])
        #expect(ann.isOpen)
        try await proxy.stop()
    }

    @Test func `a thousand members with 1 kB each are one frame, and the next is refused and never seen`() async throws
    {
        // Most are in their grace by then: of a thousand connections each would be told of all others.
        let fleet = try await Fleet.start(2, environment: Self.environment(["MARTLET_PRESENCE_GRACE": "300s"]))
        let watcher = try await PusherClient.connect(to: fleet.nodes[1])
        let info = #"{"x":"\#(String(repeating: "x", count: 1016))"}"#
        #expect(info.utf8.count == 1024)
        try await watcher.subscribe(Self.room, as: "watcher", info: info)
        _ = try await each(Array(0..<998), width: 16) { number in
            let client = try await PusherClient.connect(to: fleet.nodes[number % 2])
            client.ask(Self.room, as: "user-\(number)", info: info)
            try await client.eventuallyIn(Self.room)
            client.abort()
        }
        let last = try await PusherClient.connect(to: fleet.nodes[0])
        try await last.subscribe(Self.room, as: "user-998", info: info)
        let late = try await PusherClient.connect(to: fleet.nodes[0])
        try await late.subscribe(Self.room, as: "user-0", info: info)
        let whole = try await late.frame("pusher_internal:subscription_succeeded", on: Self.room)
        #expect(whole.text.utf8.count > 1 << 20)
        #expect(late.members(of: Self.room).count == 1000)
        try await eventually("all of them") { watcher.members(of: Self.room).count == 1000 }

        for node in fleet.nodes {
            let other = try await PusherClient.connect(to: node)
            other.ask(Self.room, as: "one-too-many", info: info)
            let refusal = try await other.frame("pusher:subscription_error", on: Self.room)
            #expect(refusal.data["status"] as? Int == 403)
            #expect(other.isOpen)
        }
        // Whoever comes behind it is told behind it.
        last.close()
        try await watcher.frame("pusher_internal:member_removed", on: Self.room)
        #expect(!watcher.users("pusher_internal:member_added", on: Self.room).contains("one-too-many"))
        #expect(watcher.users("pusher_internal:member_removed", on: Self.room) == ["user-998"])
        withExtendedLifetime(late) {}
    }
}

extension PusherClient {
    /// Asked before; without reading what it was told.
    fileprivate func eventuallyIn(_ channel: String) async throws {
        try await eventually("the way into \(channel)") {
            self.frames.contains { $0.text.hasPrefix(#"{"event":"pusher_internal:subscription_succeeded""#) }
        }
    }
}
