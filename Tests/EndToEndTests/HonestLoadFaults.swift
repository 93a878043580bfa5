import MartletClient
import TestKit
import Testing
import TestSupport

/// What busy people do on a node with the limits that it ships with: nothing of it may meet one.
@Suite("An honest load never meets a limit")
struct HonestLoadFaults {
    @Test func `a whiteboard sends sixty strokes a second, and everybody at it sees each`() async throws {
        let node = try await NodeProcess.start(nodeId: "whiteboard", redisURL: nil)
        let artist = try await Participant.connect(to: node.clientURL, as: "artist")
        let viewers = try await each(Array(0..<9), width: 9) { number in
            try await Participant.connect(to: node.clientURL, as: "viewer-\(number)")
        }
        for participant in [artist] + viewers { try await participant.join("board") }
        let stroke = Array("\"\(String(repeating: "x", count: 1000))\"".utf8)
        let count = 300
        try await withThrowingTaskGroup(of: Void.self) { group in
            let start = ContinuousClock.now
            for number in 0..<count {
                try await ContinuousClock().sleep(until: start + .seconds(1) / 60 * number)
                group.addTask { try await artist.client.publish(stroke, to: "board") }
            }
            try await group.waitForAll()
        }
        try await eventually("every stroke at every viewer") {
            ([artist] + viewers).allSatisfy { $0.messages(of: "board").count == count }
        }
        for participant in [artist] + viewers { #expect(participant.faults(of: "board", upTo: count) == []) }
        #expect(HonestLoadFaults.isUntroubled([artist] + viewers))
        for participant in [artist] + viewers { await participant.close() }
    }

    @Test func `a history of a thousand messages is read from its end to its beginning at one go`() async throws {
        let node = try await NodeProcess.start(nodeId: "history", redisURL: nil)
        let broadcasts = (0..<1000).map { #"{"to":{"rooms":["long"]},"payload":"line \#($0)"}"# }
        let stored = try await node.request(
            "POST", "/v1/broadcast/batch", body: #"{"broadcasts":[\#(broadcasts.joined(separator: ","))]}"#)
        #expect(stored.status == 200)
        let reader = try await Participant.connect(to: node.clientURL, as: "reader")
        try await reader.join("long")
        var lines: [Int] = []
        var edge = MartletClient.Edge.newest
        while true {
            let page = try await reader.client.history(of: "long", edge, limit: 100)
            lines = page.messages.map(\.seq) + lines
            guard page.more, let first = page.messages.first else { break }
            edge = .before(first.seq)
        }
        #expect(lines == Array(1...1000))
        #expect(HonestLoadFaults.isUntroubled([reader]))
        await reader.close()
    }

    @Test func `a page with fifty rooms is loaded anew ten times in a row`() async throws {
        let node = try await NodeProcess.start(nodeId: "reload", redisURL: nil)
        for _ in 0..<10 {
            let page = try await Participant.connect(to: node.clientURL, as: "reader")
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<50 {
                    group.addTask {
                        try await page.join("room-\(number)")
                        _ = try await page.client.history(of: "room-\(number)")
                    }
                }
                try await group.waitForAll()
            }
            #expect(HonestLoadFaults.isUntroubled([page]))
            page.drop()
        }
    }

    @Test func `a session with fifty rooms comes back ten times in a row, and is in all of them each time`()
        async throws
    {
        let node = try await NodeProcess.start(nodeId: "resume", redisURL: nil)
        let traveller = try await Participant.connect(to: node.clientURL, as: "traveller") {
            $0.firstDelay = .milliseconds(10)
            $0.maxDelay = .milliseconds(100)
        }
        for number in 0..<50 { try await traveller.join("room-\(number)") }
        for round in 1...10 {
            traveller.reset()
            try await eventually("connection \(round)") { traveller.connections.count == round + 1 }
            #expect(traveller.connections.last?.resumed == true)
        }
        let everywhere = (0..<50).map { "\"room-\($0)\"" }.joined(separator: ",")
        let sent = try await node.request(
            "POST", "/v1/broadcast", body: #"{"to":{"rooms":[\#(everywhere)]},"payload":"all"}"#)
        #expect(sent.status == 200)
        try await eventually("the message of each room") {
            (0..<50).allSatisfy { traveller.messages(of: "room-\($0)").count == 1 }
        }
        #expect(traveller.gaps.isEmpty)
        #expect(HonestLoadFaults.isUntroubled([traveller]))
        await traveller.close()
    }

    @Test func `five hundred people behind one address come at once, through a proxy that names it`() async throws {
        let node = try await NodeProcess.start(
            nodeId: "office", redisURL: nil, environment: ["MARTLET_CLIENT_TRUSTED_PROXIES": "127.0.0.0/8"])
        let people = try await each(Array(0..<500), width: 100) { number in
            try await Participant.connect(to: node.clientURL, as: "person-\(number)") {
                $0.headers = [("X-Forwarded-For", "203.0.113.7")]
            }
        }
        _ = try await each(people, width: 100) { try await $0.join("office") }
        let sent = try await node.request(
            "POST", "/v1/broadcast", body: #"{"to":{"rooms":["office"]},"payload":"lunch"}"#)
        #expect(sent.status == 200)
        try await eventually("the message for everybody") {
            people.allSatisfy { $0.payloads(of: "office") == [#""lunch""#] }
        }
        #expect(people.allSatisfy { $0.connections.count == 1 })
        #expect(HonestLoadFaults.isUntroubled(people))
        _ = try await each(people, width: 100) { await $0.close() }
    }

    @Test(arguments: ["directly", "through a proxy that names them"])
    func `two thousand people lose their connections at once, and are back in their sessions within three seconds`(
        way: String
    ) async throws {
        let isProxied = way != "directly"
        let node = try await NodeProcess.start(
            nodeId: "storm", redisURL: nil,
            environment: ["MARTLET_LOG_LEVEL": "info"].merging(
                isProxied ? ["MARTLET_CLIENT_TRUSTED_PROXIES": "127.0.0.0/8"] : [:]
            ) { $1 })
        @Sendable func reach(_ number: Int, _ session: String = "") async throws -> HostileSocket {
            let socket = try await HostileSocket.connect(port: node.clientPort)
            let path = "/ws?userId=person-\(number)" + (session.isEmpty ? "" : "&session=\(session)")
            let headers = isProxied ? [("X-Forwarded-For", "203.0.\(number / 250).\(number % 250)")] : []
            socket.send(HostileSocket.handshake(path: path, headers: headers))
            return socket
        }
        @Sendable func all(_ sockets: [HostileSocket], _ what: String, have part: String) async throws {
            try await eventually(what) {
                sockets.allSatisfy { !$0.isOpen || $0.texts.contains { $0.contains(part) } }
            }
        }
        var people: [HostileSocket] = []
        // A room for each twenty, which they come to little by little.
        for start in stride(from: 0, to: 2000, by: 200) {
            let sockets = try await each(Array(start..<start + 200)) { try await reach($0) }
            try await all(sockets, "a welcome for everybody", have: #""type":"welcome""#)
            for (index, socket) in sockets.enumerated() {
                socket.send(text: #"{"type":"join","roomId":"class-\#((start + index) / 20)"}"#)
            }
            try await all(sockets, "everybody in a room", have: #""type":"joined""#)
            people += sockets
        }
        let sessions = people.compactMap { $0.texts.first.flatMap { Frame(text: $0).string("session") } }
        try #require(sessions.count == people.count)
        for person in people { person.close() }
        let (sockets, time, slowness) = try await Slowness.beside {
            let sockets = try await each(Array(sessions.indices), width: 200) { number in
                let socket = try await reach(number, sessions[number])
                socket.send(text: #"{"type":"resume","since":{}}"#)
                return socket
            }
            try await all(sockets, "an answer for everybody", have: #""type":"resumed""#)
            return sockets
        }
        print("two thousand are back \(way) after \(time), slowness \(slowness)")
        #expect(time < .seconds(3) * slowness * Bill.buildFactor)
        #expect(sockets.allSatisfy { $0.status == 101 && $0.isOpen && $0.closeCode == nil })
        #expect(sockets.allSatisfy { $0.texts.first?.contains(#""resumed":true"#) == true })
        let sent = try await node.request("POST", "/v1/broadcast", body: #"{"to":{"everyone":true},"payload":"all"}"#)
        #expect(sent.status == 200)
        try await all(sockets, "the message for everybody", have: #""payload":"all""#)
        #expect(sockets.allSatisfy { $0.isOpen && !$0.texts.contains { $0.contains(#""type":"error""#) } })
    }

    /// Whether nobody was told that a request was too much, or sent away.
    private static func isUntroubled(_ participants: [Participant]) -> Bool {
        participants.flatMap(\.events).allSatisfy { event in
            switch event {
            case .error, .gap, .rejoinFailed: false
            case .disconnected(let code, _): code == nil
            default: true
            }
        }
    }
}
