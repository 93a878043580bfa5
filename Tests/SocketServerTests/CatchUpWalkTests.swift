import GatewayCore
import NIOCore
import NIOEmbedded
import SocketServer
import Testing
import TestSupport

/// A long random life of clients that lose their sockets, read slowly and come back, against what the rooms hold.
@Suite
struct CatchUpWalkTests {
    /// One user, over all sockets it has had; it remembers what a client library would.
    private final class Client {
        let user: String
        var session: String?
        var socket: EmbeddedSocket?
        var clog: Clog?
        /// The last seq seen of each room joined, and of `*`.
        var seen: [String: Int] = [:]
        /// The room whose `joined` has not come, and what the client said that it had seen of it.
        var asked: (room: String, since: Int?)?
        /// Whether nothing may come before `resumed`.
        var isResuming = false
        var faults: [String] = []

        init(_ user: String) {
            self.user = user
        }

        func take() throws {
            guard let socket else { return }
            for frame in try socket.take() { read(frame) }
        }

        private func read(_ frame: String) {
            let room = frame.firstMatch(of: /"roomId":"([^"]*)"/).map { String($0.1) } ?? ""
            let seq = frame.firstMatch(of: /"seq":(\d+)/).flatMap { Int($0.1) } ?? -1
            if frame.contains(#""type":"welcome""#) {
                session = frame.firstMatch(of: /"session":"([^"]*)"/).map { String($0.1) }
                let position = frame.firstMatch(of: /"\*":\{"epoch":"e1","seq":(\d+)/).flatMap { Int($0.1) }
                seen["*"] = seen["*"] ?? position
            } else if frame.contains(#""type":"joined""#) {
                if !frame.contains(#""recovered":true"#) { faults.append(frame) }
                // A replay begins where the client said, whatever came before the answer.
                seen[room] = asked?.since ?? seen[room] ?? seq
                asked = nil
            } else if frame.contains(#""type":"resumed""#) {
                if frame.contains(#""recovered":false"#) || frame.contains("code") { faults.append(frame) }
                for match in frame.matches(of: /"roomId":"([^"]*)","epoch":"e1","seq":(\d+)/) {
                    seen[String(match.1)] = seen[String(match.1)] ?? Int(match.2)
                }
                isResuming = false
            } else if frame.contains(#""type":"message""#) {
                if seq != (seen[room] ?? -1) + 1 || isResuming { faults.append("\(frame) after \(seen[room] ?? -1)") }
                seen[room] = seq
            } else if frame.contains(#""type":"gap""#) || frame.contains(#""type":"error""#) {
                faults.append(frame)
            }
        }
    }

    @Test func `whoever is cut off, reads slowly, resumes or joins again gets each message once and in order`() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var generator = SplitMix(seed: seed)
        let embedded = EmbeddedHub {
            $0.limits.rate = RateLimit(perSecond: 1_000_000, burst: 1_000_000)
            $0.maxQueuedBytes = 100_000
            // Time stands still.
            $0.budgets = BudgetSettings(connection: .unlimited, user: .unlimited)
        }
        let rooms = ["a", "b", "c", "*"]
        let payload = "\"" + String(repeating: "x", count: 3000) + "\""
        let clients = (0..<8).map { Client("u\($0)") }
        for step in 0..<2500 {
            let client = clients[Int.random(in: 0..<clients.count, using: &generator)]
            let room = rooms[Int.random(in: 0..<rooms.count, using: &generator)]
            switch Int.random(in: 0..<100, using: &generator) {
            case 0..<14: try connect(client, embedded)
            case 14..<20: try cut(client)
            case 20..<35: try join(client, room)
            case 35..<40: client.clog?.close()
            case 40..<50: client.clog?.letThrough()
            case 50..<58: client.clog?.open()
            case 58..<62: embedded.backend.limitPages(to: Int.random(in: 1...7, using: &generator))
            case 62..<66: embedded.backend.hold(true)
            case 66..<72:
                embedded.backend.hold(false)
                embedded.backend.release()
            case 72..<76: embedded.backend.release(1)
            default: embedded.publish(room, payload)
            }
            embedded.loop.run()
            for client in clients { try client.take() }
            let faults = clients.flatMap(\.faults)
            try #require(faults.isEmpty, "seed \(seed), step \(step): \(faults.map { $0.prefix(200) })")
        }
        embedded.backend.hold(false)
        embedded.backend.release()
        for client in clients { try connect(client, embedded) }
        for _ in 0..<200 {
            for client in clients {
                client.clog?.open()
                try client.take()
            }
            embedded.advance(.milliseconds(20))
        }
        for client in clients {
            #expect(client.asked == nil && !client.isResuming, "seed \(seed)")
            for (room, seq) in client.seen {
                #expect(seq == embedded.backend.head(of: RoomName(unchecked: room)), "seed \(seed): \(room)")
            }
            try client.socket?.channel.close().wait()
        }
        #expect(embedded.dependencies.census.status.rooms == 0)
    }

    /// Connects where nothing is connected, and resumes what was there.
    private func connect(_ client: Client, _ embedded: EmbeddedHub) throws {
        guard client.socket?.channel.isActive != true else { return }
        let session = client.session.map { "&session=\($0)" } ?? ""
        let socket = try embedded.upgrade("/ws?userId=\(client.user)\(session)")
        let clog = Clog()
        try socket.channel.pipeline.syncOperations.addHandler(clog, position: .first)
        client.socket = socket
        client.clog = clog
        client.asked = nil
        guard client.session != nil else { return }
        let positions = client.seen.map { #""\#($0.key)":{"epoch":"e1","seq":\#($0.value)}"# }
        client.isResuming = true
        try socket.send(#"{"type":"resume","since":{\#(positions.joined(separator: ","))}}"#)
    }

    private func cut(_ client: Client) throws {
        guard let socket = client.socket, socket.channel.isActive, client.session != nil else { return }
        try client.take()
        try socket.channel.close().wait()
    }

    /// Joins a room afresh, or again from where the client stands.
    private func join(_ client: Client, _ room: String) throws {
        guard let socket = client.socket, socket.channel.isActive, client.session != nil, client.asked == nil,
            !client.isResuming
        else { return }
        // What waits in the clog is older than the position: only a client that has read all may name it.
        client.clog?.open()
        try client.take()
        let since = client.seen[room].map { #","since":{"epoch":"e1","seq":\#($0)}"# } ?? ""
        client.asked = (room, client.seen[room])
        try socket.send(#"{"type":"join","roomId":"\#(room)"\#(since)}"#)
    }
}
