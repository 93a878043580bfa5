import Dialects
import GatewayCore
import Synchronization
import TestKit
import TestSupport
import Testing
import Webhooks

@Suite("Webhooks in Pusher's form")
struct PusherHookTests {
    private static let first = PusherApp(id: "3", key: "key", secrets: ["secret", "the one before"])
    private static let other = PusherApp(id: "4", key: "other-key", secrets: ["other"])
    private static let apps = PusherApps([first, other])

    private static func event(_ type: String, _ room: String, _ user: String? = nil) -> LedgerEvent {
        LedgerEvent(id: "1-2-3", entry: "2-3", type: type, userId: user, roomId: room, timestamp: 5)
    }

    private static let events = [
        event("room.occupied", "a"), event("member.joined", "a", "u"), event("member.joined", "presence-a", "u\"7"),
        event("room.occupied", ":4:presence-a"), event("member.joined", ":4:presence-a", ":4:w"),
        event("member.left", "presence-a", "u\"7"), event("room.vacated", "a"), event("room.occupied", "n:a"),
        event("user.online", "a", "u"), event("room.updated", "a"), event("room.occupied", "@u"),
        event("client_event", "a"), event("member.left", "presence-a", ":4:w"),
        LedgerEvent(id: "l", entry: "", type: EventType.lost, timestamp: 3, count: 4),
    ]

    private func text(_ app: PusherApp?) -> String? {
        app.flatMap { PusherEventBody.encode(Self.events, of: $0, now: 1_327_078_148_132) }
            .map { String(decoding: $0, as: UTF8.self) }
    }

