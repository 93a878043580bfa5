import Foundation
import TestKit
import TestSupport
import Testing

@Suite("Rooms that only guests are in", .serialized)
struct PusherGuestTests {
    private static let channel = "news"

    private func connections(_ node: NodeProcess) async throws -> Int? {
        let answer = try await node.request("GET", "/v1/rooms/\(Self.channel)")
        return answer.status == 404 ? nil : answer.json?["connections"] as? Int
    }

    private func guests(_ count: Int, on node: NodeProcess) async throws -> [PusherClient] {
        var clients: [PusherClient] = []
        for _ in 0..<count {
            let client = try await PusherClient.connect(to: node)
            try await client.subscribe(Self.channel)
            clients.append(client)
        }
        return clients
    }

    private func told(_ server: HookServer) -> [String] {
        server.events.filter { $0.roomId == Self.channel }.map { $0.type + ($0.cause.map { " \($0)" } ?? "") }
    }

    @Test func `a node killed with all guests of a room: it is vacated once, within 5 s`() async throws {
        let server = try await HookServer.start()
        let fleet = try await Fleet.start(
            2,
            environment: Fleet.webhooks(
                server, PusherClient.environment.merging(["MARTLET_PRESENCE_GRACE": "5s"]) { $1 }))
        let (a, b) = (fleet.nodes[0], fleet.nodes[1])
        let clients = try await guests(40, on: a)
        try await eventually("all of them") { try await connections(b) == 40 }
        let list = try await b.request("GET", "/v1/rooms").json?["rooms"] as? [[String: Any]]
        #expect(list?.compactMap { $0["roomId"] as? String } == [Self.channel])
        try await eventually("the first") { told(server) == ["room.occupied"] }
        a.kill9()
        let (_, took, slowness) = try await Slowness.beside {
            try await eventually("the end") { told(server).count == 2 }
        }
        print("a room of 40 guests known to be vacated \(took) after the kill")
        #expect(took < .seconds(5) * slowness)
        #expect(told(server) == ["room.occupied", "room.vacated node_lost"])
        #expect(try await connections(b) ?? 0 == 0)
        let users = try await b.request("GET", "/v1/users").json
        #expect(users?["total"] as? Int == 0)
        withExtendedLifetime(clients) {}
    }

    @Test func `guests of a killed node who come back elsewhere keep the room, and the last to leave gives it up`()
        async throws
    {
        let server = try await HookServer.start()
        let fleet = try await Fleet.start(2, environment: Fleet.webhooks(server, PusherClient.environment))
        let (a, b) = (fleet.nodes[0], fleet.nodes[1])
        let lost = try await guests(10, on: a)
        a.kill9()
        let back = try await guests(3, on: b)
        let native = try await WireClient.connect(to: b, as: "alice")
        try await native.join(Self.channel)
        try await eventually("those who live") { try await connections(b) == 4 }
        _ = try await native.ask(#""type":"leave","roomId":"\#(Self.channel)""#)
        for client in back { client.unsubscribe(Self.channel) }
        try await eventually("the end") { told(server).last?.hasPrefix("room.vacated") ?? false }
        #expect(
            told(server) == [
                "room.occupied", "member.joined", "member.left explicit", "room.vacated explicit",
            ])
        withExtendedLifetime(lost) {}
    }
}
