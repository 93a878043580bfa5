import Foundation
import TestKit
import Testing
import TestSupport

@Suite("What users say of themselves")
struct UserStateTests {
    private func state(of user: String, on node: NodeProcess) async throws -> String {
        let answer = try await node.request("GET", "/v1/users/\(user)").json
        return answer?["state"] as? String ?? (answer?["online"] as? Bool == true ? "online" : "offline")
    }

    private func statuses(_ client: WireClient, of user: String) -> [String] {
        client.frames("status").filter { $0.string("userId") == user }.map {
            $0.bool("online") == true ? $0.string("state") ?? "online" : "offline"
        }
    }

    private func say(_ state: String, _ client: WireClient) async throws {
        #expect(try await client.ask(#""type":"state","state":"\#(state)""#).type == "ack")
    }

    @Test func `a user is away when all connections are, and back with the first that is`() async throws {
        let cluster = try await Cluster.start(environment: Cluster.patience)
        let (a, b) = (cluster.nodes[0], cluster.nodes[1])
        let watcher = try await WireClient.connect(to: a, as: "watcher")
        _ = try await watcher.ask(#""type":"watch","users":["eve"]"#)
        let laptop = try await WireClient.connect(to: a, as: "eve")
        let phone = try await WireClient.connect(to: b, as: "eve")
        try await say("away", phone)
        #expect(try await state(of: "eve", on: a) == "active")
        try await say("away", laptop)
        try await watcher.frame("status") { $0.string("state") == "away" }
        #expect(try await state(of: "eve", on: b) == "away")
        let asked = try await b.request("POST", "/v1/users/query", body: #"{"users":["eve"]}"#)
        #expect(asked.body.contains(#""online":true,"state":"away""#))
        let late = try await WireClient.connect(to: b, as: "late")
        let watching = try await late.ask(#""type":"watch","users":["eve"]"#)
        #expect(watching.list("users").first?["state"] as? String == "away")

        // A third that comes is there; once it has gone those that are left are away.
        let tablet = try await WireClient.connect(to: a, as: "eve")
        try await eventually("back") { try await state(of: "eve", on: b) == "active" }
        tablet.close()
        try await eventually("away again") { try await state(of: "eve", on: b) == "away" }
        try await say("active", laptop)
        #expect(try await state(of: "eve", on: b) == "active")
        phone.close()
        laptop.close()
        try await eventually("offline") { try await state(of: "eve", on: a) == "offline" }
        try await watcher.frame("status") { $0.bool("online") == false }
        let told = statuses(watcher, of: "eve")
        #expect(told.first == "active" && told.last == "offline" && told.contains("away"))
        #expect(zip(told, told.dropFirst()).allSatisfy { $0 != $1 })
        // Who comes back is not away.
        let back = try await WireClient.connect(to: b, as: "eve")
        #expect(try await state(of: "eve", on: a) == "active")
        #expect(try await back.ask(#""type":"state","state":"asleep""#).string("code") == "bad_request")
        withExtendedLifetime((cluster, late)) {}
    }

    @Test func `who is invisible is offline and in no room for others, and there for backends, until seen again`()
        async throws
    {
        let cluster = try await Cluster.start(environment: Cluster.patience)
        let (a, b) = (cluster.nodes[0], cluster.nodes[1])
        let amy = try await WireClient.connect(to: a, as: "amy")
        try await amy.join("r")
        _ = try await amy.ask(#""type":"watch","users":["eve"]"#)
        let here = try await WireClient.connect(to: a, as: "eve")
        let there = try await WireClient.connect(to: b, as: "eve")
        for client in [here, there] { try await client.join("r") }
        try await there.join("s")
        try await amy.frame("presence") { $0.steps == ["join eve"] }

        try await say("invisible", here)
        let gone = try await amy.frame("presence") { $0.steps == ["leave eve"] }
        #expect(gone.int("members") == 1)
        try await amy.frame("status") { $0.bool("online") == false }
        let members = try await amy.ask(#""type":"members","roomId":"r""#)
        #expect(members.int("count") == 1 && members.list("members").compactMap { $0["userId"] as? String } == ["amy"])
        #expect(try await state(of: "eve", on: b) == "invisible")
        for room in ["r", "s"] {
            try await eventually("the other node's rooms") {
                let answer = try await a.request("GET", "/v1/rooms/\(room)/members").json
                return answer?["count"] as? Int == (room == "r" ? 2 : 1)
            }
        }
        #expect(try await a.request("GET", "/v1/rooms/r").json?["members"] as? Int == 2)
        // Nobody is called who cannot be seen; what the invisible do themselves they do.
        let call = #""type":"signal","roomId":"r","payload":1,"to":"#
        #expect(try await amy.ask(call + #""eve""#).string("code") == "not_found")
        #expect(try await here.ask(call + #""amy""#).type == "ack")
        #expect(try await here.ask(#""type":"message","roomId":"r","payload":1"#).type == "ack")
        // A room that is joined meanwhile, and another connection, tell nothing; nor does the end of one.
        try await here.join("t")
        try await amy.join("t")
        let third = try await WireClient.connect(to: b, as: "eve")
        try await third.join("r")
        third.close()
        _ = await third.ended()
        let joined = try await amy.ask(#""type":"join","roomId":"t""#)
        #expect(joined.int("members") == 1)

        try await say("active", there)
        try await amy.frame("presence") {
            $0.string("roomId") == "r" && $0.steps == ["join eve"] && $0.int("members") == 2
                && ($0.int("rosterVersion") ?? 0) > (gone.int("rosterVersion") ?? 0)
        }
        try await amy.frame("presence") { $0.string("roomId") == "t" && $0.steps == ["join eve"] }
        try await eventually("seen again") { statuses(amy, of: "eve").last == "active" }
        #expect(statuses(amy, of: "eve") == ["active", "offline", "active"])
        #expect(try await state(of: "eve", on: a) == "active")
        let all = try await amy.ask(#""type":"members","roomId":"r""#)
        #expect(all.int("count") == 2)
        withExtendedLifetime(cluster) {}
    }

    @Test func `the wish outlasts the last connection, and what happens meanwhile is told to nobody`() async throws {
        let cluster = try await Cluster.start(environment: Cluster.patience)
        let (a, b) = (cluster.nodes[0], cluster.nodes[1])
        let amy = try await WireClient.connect(to: a, as: "amy")
        try await amy.join("r")
        _ = try await amy.ask(#""type":"watch","users":["eve"]"#)
        let first = try await WireClient.connect(to: b, as: "eve")
        try await say("invisible", first)
        try await amy.frame("status") { $0.bool("online") == false }
        let seen = try #require(amy.frames("status").last?.int("timestamp"))
        first.close()
        try await eventually("offline") { try await state(of: "eve", on: a) == "offline" }
        let second = try await WireClient.connect(to: a, as: "eve")
        #expect(try await state(of: "eve", on: b) == "invisible")
        try await second.join("r")
        // A page that is hidden and shown again does not end it.
        try await say("away", second)
        try await say("active", second)
        #expect(try await state(of: "eve", on: b) == "invisible")
        let watching = try await amy.ask(#""type":"watch","users":["eve"]"#)
        #expect(watching.list("users").first?["online"] as? Bool == false)
        #expect(watching.list("users").first?["lastSeen"] as? Int == seen)
        second.abort()
        #expect(amy.frames("presence").isEmpty)
        #expect(statuses(amy, of: "eve") == ["active", "offline"])
        withExtendedLifetime(cluster) {}
    }

    @Test func `a resume keeps it, and a node that is killed takes its invisible members out of the room`() async throws
    {
        let cluster = try await Cluster.start(environment: Cluster.patience)
        let (a, b) = (cluster.nodes[0], cluster.nodes[1])
        let amy = try await WireClient.connect(to: a, as: "amy")
        try await amy.join("r")
        let eve = try await WireClient.connect(to: b, as: "eve")
        try await eve.join("r")
        try await say("invisible", eve)
        try await amy.frame("presence") { $0.steps == ["leave eve"] }
        let session = try #require(try await eve.frame("welcome").string("session"))
        eve.abort()
        let back = try await WireClient.connect(to: b, as: "eve", query: "&session=\(session)")
        #expect(try await back.frame("welcome").bool("resumed") == true)
        #expect(try await a.request("GET", "/v1/rooms/r").json?["members"] as? Int == 2)
        b.kill9()
        try await eventually("swept") { try await a.request("GET", "/v1/rooms/r").json?["members"] as? Int == 1 }
        #expect(amy.frames("presence").flatMap(\.steps) == ["join eve", "leave eve"])
        #expect(try await state(of: "eve", on: a) == "offline")
        withExtendedLifetime(cluster) {}
    }
}
