import Foundation
import MartletClient
import Synchronization
import TestKit
import Testing
import TestSupport

/// The list of scenarios that every client of this repository has to live through, but for the one of a fake
/// (LaterGatewayTests); martlet.js plays the same list (`Tests/BrowserTests/scenario_test.py`).
@Suite("The Swift client and the list of scenarios", .serialized)
struct ClientScenarioFaults {
    private static let secret = "0123456789abcdef0123456789abcdef"

    private func nodes(_ redis: RedisServerProcess, _ environment: [String: String] = [:]) async throws
        -> [NodeProcess]
    {
        async let a = NodeProcess.start(nodeId: "a", redisURL: redis.url, environment: environment)
        async let b = NodeProcess.start(nodeId: "b", redisURL: redis.url, environment: environment)
        return [try await a, try await b]
    }

    private func client(
        _ nodes: [NodeProcess], as credentials: MartletClient.Credentials,
        _ change: (inout MartletClient.Configuration) -> Void = { _ in }
    ) throws -> MartletClient {
        var configuration = MartletClient.Configuration(url: nodes[0].clientURL, credentials: credentials)
        configuration.otherURLs = nodes.dropFirst().map(\.clientURL)
        configuration.firstDelay = .milliseconds(50)
        configuration.maxDelay = .milliseconds(500)
        change(&configuration)
        return try MartletClient(configuration: configuration)
    }

    /// The payloads of a feed, and how often it told of a loss, until one payload has come.
    private func payloads(
        _ feed: MartletClient.Feed<MartletClient.Room.Item>, until last: String
    ) async -> (texts: [String], gaps: Int) {
        var texts: [String] = []
        var gaps = 0
        for await item in feed {
            switch item {
            case .message(let message): texts.append(String(decoding: message.payload, as: UTF8.self))
            case .gap: gaps += 1
            }
            if texts.last == last { break }
        }
        return (texts, gaps)
    }

    @Test(arguments: [UInt64(1), 2]) func `connections cut at random leave a held room's stream whole`(
        seed: UInt64
    ) async throws {
        let redis = try RedisServerProcess()
        let nodes = try await nodes(redis)
        let alice = try client(nodes, as: .user("alice"))
        let bob = try client(nodes.reversed(), as: .user("bob"))
        let heard = try alice.room("r")
        let said = try bob.room("r")
        let all = Task { [messages = heard.messages] in await payloads(messages, until: "300") }
        try await alice.connect()
        try await bob.connect()
        try await heard.joined()
        try await said.joined()
        var random = SplitMix(seed: seed)
        for number in 1...300 {
            if Int.random(in: 0..<20, using: &random) == 0 { alice.connection?.abort() }
            if Int.random(in: 0..<40, using: &random) == 0 { bob.connection?.drop() }
            if Int.random(in: 0..<60, using: &random) == 0 { alice.reconnect() }
            try await said.publish(Array("\(number)".utf8))
        }
        let (texts, gaps) = await all.value
        #expect(texts == (1...300).map { "\($0)" })
        #expect(gaps == 0)
        await alice.close()
        await bob.close()
        withExtendedLifetime((redis, nodes)) {}
    }

    @Test func `a thousand messages at once are stored once and in order, none refused`() async throws {
        let redis = try RedisServerProcess()
        let nodes = try await nodes(redis)
        let alice = try client(nodes, as: .user("alice"))
        let bob = try client(nodes.reversed(), as: .user("bob"))
        let heard = try bob.room("r")
        let said = try alice.room("r")
        let all = Task { [messages = heard.messages] in await payloads(messages, until: "1000") }
        try await bob.connect()
        try await heard.joined()
        // Before there is a connection, let alone a room.
        async let connected = alice.connect()
        try await said.joined()
        _ = try await connected
        var acks: [Task<Int, any Error>] = []
        for number in 1...1000 {
            let before = alice.pendingRequests
            acks.append(Task { try await said.publish(Array("\(number)".utf8)).seq })
            // Each is on its way before the next begins, or the order would be nobody's.
            for _ in 0..<1000 where alice.pendingRequests == before { await Task.yield() }
        }
        var seqs: [Int] = []
        for ack in acks { seqs.append(try await ack.value) }
        #expect(seqs.sorted() == Array(1...1000))
        let (texts, gaps) = await all.value
        #expect(Set(texts).count == 1000 && texts.count == 1000)
        #expect(gaps == 0)
        await alice.close()
        await bob.close()
        withExtendedLifetime((redis, nodes)) {}
    }