    @Test func `an app is told of its own channels alone, in their order`() {
        #expect(
            text(Self.apps.first) == """
                {"time_ms":1327078148132,"events":[{"name":"channel_occupied","channel":"a"},\
                {"name":"member_added","channel":"presence-a","user_id":"u\\"7"},\
                {"name":"member_removed","channel":"presence-a","user_id":"u\\"7"},\
                {"name":"channel_vacated","channel":"a"}]}
                """)
        #expect(
            text(Self.apps.app(withID: "4")) == """
                {"time_ms":1327078148132,"events":[{"name":"channel_occupied","channel":"presence-a"},\
                {"name":"member_added","channel":"presence-a","user_id":"w"}]}
                """)
        let none = [Self.event("user.online", "a", "u"), Self.event("member.joined", "a", "u")]
        #expect(PusherEventBody.encode(none, of: Self.first, now: 1) == nil)
    }

    @Test func `how many connections are in a channel is told to a receiver that names it, in Pusher's form alone`() {
        var counted = Self.event("room.counted", "a")
        counted.details = Array(#"{"subscription_count":12}"#.utf8)
        let told = PusherEventBody.encode([counted], of: Self.first, now: 1).map { String(decoding: $0, as: UTF8.self) }
        #expect(
            told == #"{"time_ms":1,"events":[{"name":"subscription_count","channel":"a","subscription_count":12}]}"#)
        #expect(!WebhookReceiver(url: "http://a/", types: nil).wants(counted))
        #expect(WebhookReceiver(url: "http://a/", types: nil).wants(Self.events[0]))
        #expect(WebhookReceiver(url: "http://a/", ofApp: nil, events: [.subscriptionCount]).wants(counted))
    }

    @Test func `what clients send to each other is told with the socket, and with the user in presence channels alone`()
    {
        func told(_ room: String, by user: String, _ payload: String) -> String? {
            var event = Self.event("client.event", room, user)
            event.message = LedgerEvent.Message(
                position: .unstored, msgType: 1, event: EventName("client-x"), payload: Array(payload.utf8),
                sender: "00000000000001")
            return PusherEventBody.encode([event], of: Self.first, now: 1).map { String(decoding: $0, as: UTF8.self) }
        }
        let socket = PusherSocketID(connectionID: "00000000000001")?.description ?? ""
        #expect(
            told("private-a", by: "u", #"{"n": 1}"#) == """
                {"time_ms":1,"events":[{"name":"client_event","channel":"private-a","event":"client-x",\
                "data":"{\\"n\\": 1}","socket_id":"\(socket)"}]}
                """)
        #expect(
            told("presence-a", by: "u", #""t""#) == """
                {"time_ms":1,"events":[{"name":"client_event","channel":"presence-a","event":"client-x",\
                "data":"t","socket_id":"\(socket)","user_id":"u"}]}
                """)
        #expect(told("presence-a", by: "", "1")?.contains("user_id") == false)
        let missed = PusherEventBody.encode([Self.event("room.missed", "cache-a")], of: Self.first, now: 1)
        #expect(missed == Array(#"{"time_ms":1,"events":[{"name":"cache_miss","channel":"cache-a"}]}"#.utf8))
    }

    @Test func `a letter is signed by the first secret of its app, and says whose it is`() throws {
        var configuration = WebhookConfiguration(receivers: [], secrets: ["native"])
        configuration.apps = Self.apps
        let backend = PusherBackend(secret: "secret")
        for id in [nil, "3"] {
            let receiver = WebhookReceiver(url: "http://a/", ofApp: id, events: Set(PusherHookEvent.allCases))
            let letter = try #require(configuration.letter(of: Self.events, to: receiver, now: 1))
            let body = String(decoding: letter.body, as: UTF8.self)
            #expect(body.hasPrefix(#"{"time_ms":1,"events":[{"#))
            #expect(letter.fields.map(\.name) == ["X-Pusher-Key", "X-Pusher-Signature"])
            #expect(letter.fields.map(\.value) == ["key", backend.sign(body)])
        }
        let gone = WebhookReceiver(url: "http://a/", ofApp: "5", events: [.memberAdded])
        #expect(configuration.letter(of: Self.events, to: gone, now: 1) == nil)
        let native = try #require(
            configuration.letter(of: Self.events, to: WebhookReceiver(url: "http://a/", types: nil), now: 1))
        #expect(native.fields.isEmpty && native.body == EventBody.encode(Self.events))
    }

    @Test func `a receiver wants what it is told of, and has a place of its own beside the native one of its URL`() {
        let all = WebhookReceiver(url: "http://a/", ofApp: nil, events: Set(PusherHookEvent.allCases))
        let few = WebhookReceiver(url: "http://a/", ofApp: "3", events: [.memberAdded, .cacheMiss])
        #expect(
            all.types == [
                "room.occupied", "room.vacated", "member.joined", "member.left", "room.counted", "client.event",
                "room.missed",
            ])
        #expect(few.types == ["member.joined", "room.missed"])
        let native = WebhookReceiver(url: "http://a/", types: nil)
        #expect(Set([all, few, native].map(\.name)).count == 3 && all.name.hasPrefix("hook-"))
    }

    @Test func `a request that fails is made again with another time and its signature, and foreign events with none`()
        async throws
    {
        let redis = try RedisServerProcess()
        let server = try await HookServer.start { number, _ in number < 2 ? .status(500) : .status(200) }
        var configuration = WebhookConfiguration.brisk([
            WebhookReceiver(url: server.url, ofApp: nil, events: Set(PusherHookEvent.allCases))
        ])
        configuration.apps = Self.apps
        let time = Ticking()
        let node = try await HookNode.start("n1", on: redis, configuration: configuration, wall: { time.next() })
        try await node.connect("c1", "alice")
        try await node.join("presence-a", "c1")
        try await node.join(":4:presence-b", "c1")
        try await node.join("plain", "c1")
        try await eventually("all events") {
            let bodies = server.requests.filter { $0.reply == .status(200) }.map(\.text).joined()
            return bodies.contains(#""channel_occupied","channel":"presence-a""#)
                && bodies.contains(#""member_added","channel":"presence-a","user_id":"alice""#)
                && bodies.contains(#""channel_occupied","channel":"plain""#)
        }
        let requests = server.requests
        #expect(!requests.contains { $0.text.contains("presence-b") || $0.text.contains("user.online") })
        let backend = PusherBackend(key: "key", secret: "secret")
        for request in requests {
            #expect(request.headers["X-Pusher-Key"] == "key" && request.signature == nil)
            #expect(request.headers["X-Pusher-Signature"] == backend.sign(request.text))
            #expect(request.headers["Content-Type"] == "application/json")
        }
        let times = requests.compactMap { $0.text.firstMatch(of: #/^{"time_ms":(\d+),/#)?.1 }
        #expect(times.count == requests.count && Set(times).count == times.count)
        try await node.stop()
    }
}

/// Another moment at each look.
private final class Ticking: Sendable {
    private let count = Mutex<Int64>(1_700_000_000_000)

    func next() -> Int64 {
        count.withLock { count in
            count += 1
            return count
        }
    }
}
