import Dialects
import GatewayCore
import NIOCore
import SocketServer
import Testing
import WebSocketFrames

@Suite("An app's clients")
struct VisitorTests {
    private static let app = PusherApp(id: "1", key: "key", secrets: ["secret"])

    private func hub(
        _ apps: [PusherApp] = [VisitorTests.app], _ configure: (inout SocketServerConfiguration) -> Void = { _ in }
    ) -> EmbeddedHub {
        EmbeddedHub { configuration in
            configuration.apps = PusherApps(apps)
            configuration.rules.openToVisitors = [RoomPattern("*")].compactMap(\.self)
            configuration.rules.fencesApps = apps.count > 1
            configure(&configuration)
        }
    }

    /// A client past its greeting, and its socket id.
    private func enter(_ hub: EmbeddedHub, key: String = "key") throws -> (socket: EmbeddedSocket, id: String) {
        let socket = try hub.upgrade("/app/\(key)?protocol=7&client=js&version=8.4.0")
        let greeting = try #require(try socket.take().first)
        let id = try #require(greeting.firstMatch(of: /\\"socket_id\\":\\"(\d+\.\d+)\\"/)?.1)
        return (socket, String(id))
    }

    private func subscribe(
        _ client: (socket: EmbeddedSocket, id: String), _ channel: String, data: String? = nil, app: PusherApp = app
    ) throws -> [String] {
        let text = "\(client.id):\(channel)" + (data.map { ":" + $0 } ?? "")
        let auth = app.key + ":" + PusherSignature.sign(text.utf8, secret: app.secrets[0])
        let quoted = data.map { #","channel_data":"\#($0.replacing("\"", with: "\\\""))""# } ?? ""
        try client.socket.send(
            #"{"event":"pusher:subscribe","data":{"channel":"\#(channel)","auth":"\#(auth)"\#(quoted)}}"#)
        return try settled(client.socket)
    }

    /// What has come once the pages that were asked for have been read, in tasks of their own.
    private func settled(_ socket: EmbeddedSocket) throws -> [String] {
        socket.channel.embeddedEventLoop.run()
        return try socket.take().filter { $0 != "ping" }
    }

    private func succeeded(_ channel: String) -> String {
        #"{"event":"pusher_internal:subscription_succeeded","channel":"\#(channel)","data":"{}"}"#
    }

    @Test func `without apps there is no such path, and without sessions no other`() throws {
        #expect(try EmbeddedHub().ask("/app/key?protocol=7").head.hasPrefix("HTTP/1.1 404 "))
        #expect(try hub { $0.servesSessions = false }.ask("/ws?userId=a").head.hasPrefix("HTTP/1.1 404 "))
        _ = try enter(hub { $0.servesSessions = false })
    }

    @Test func `who is not let in is told why by a frame and by the code, and costs no place`() throws {
        var narrow = VisitorTests.app
        narrow.maxConnections = 1
        let hub = hub([narrow])
        for (target, code) in [
            ("/app/other?protocol=7", 4001), ("/app/key", 4008), ("/app/key?protocol=x", 4006),
            ("/app/key?protocol=4", 4007), ("/app/?protocol=7", 4001),
        ] {
            let told = try hub.upgrade(target).take()
            #expect(told.first?.contains(#""event":"pusher:error","data":{"code":\#(code),"#) == true)
            #expect(told.last == "close \(code)")
        }
        let one = try enter(hub)
        #expect(try hub.upgrade("/app/key?protocol=7").take().last == "close 4004")
        try one.socket.channel.close().wait()
        hub.loop.run()
        _ = try enter(hub)
    }

    @Test func `a ping is answered, and what is not understood is told without an end`() throws {
        let client = try enter(hub())
        try client.socket.send(#"{"event":"pusher:ping","data":{}}"#)
        #expect(try client.socket.take() == [#"{"event":"pusher:pong","data":{}}"#])
        try client.socket.send("nonsense")
        #expect(try client.socket.take().first?.contains("pusher:error") == true)
        try client.socket.send(#"{"event":"pusher:pong"}"#)
        #expect(try client.socket.take() == [])
    }

    @Test func `subscribers are told how many they are where their app says so, and nobody else is`() throws {
        var counting = VisitorTests.app
        counting.tellsSubscriptionCount = true
        for (app, told) in [
            (
                counting,
                [#"{"event":"pusher_internal:subscription_count","channel":"a","data":"{\"subscription_count\":12}"}"#]
            ),
            (VisitorTests.app, []),
        ] {
            let hub = hub([app])
            let native = try hub.enter("alice")
            try native.send(#"{"type":"join","id":1,"roomId":"a"}"#)
            hub.loop.run()
            let client = try enter(hub)
            #expect(try subscribe(client, "a") == [succeeded("a")])
            _ = try native.take()
            hub.backend.tell(.counted(RoomName(unchecked: "a"), connections: 12))
            hub.loop.run()
            #expect(try settled(client.socket) == told)
            #expect(try native.take().filter { $0 != "ping" } == [])
        }
    }

    @Test func `who comes while the number stays what it was is told it, and nobody else is`() throws {
        var counting = VisitorTests.app
        counting.tellsSubscriptionCount = true
        let hub = hub([counting])
        func told(_ count: Int) -> [String] {
            [
                #"{"event":"pusher_internal:subscription_count","channel":"a","#
                    + #""data":"{\"subscription_count\":\#(count)}"}"#
            ]
        }
        func tell(_ delivery: StreamDelivery) {
            hub.backend.tell(delivery)
            hub.loop.run()
        }
        let room = RoomName(unchecked: "a")
        let first = try enter(hub)
        _ = try subscribe(first, "a")
        tell(.counted(room, connections: 12))
        #expect(try settled(first.socket) == told(12))
        let second = try enter(hub)
        #expect(try subscribe(second, "a") == [succeeded("a")])
        for _ in 0..<2 { tell(.countedForNewcomers(room, connections: 12)) }
        #expect(try settled(second.socket) == told(12))
        #expect(try settled(first.socket) == [])
        // What all are told is told to who has just come, too.
        let third = try enter(hub)
        _ = try subscribe(third, "a")
        tell(.counted(room, connections: 13))
        tell(.countedForNewcomers(room, connections: 13))
        for client in [first, second, third] { #expect(try settled(client.socket) == told(13)) }
    }

    @Test func `a native message and an app's reach each other's members, each in its own words`() throws {
        let hub = hub()
        let native = try hub.enter("alice")
        try native.send(#"{"type":"join","id":1,"roomId":"private-a"}"#)
        hub.loop.run()
        let (one, two) = (try enter(hub), try enter(hub))
        for client in [one, two] { #expect(try subscribe(client, "private-a") == [succeeded("private-a")]) }
        _ = try native.take()
        hub.publish("private-a", #"{"n":1}"#)
        let told = #"{"event":"message","channel":"private-a","data":"{\"n\":1}"}"#
        for client in [one, two] { #expect(try settled(client.socket) == [told]) }
        #expect(try native.takeMessages() == ["private-a 1"])
        try one.socket.send(#"{"event":"client-typing","channel":"private-a","data":{"x":1}}"#)
        hub.loop.run()
        #expect(try settled(one.socket) == [])
        #expect(
            try settled(two.socket) == [#"{"event":"client-typing","channel":"private-a","data":"{\"x\":1}"}"#])
        let seen = try native.take()
        #expect(seen.count == 1 && seen[0].contains(#""event":"client-typing","payload":{"x":1}"#))
        #expect(seen[0].contains(#""volatile":true"#) && !seen[0].contains("userId"))
        try two.socket.send(#"{"event":"pusher:unsubscribe","data":{"channel":"private-a"}}"#)
        hub.publish("private-a")
        #expect(try settled(two.socket) == [])
        #expect(try settled(one.socket).count == 1)
    }

    @Test func `many messages of a turn come in one piece, in their order, to members of either kind`() throws {
        let hub = hub()
        let client = try enter(hub)
        _ = try subscribe(client, "news")
        for index in 1...50 {
            hub.backend.publish(
                Publication(
                    room: RoomName(unchecked: "news"), userId: .system, payload: Array(String(index).utf8))
            ) { _ in }
        }
        hub.loop.run()
        let told = try settled(client.socket).compactMap { $0.firstMatch(of: /"data":"(\d+)"/)?.1 }
        #expect(told == (1...50).map { Substring(String($0)) })
    }

    @Test func `apps do not hear each other, nor natives a further one`() throws {
        let other = PusherApp(id: "2", key: "other", secrets: ["secret2"])
        let hub = hub([VisitorTests.app, other])
        let (one, two) = (try enter(hub), try enter(hub, key: "other"))
        #expect(try subscribe(one, "private-a") == [succeeded("private-a")])
        #expect(try subscribe(two, "private-a", app: other) == [succeeded("private-a")])
        #expect(try subscribe(two, "private-b")[0].contains("AuthError"))
        hub.publish("private-a")
        #expect(try settled(one.socket).count == 1)
        #expect(try settled(two.socket) == [])
        hub.publish(":2:private-a")
        #expect(try settled(one.socket) == [])
        #expect(try settled(two.socket) == [#"{"event":"message","channel":"private-a","data":"1"}"#])
        let native = try hub.enter("alice")
        try native.send(#"{"type":"join","id":1,"roomId":":2:private-a"}"#)
        #expect(try native.take().first?.contains("forbidden") == true)
    }

    @Test func `a cached channel begins with its last event, or says that there is none`() throws {
        let hub = hub()
        let early = try enter(hub)
        #expect(
            try subscribe(early, "cache-a") == [
                succeeded("cache-a"), #"{"event":"pusher:cache_miss","channel":"cache-a","data":"{}"}"#,
            ])
        for payload in ["1", "2"] { hub.publish("cache-a", payload) }
        let late = try enter(hub)
        let last = #"{"event":"message","channel":"cache-a","data":"2"}"#
        #expect(try subscribe(late, "cache-a") == [succeeded("cache-a"), last])
        hub.publish("cache-a", "3")
        #expect(try settled(late.socket).count == 1)
    }

    @Test func `a drain closes with 4200, each at its time`() throws {
        let hub = hub()
        let clients = try (0..<4).map { _ in try enter(hub) }
        hub.hub.drain(DrainPlan(connections: 4, rate: 2, limit: .seconds(30)), loop: 0, of: 1)
        hub.advance(.seconds(3))
        for client in clients { #expect(try client.socket.takeReplies().last == "close 4200") }
    }

    @Test func `lost messages send an app's clients away, native ones are told, and nobody is sent away over and over`()
        throws
    {
        let hub = hub()
        let gap = StreamDelivery.gap(room: RoomName(unchecked: "news"), position: Position(epoch: "e1", seq: 5))
        func lose() throws {
            hub.hub.receive([gap])
            hub.advance(.seconds(1))
        }
        let native = try hub.enter("alice")
        try native.send(#"{"type":"join","id":1,"roomId":"news"}"#)
        let (one, other) = (try enter(hub), try enter(hub))
        _ = try subscribe(one, "news")
        _ = try subscribe(other, "else")
        _ = try native.take()
        try lose()
        #expect(try one.socket.takeReplies() == [])
        #expect(try native.takeReplies().first?.contains(#""type":"gap""#) == true)
        for client in [one.socket, other.socket, native] { try client.pong() }
        hub.advance(.seconds(30))
        try lose()
        #expect(try one.socket.takeReplies().last == "close 4200")
        #expect(try other.socket.takeReplies() == [])
        #expect(try native.takeReplies().contains { $0.contains(#""type":"gap""#) })
    }

    @Test func `silence is closed with 4201, and whoever answers pings stays`() throws {
        let hub = hub { $0.heartbeatInterval = .seconds(10) }
        let (silent, alive) = (try enter(hub), try enter(hub))
        for _ in 0..<8 {
            hub.advance(.seconds(5))
            try alive.socket.pong()
        }
        #expect(try silent.socket.takeReplies().last == "close 4201")
        #expect(try alive.socket.takeReplies().isEmpty)
    }

    @Test func `binary frames end it, and ten unreadable ones in a row`() throws {
        let hub = hub()
        let client = try enter(hub)
        for _ in 0..<10 { try client.socket.send("{") }
        #expect(try client.socket.take().last == "close 4100")
        let other = try enter(hub)
        try other.socket.send(ByteBuffer(bytes: [0x82, 0x81, 0, 0, 0, 0, 0x31]))
        #expect(try other.socket.take() == ["close 1003"])
    }

    @Test func `who subscribes before the greeting is greeted first`() throws {
        let hub = hub()
        let socket = try hub.accept()
        var bytes = ByteBuffer(string: TestClient.request("/app/key?protocol=7"))
        FrameEncoder.text(#"{"event":"pusher:subscribe","data":{"channel":"news"}}"#, mask: 7, into: &bytes)
        // Signed for a connection that there is not.
        let forged = #"{"event":"pusher:subscribe","data":{"channel":"private-a","auth":"key:"#
        FrameEncoder.text(forged + String(repeating: "0", count: 64) + #""}}"#, mask: 7, into: &bytes)
        try socket.channel.writeInbound(bytes)
        hub.loop.run()
        hub.advance(.milliseconds(500))
        #expect(socket.takeHead()?.hasPrefix("HTTP/1.1 101 ") == true)
        let told = try socket.takeReplies()
        #expect(told.count == 3 && told[0].contains("connection_established"))
        #expect(told.contains(succeeded("news")))
        #expect(told.contains { $0.contains("subscription_error") && $0.contains(#""status":401"#) })
    }

    @Test func `who subscribes to the same twice is told so and stays in`() throws {
        let hub = hub()
        let client = try enter(hub)
        #expect(try subscribe(client, "news") == [succeeded("news")])
        let told = try subscribe(client, "news")
        #expect(told.count == 1 && told[0].contains(#""event":"pusher:error""#))
        hub.publish("news")
        #expect(try settled(client.socket).count == 1)
    }

    @Test func `a flood of subscriptions is refused one by one, and closed where that is not heeded`() throws {
        let hub = hub {
            $0.limits.rate = RateLimit(perSecond: 10_000, burst: 10_000)
            $0.limits.joins = RateLimit(perSecond: 10, burst: 20)
        }
        let (flooder, other) = (try enter(hub), try enter(hub))
        var told: [String] = []
        for number in 0..<2000 where told.last?.hasPrefix("close") != true {
            told += try subscribe(flooder, "c\(number)")
        }
        #expect(told.count { $0.contains("subscription_succeeded") } == 20)
        let refused = told.filter { $0.contains("subscription_error") }
        #expect(!refused.isEmpty && refused.allSatisfy { $0.contains(#""status":429"#) })
        #expect(told.last == "close 4100")
        #expect(try subscribe(other, "news") == [succeeded("news")])
    }

    @Test func `no more channels than a connection may be in`() throws {
        let hub = hub { $0.limits.maxRooms = 3 }
        let client = try enter(hub)
        for number in 0..<3 { #expect(try subscribe(client, "c\(number)").count == 1) }
        #expect(try subscribe(client, "d")[0].contains(#""status":403"#))
        try client.socket.send(#"{"event":"pusher:unsubscribe","data":{"channel":"c0"}}"#)
        #expect(try subscribe(client, "d") == [succeeded("d")])
    }

    @Test func `client events go nowhere from channels that take none, or that it is not in, and ten a second`() throws
    {
        let hub = hub()
        let (one, two) = (try enter(hub), try enter(hub))
        for client in [one, two] {
            for channel in ["news", "private-a"] { _ = try subscribe(client, channel) }
        }
        for channel in ["news", "private-b", "private-encrypted-a"] {
            try one.socket.send(#"{"event":"client-x","channel":"\#(channel)","data":1}"#)
            let told = try settled(one.socket)
            #expect(told.count == 1 && told[0].contains(#""event":"pusher:error""#), "\(channel)")
        }
        hub.advance(.seconds(1))
        for _ in 0..<11 { try one.socket.send(#"{"event":"client-x","channel":"private-a","data":1}"#) }
        let told = try settled(one.socket)
        #expect(told.count == 1 && told[0].contains(#""code":4301"#))
        #expect(try settled(two.socket).count == 10)
    }
}