    @Test func `a token page that fails, and a cache that gives an old token, are lived through`() async throws {
        let redis = try RedisServerProcess()
        let nodes = try await nodes(redis, ["MARTLET_AUTH_MODE": "jwt", "MARTLET_AUTH_SECRET": Self.secret])
        let now = Int(Date().timeIntervalSince1970)
        let old = try TestToken.signed(#"{"sub":"alice","exp":\#(now - 60)}"#, secret: Self.secret)
        let good = try TestToken.signed(#"{"sub":"alice","exp":\#(now + 3600)}"#, secret: Self.secret)
        struct Away: Error {}
        let asked = Mutex(0)
        let alice = try client(
            nodes,
            as: .token {
                let number = asked.withLock { count in
                    count += 1
                    return count
                }
                switch number {
                case 1: throw Away()
                case 2, 3: return old
                case 4, 5: return "<html>Bad Gateway</html>"
                default: return good
                }
            })
        let room = try alice.room("r")
        #expect(try await alice.connect().userId == "alice")
        try await room.joined()
        #expect(asked.withLock { $0 } == 6)
        await alice.close()
        withExtendedLifetime((redis, nodes)) {}
    }

    @Test func `a thousand watched users with long names are watched on each connection`() async throws {
        let redis = try RedisServerProcess()
        let nodes = try await nodes(redis)
        let users = (0..<1000).map { String(repeating: "x", count: 66) + "\(1000 + $0)" }
        let alice = try await Participant.connect(to: nodes[0].clientURL, as: "alice") {
            $0.otherURLs = [nodes[1].clientURL]
            $0.firstDelay = .milliseconds(50)
        }
        #expect(try await alice.client.watch(users).map(\.isOnline) == users.map { _ in false })
        alice.reset()
        try await eventually("another connection") { alice.connections.count == 2 }
        let last = try await Participant.connect(to: nodes[1].clientURL, as: users[999])
        try await eventually("the word of the last one's coming") {
            alice.events.contains {
                if case .status(let status) = $0 { status.userId == users[999] && status.isOnline } else { false }
            }
        }
        #expect(!alice.events.contains { if case .disconnected(1009, _) = $0 { true } else { false } })
        #expect(alice.connections.count == 2)
        await last.close()
        await alice.close()
        withExtendedLifetime((redis, nodes)) {}
    }

    @Test func `a client that starts before the gateway has its room once that is there`() async throws {
        let redis = try RedisServerProcess()
        let port = try ReservedPort()
        var configuration = MartletClient.Configuration(
            url: "ws://127.0.0.1:\(port.number)/ws", credentials: .user("alice"))
        configuration.firstDelay = .milliseconds(50)
        configuration.maxDelay = .milliseconds(500)
        let alice = try MartletClient(configuration: configuration)
        let room = try alice.room("r")
        let messages = room.messages
        async let connected = alice.connect()
        // Waits for the room, which waits for the gateway.
        let ack = Task {
            while true {
                do throws(MartletClient.Failure) {
                    return try await room.publish(Array("1".utf8)).seq
                } catch {
                    guard error == .notConnected else { throw error }
                    await Task.yield()
                }
            }
        }
        let node = try await NodeProcess.start(
            nodeId: "a", redisURL: redis.url, environment: ["MARTLET_CLIENT_PORT": "\(port.number)"])
        let other = try await NodeProcess.start(nodeId: "b", redisURL: redis.url)
        _ = try await connected
        #expect(try await ack.value == 1)
        let answer = try await other.request("POST", "/v1/broadcast", body: #"{"to":{"rooms":["r"]},"payload":2}"#)
        #expect(answer.status == 200)
        let (texts, gaps) = await payloads(messages, until: "2")
        #expect(texts == ["1", "2"] && gaps == 0)
        await alice.close()
        withExtendedLifetime((redis, node, other)) {}
    }
}
