import Foundation
import TestKit
import Testing
import TestSupport

/// What a node holds for clients that do not read, and for a Redis that does not answer; measured on a process.
@Suite("Memory of a node", .serialized)
struct MemoryFaults {
    private static let mebibyte = 1 << 20

    @Test func `a Redis that stands still does not fill the node: publishes fail at once, and memory is given back`()
        async throws
    {
        // Without prices, so that nothing but the bounds of memory keeps messages back.
        let fleet = try await Fleet.start(
            1,
            environment: [
                "MARTLET_CLIENT_MEMORY_BUDGET": "64MiB", "MARTLET_BUDGET_CONNECTION": "0s",
                "MARTLET_BUDGET_USER": "0s", "MARTLET_BUDGET_ROOM": "0s", "MARTLET_BUDGET_NODE": "0s",
            ])
        let node = fleet.nodes[0]
        var clients: [WireClient] = []
        for index in 0..<40 {
            let client = try await WireClient.connect(to: node, as: "u\(index)")
            try await client.join("room-\(index)")
            clients.append(client)
        }
        let honest = try await WireClient.connect(to: node, as: "honest")
        try await honest.join("room")
        let payload = String(repeating: "x", count: 60_000)
        // What the node keeps of each room's latest messages is there before as well as after. A round at a time: all
        // at once they are more than may be under way, and a slow Redis has the rest refused.
        for round in 1...10 {
            for (index, client) in clients.enumerated() {
                client.send(#"{"type":"message","id":"warm","roomId":"room-\#(index)","payload":"\#(payload)"}"#)
            }
            for client in clients { try await eventually("its messages") { client.frames("ack").count == round } }
        }
        let before = try await Self.resident(node)
        fleet.redis.pause()
        // 2.4 MB for each of them, most of it after Redis has fallen silent.
        for round in 0..<4 {
            for (index, client) in clients.enumerated() {
                for _ in 0..<10 {
                    client.send(#"{"type":"message","id":\#(round),"roomId":"room-\#(index)","payload":"\#(payload)"}"#)
                }
            }
            try await fleet.wait(.seconds(1))
        }
        let peak = try await Self.resident(node)
        #expect(try await Self.metric(#"martlet_memory_held_bytes{kind="publishes"}"#, node) <= 16 * Self.mebibyte)
        #expect(try await honest.ask(#""type":"message","roomId":"room","payload":1"#).string("code") == "unavailable")
        fleet.redis.resume()
        try await fleet.ready()
        // Of 94 MiB that were sent it keeps a small part, what is read and refused in passing included.
        #expect(peak - before < 160 * Self.mebibyte, "\(before) to \(peak)")
        try await eventually("memory given back", within: .seconds(90)) {
            try await Self.resident(node) < before * 3 / 2
        }
        #expect(clients.allSatisfy { $0.isOpen })
    }

    @Test func `a client that reads nothing and sends pings is closed when it has taken no byte for half a minute`()
        async throws
    {
        let fleet = try await Fleet.start(1)
        let node = fleet.nodes[0]
        let idler = try await WireClient.connect(to: node, as: "idler")
        try await idler.join("r")
        idler.stopReading()
        let payload = String(repeating: "x", count: 500_000)
        // More than the two systems between them keep for one socket.
        for _ in 0..<40 {
            let answer = try await node.request(
                "POST", "/v1/broadcast", body: #"{"to":{"rooms":["r"]},"payload":"\#(payload)"}"#)
            #expect(answer.status == 200)
        }
        // The gauge is written once in a beat of the loop, and all this may be done within one.
        try await eventually("the connection's place in the gauge") {
            try await Self.metric("martlet_connections", node) == 1
        }
        try await eventually("the close", within: .seconds(120)) {
            idler.send(#"{"type":"ping"}"#)
            return try await Self.metric(#"martlet_slow_connections_total{outcome="took_nothing"}"#, node) == 1
        }
        try await eventually("the end of what it held") { try await Self.metric("martlet_connections", node) == 0 }
    }

    /// Of `/metrics`; 0 where it has no such line.
    private static func metric(_ name: String, _ node: NodeProcess) async throws -> Int {
        let text = try await node.request("GET", "/metrics").body
        let line = text.split(separator: "\n").first { $0.hasPrefix("\(name) ") }
        return line.flatMap { Double($0.dropFirst(name.count + 1)) }.map { Int($0) } ?? 0
    }

    private static func resident(_ node: NodeProcess) async throws -> Int {
        try await metric("process_resident_memory_bytes", node)
    }
}
