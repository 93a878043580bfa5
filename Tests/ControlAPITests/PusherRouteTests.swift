import ControlAPI
import Dialects
import GatewayCore
import NIOHTTP1
import TestKit
import Testing

@Suite struct PusherRouteTests {
    // MARK: Events

    @Test func `an event is stored in each of its channels with its name, and its data byte for byte`() async throws {
        try await Api.serve(apps: Api.apps) { api async throws in
            let data = #""no {JSON}\u00e9\n😀""#
            let body = """
                {"name":"client-x é","data":\(data),"channels":["a","private-b,;@=.","a","#server-to-user-u|7"],\
                "socket_id":"1.2","info":null,"unknown":[1]}
                """
            let answer = try await api.call(.POST, "/events", [:], body)
            #expect(answer.status == 200 && answer.text == "{}")
            let stored = api.log.state.withLock { $0.published }
            #expect(stored.map(\.room.string) == ["a", "private-b,;@=.", "@u|7"])
            for one in stored {
                #expect(one.event?.string == "client-x é" && one.payload == Array(data.utf8))
                #expect(one.userId == .system && one.msgType == 1 && !one.isVolatile && one.dedupe == nil)
                #expect(one.except == PusherSocketID("1.2")?.connectionID && one.except?.utf8.count == 14)
            }
        }
    }

    @Test func `one channel, a hundred of them, data of 10 kB; not one more of either`() async throws {
        try await Api.serve(apps: Api.apps) { api async throws in
            func body(channels: Int, bytes: Int) -> String {
                let names = (0..<channels).map { "\"c\($0)\"" }.joined(separator: ",")
                return #"{"name":"e","data":"\#(String(repeating: "x", count: bytes))","channels":[\#(names)]}"#
            }
            let one = #"{"name":"e","data":"","channel":"c"}"#
            #expect(try await api.call(.POST, "/events", [:], one).status == 200)
            #expect(try await api.call(.POST, "/events", [:], body(channels: 100, bytes: 10_240)).status == 200)
            #expect(api.log.submitted.count == 101)
            let many = try await api.call(.POST, "/events", [:], body(channels: 101, bytes: 1))
            #expect(many.status == 400 && many.text == "channels: must be an array of 1 to 100 names\n")
            let much = try await api.call(.POST, "/events", [:], body(channels: 1, bytes: 10_241))
            #expect(much.status == 413 && much.text == "data: 10241 bytes, and 10240 are allowed\n")
            // What counts is what is delivered, not how it is escaped.
            let escaped = String(repeating: "\\u0041", count: 10_240)
            let last = #"{"name":"e","data":"\#(escaped)","channel":"c"}"#
            #expect(try await api.call(.POST, "/events", [:], last).status == 200)
            #expect(api.log.submitted.count == 102)
        }
    }

    @Test(arguments: [
        ("", "not JSON: unexpected end at byte 0"),
        ("[]", "the event: must be an object"),
        (#"{"data":"","channel":"c"}"#, "name: missing"),
        (#"{"name":"","data":"","channel":"c"}"#, "name: \(EventName.rule)"),
        (#"{"name":"pusher:error","data":"","channel":"c"}"#, "name: pusher: and"),
        (#"{"name":"pusher_internal:x","data":"","channel":"c"}"#, "name: pusher: and"),
        (#"{"name":"e","channel":"c"}"#, "data: missing"),
        (#"{"name":"e","data":{},"channel":"c"}"#, "data: must be a string"),
        (#"{"name":"e","data":"\ud800","channel":"c"}"#, "data: must be a string"),
        (#"{"name":"e","data":""}"#, "channels: must be given"),
        (#"{"name":"e","data":"","channel":"c","channels":["d"]}"#, "channels: must be given"),
        (#"{"name":"e","data":"","channels":[]}"#, "channels: must be an array of 1 to 100 names"),
        (#"{"name":"e","data":"","channels":["c","a:b"]}"#, "channels[1]: \(PusherChannel.rule)"),
        (#"{"name":"e","data":"","channel":"@u"}"#, "channel: \(PusherChannel.rule)"),
        (#"{"name":"e","data":"","channel":"*"}"#, "channel: \(PusherChannel.rule)"),
        (#"{"name":"e","data":"","channel":7}"#, "channel: \(PusherChannel.rule)"),
        (#"{"name":"e","data":"","channel":"c","socket_id":"12"}"#, "socket_id: must be"),
        (#"{"name":"e","data":"","channel":"c","socket_id":"1.2\n"}"#, "socket_id: must be"),
        (#"{"name":"e","data":"","channel":"c","info":"users"}"#, "info: must be of user_count, subscription_count"),
        (#"{"name":"e","data":"","channel":"c","data":""}"#, "data: given twice"),
        (#"{"name":"e","data":"","channel":"c","idempotency_key":""}"#, "idempotency_key: must be 1 to 128 bytes"),
    ])
    func `what cannot be read is 400 with the field named`(_ body: String, _ message: String) async throws {
        try await Api.serve(apps: Api.apps) { api async throws in
            let answer = try await api.call(.POST, "/events", [:], body)
            #expect(answer.status == 400 && answer.text.hasPrefix(message), "\(answer.text)")
            #expect(api.log.submitted.isEmpty)
        }
    }

    @Test func `a batch of ten goes in its order, and as a whole or not at all`() async throws {
        try await Api.serve(apps: Api.apps) { api async throws in
            func event(_ number: Int, _ more: String = "") -> String {
                #"{"name":"e\#(number)","data":"\#(number)","channel":"c\#(number % 2)"\#(more)}"#
            }
            func batch(_ events: [String]) -> String { #"{"batch":[\#(events.joined(separator: ","))]}"# }
            let ten = (0..<10).map { event($0) }
            #expect(try await api.call(.POST, "/batch_events", [:], batch(ten)).text == "{}")
            #expect(api.log.payloads(of: "c0") == ["0", "2", "4", "6", "8"].map { "\"\($0)\"" })
            for (body, message) in [
                (batch(ten + [event(10)]), "batch: must be an array of 1 to 10 events"),
                (batch([]), "batch: must be"), ("{}", "batch: must be"),
                (batch([event(1), #"{"name":"e","data":""}"#]), "batch[1]: channel: missing"),
                (batch([#"{"name":"e","data":"","channels":["c"]}"#]), "batch[0]: channel: missing"),
            ] {
                let answer = try await api.call(.POST, "/batch_events", [:], body)
                #expect(answer.status == 400 && answer.text.hasPrefix(message), "\(answer.text)")
            }
            let large = #"{"name":"e","data":"\#(String(repeating: "x", count: 10_241))","channel":"c"}"#
            #expect(try await api.call(.POST, "/batch_events", [:], batch([event(1), large])).status == 413)
            #expect(api.log.submitted.count == 10)
        }
    }

    @Test func `what is asked of the channels is answered beside each event`() async throws {
        try await Api.serve(apps: Api.apps) { api async throws in
            api.presence.state.withLock {
                $0.rooms = [
                    RoomRecord(room: RoomName(unchecked: "presence-a"), members: 2, connections: 3, head: nil),
                    RoomRecord(room: RoomName(unchecked: "b"), members: 4, connections: 5, head: nil),
                ]
            }
            let info = #""info":"user_count,subscription_count""#
            let one = try await api.call(
                .POST, "/events", [:], #"{"name":"e","data":"","channels":["b","presence-a","c"],\#(info)}"#)
            #expect(
                one.text == """
                    {"channels":{"b":{"subscription_count":5},"presence-a":{"user_count":2,"subscription_count":3},\
                    "c":{"subscription_count":0}}}
                    """)
            let events = [
                #"{"name":"e","data":"","channel":"b"}"#, #"{"name":"e","data":"","channel":"presence-a",\#(info)}"#,
            ]
            let batch = #"{"batch":[\#(events.joined(separator: ","))]}"#
            let many = try await api.call(.POST, "/batch_events", [:], batch)
            #expect(many.text == #"{"batch":[{},{"user_count":2,"subscription_count":3}]}"#)
        }
    }

    @Test func `under one idempotency key an event is stored once, and another one is 409`() async throws {
        try await Api.serve(apps: Api.apps) { api async throws in
            let body = #"{"name":"e","data":"1","channels":["a","b"]}"#
            let named = [("Idempotency-Key", "order-7")]
            for _ in 0..<2 {
                #expect(try await api.call(.POST, "/events", [:], body, headers: named).text == "{}")
            }
            #expect(api.log.payloads(of: "a").count == 1 && api.log.payloads(of: "b").count == 1)
            let other = body.replacing("1", with: "2")
            #expect(try await api.call(.POST, "/events", [:], other, headers: named).status == 409)
            // Another app's keys are its own, and so is a key in the body.
            #expect(try await api.call(.POST, "/events", [:], other, by: Api.other, headers: named).status == 200)
            let inside = #"{"name":"e","data":"3","channel":"a","idempotency_key":"order-8"}"#
            for _ in 0..<2 { #expect(try await api.call(.POST, "/events", [:], inside).status == 200) }
            let batch = #"{"batch":[{"name":"e","data":"4","channel":"a"},{"name":"e","data":"4","channel":"a"}]}"#
            let last = [("idempotency-key", "order-9")]
            for _ in 0..<2 {
                #expect(try await api.call(.POST, "/batch_events", [:], batch, headers: last).status == 200)
            }
            #expect(api.log.payloads(of: "a") == ["1", "3", "4", "4"].map { "\"\($0)\"" })
            // Without one, two of the same are two.
            for _ in 0..<2 { #expect(try await api.call(.POST, "/events", [:], body).status == 200) }
            #expect(api.log.payloads(of: "b").count == 3)
        }
    }

    @Test func `while the store is away events and questions are 503, in plain text`() async throws {
        try await Api.serve(apps: Api.apps) { api async throws in
            api.log.fail("b", with: .unavailable(reason: "test"))
            let some = #"{"name":"e","data":"","channels":["a","b"]}"#
            let answer = try await api.call(.POST, "/events", [:], some)
            #expect(answer.status == 503 && answer.headers.first(name: "content-type")?.hasPrefix("text/plain") == true)
            api.presence.state.withLock { $0.failure = .backend(.unavailable(reason: "test")) }
            for path in ["/channels", "/channels/a", "/channels/presence-a/users"] {
                #expect(try await api.call(.GET, path).status == 503, "\(path)")
            }
            #expect(try await api.call(.POST, "/users/u/terminate_connections", [:], "{}").status == 503)
        }
    }

    @Test func `what is stored is answered 200, though what was asked besides cannot be read`() async throws {
        try await Api.serve(apps: Api.apps) { api async throws in
            api.presence.state.withLock { $0.failure = .backend(.unavailable(reason: "test")) }
            let event = #"{"name":"e","data":"","channel":"presence-a","info":"user_count,subscription_count"}"#
            let one = try await api.call(.POST, "/events", [:], event)
            #expect(one.status == 200 && one.text == #"{"channels":{"presence-a":{}}}"#)
            let batch = #"{"batch":[\#(event),{"name":"e","data":"","channel":"b"}]}"#
            let many = try await api.call(.POST, "/batch_events", [:], batch)
            #expect(many.status == 200 && many.text == #"{"batch":[{},{}]}"#)
            #expect(api.log.submitted == ["presence-a", "presence-a", "b"])
        }
    }

    // MARK: Apps

    @Test func `a further app has channels and users of its own, and sees none of the first one's`() async throws {
        try await Api.serve(apps: Api.apps) { api async throws in
            let body = ##"{"name":"e","data":"","channels":["a","#server-to-user-u"]}"##
            #expect(try await api.call(.POST, "/events", [:], body, by: Api.other).status == 200)
            #expect(api.log.submitted == [":4:a", "@:4:u"])
            api.presence.state.withLock {
                $0.rooms = ["a", ":4:b", ":5:c", ":4:presence-d", "n:a", "presence-e"].map {
                    RoomRecord(room: RoomName(unchecked: $0), members: 1, connections: 1, head: nil)
                }
                $0.members = [":4:u", "v", ":5:w"].map {
                    Member(userId: UserID(unchecked: $0), info: [], connections: 1)
                }
                $0.connections = [UserID(unchecked: ":4:u"): []]
            }
            let other = try await api.call(.GET, "/channels", by: Api.other)
            #expect(other.text == #"{"channels":{"b":{},"presence-d":{}}}"#)
            #expect(try await api.call(.GET, "/channels").text == #"{"channels":{"a":{},"presence-e":{}}}"#)
            // Others' rooms are no part of what is read, and so of no bound.
            #expect(api.presence.asked.suffix(2) == ["rooms in :4:", "rooms in  alone"])
            #expect(try await api.call(.GET, "/channels/a", by: Api.other).text == #"{"occupied":false}"#)
            #expect(try await api.call(.GET, "/channels/b", by: Api.other).text == #"{"occupied":true}"#)
            let users = try await api.call(.GET, "/channels/presence-d/users", by: Api.other)
            #expect(users.text == #"{"users":[{"id":"u"}]}"#)
            _ = try await api.call(.POST, "/users/u/terminate_connections", [:], "{}", by: Api.other)
            #expect(api.presence.asked.last == "disconnect :4:u 4403 forbidden")
            // The first app cannot reach it by a name.
            let foreign = try await api.call(.POST, "/users/:4:u/terminate_connections", [:], "{}")
            #expect(foreign.status == 400)
            let inbox = ##"{"name":"e","data":"","channel":"#server-to-user-:4:u"}"##
            #expect(try await api.call(.POST, "/events", [:], inbox).status == 400)
        }
    }

    @Test func `an app has as many calls as its rate, whatever others make, and the next is 429`() async throws {
        var slow = PusherApp(id: Api.other.id, key: Api.other.key, secrets: [Api.other.secret])
        slow.rate = 1
        let first = PusherApp(id: Api.backend.id, key: Api.backend.key, secrets: [Api.backend.secret])
        try await Api.serve(apps: PusherApps([first, slow])) { api async throws in
            // What is not signed spends nothing.
            let stranger = PusherBackend(id: Api.other.id, key: Api.other.key, secret: "wrong")
            #expect(try await api.call(.GET, "/channels", by: stranger).status == 401)
            #expect(try await api.call(.GET, "/channels", by: Api.other).status == 200)
            let refused = try await api.call(.POST, "/events", [:], "{}", by: Api.other)
            #expect(refused.status == 429 && refused.headers.first(name: "retry-after") == "1")
            #expect(refused.text == "the app 4 has made all its requests of this second\n")
            for _ in 1...20 { #expect(try await api.call(.GET, "/channels").status == 200) }
        }
    }

    @Test func `data may be as long as the settings say`() async throws {
        var app = PusherApp(id: Api.backend.id, key: Api.backend.key, secrets: [Api.backend.secret])
        app.maxEventBytes = 20
        try await Api.serve(apps: PusherApps([app])) { api async throws in
            for (count, status) in [(20, 200), (21, 413)] {
                let body = #"{"name":"e","data":"\#(String(repeating: "x", count: count))","channel":"c"}"#
                #expect(try await api.call(.POST, "/events", [:], body).status == status)
            }
        }
    }

    // MARK: Questions

    @Test func `channels are listed over all pages, by prefix, with their users where that can be`() async throws {
        try await Api.serve(apps: Api.apps) { api async throws in
            api.presence.state.withLock {
                $0.rooms = (0..<2500).map {
                    let name = ($0 % 2 == 0 ? "presence-" : "private-") + "\($0)"
                    return RoomRecord(room: RoomName(unchecked: name), members: $0, connections: $0 + 1, head: nil)
                }
            }
            let all = try await api.call(.GET, "/channels")
            let channels: Int = all.text.ranges(of: ":{}").count
            #expect(channels == 2500)
            let some = try await api.call(
                .GET, "/channels", ["filter_by_prefix": "presence-24", "info": "user_count,subscription_count"])
            #expect(some.text.hasPrefix(#"{"channels":{"presence-24":{"user_count":24,"subscription_count":25},"#))
            // 24, five of three digits, fifty of four.
            let count: Int = some.text.ranges(of: #""user_count""#).count
            #expect(count == 56)
            for query in [["info": "user_count"], ["filter_by_prefix": "private-", "info": "user_count"]] {
                #expect(try await api.call(.GET, "/channels", query).status == 400, "\(query)")
            }
            #expect(try await api.call(.GET, "/channels", ["info": "cache"]).status == 400)
        }
    }

    @Test func `an app's channels are listed once at a time, and a call meanwhile is told to come again`() async throws
    {
        try await Api.serve(apps: Api.apps) { api async throws in
            let (begun, isBegun) = AsyncStream.makeStream(of: Void.self)
            let (end, mayEnd) = AsyncStream.makeStream(of: Void.self)
            api.presence.state.withLock {
                $0.listing = {
                    isBegun.yield()
                    for await _ in end { break }
                }
            }
            async let first = api.call(.GET, "/channels")
            for await _ in begun { break }
            let second = try await api.call(.GET, "/channels")
            #expect(second.status == 429 && second.headers.first(name: "retry-after") == "1")
            #expect(second.text == "the channels of the app \(Api.backend.id) are being listed for another call\n")
            mayEnd.finish()
            // Another app is not kept waiting, and nobody is afterwards.
            #expect(try await first.status == 200)
            api.presence.state.withLock { $0.listing = nil }
            #expect(try await api.call(.GET, "/channels").status == 200)
            #expect(try await api.call(.GET, "/channels", by: Api.other).status == 200)
        }
    }

    @Test func `a channel says whether somebody is in it, and what else there is of its kind`() async throws {
        try await Api.serve(apps: Api.apps) { api async throws in
            api.presence.state.withLock {
                $0.rooms = [
                    // Those within their grace have no connection.
                    RoomRecord(room: RoomName(unchecked: "presence-a"), members: 1, connections: 0, head: nil),
                    RoomRecord(
                        room: RoomName(unchecked: "b"), members: 0, connections: 0,
                        head: Position(epoch: "e", seq: 1)),
                    RoomRecord(
                        room: RoomName(unchecked: "d"), members: 0, connections: 0, head: nil, hasGuestGrace: true),
                ]
            }
            let one = try await api.call(.GET, "/channels/presence-a", ["info": "user_count"])
            #expect(one.text == #"{"occupied":true,"user_count":1}"#)
            let two = try await api.call(.GET, "/channels/b", ["info": "subscription_count"])
            #expect(two.text == #"{"occupied":false,"subscription_count":0}"#)
            #expect(try await api.call(.GET, "/channels/c").text == #"{"occupied":false}"#)
            #expect(try await api.call(.GET, "/channels/d").text == #"{"occupied":true}"#)
            for (path, info) in [("b", "user_count"), ("b", "cache"), ("presence-a", "x")] {
                #expect(try await api.call(.GET, "/channels/\(path)", ["info": info]).status == 400, "\(path) \(info)")
            }
            for name in ["%2Fa", "a:b", "%23server-to-user-u", "%00"] {
                #expect(try await api.call(.GET, "/channels/\(name)").status == 400, "\(name)")
            }
        }
    }

    @Test func `a cache channel shows its last event for half an hour`() async throws {
        let stored: Int64 = 1_700_000_000_001
        for (age, ttl) in [(0, "1800"), (1_799_001, "1"), (1_800_000, "")] as [(Int64, String)] {
            try await Api.serve(apps: Api.apps, wall: stored + age) { api async throws in
                let seconds = (stored + age) / 1000
                func ask() async throws -> String {
                    let target = Api.backend.target("GET", "/channels/private-cache-a", ["info": "cache"], at: seconds)
                    return try await api.send(.GET, target, key: nil).text
                }
                #expect(try await ask() == #"{"occupied":false}"#)
                _ = try await api.send(
                    .POST, "/v1/broadcast", #"{"to":{"rooms":["private-cache-a"]},"payload":{"a":"b"}}"#)
                let cache = ttl.isEmpty ? "" : #","cache":{"data":"{\"a\":\"b\"}","ttl":\#(ttl)}"#
                #expect(try await ask() == #"{"occupied":false\#(cache)}"#)
            }
        }
        try await Api.serve(apps: Api.apps) { api async throws in
            let now = Int64(HTTPDate.now) * 1000
            api.log.state.withLock { $0.now = now }
            let body = #"{"name":"e","data":"{\"x\":1}","channel":"cache-b"}"#
            #expect(try await api.call(.POST, "/events", [:], body).status == 200)
            let answer = try await api.call(.GET, "/channels/cache-b", ["info": "cache"])
            #expect(answer.text.hasPrefix(#"{"occupied":false,"cache":{"data":"{\"x\":1}","ttl":1"#))
        }
    }

    @Test func `the users of a presence channel are those of all pages, each once`() async throws {
        try await Api.serve(apps: Api.apps) { api async throws in
            api.presence.state.withLock {
                $0.members = (0..<2345).map {
                    Member(userId: UserID(unchecked: "u\($0)"), info: [], connections: 1)
                }
            }
            let answer = try await api.call(.GET, "/channels/presence-a/users")
            #expect(answer.text.hasPrefix(#"{"users":[{"id":"u0"},"#))
            let users: Int = answer.text.ranges(of: #""id""#).count
            #expect(users == 2345)
            for path in ["private-a", "a", "presence-a:b"] {
                #expect(try await api.call(.GET, "/channels/\(path)/users").status == 400, "\(path)")
            }
        }
    }

    @Test func `a user's connections are closed under either path, by the key of the app`() async throws {
        try await Api.serve(apps: Api.apps) { api async throws in
            #expect(try await api.call(.POST, "/users/a%7Cb/terminate_connections", [:], "{}").text == "{}")
            let whole = Api.other.target("POST", "/users/ann/terminate_connections", body: "{}", isWhole: true)
            #expect(try await api.send(.POST, whole, "{}", key: nil).text == "{}")
            #expect(api.presence.asked == ["disconnect a|b 4403 forbidden", "disconnect :4:ann 4403 forbidden"])
            var unknown = Api.other
            unknown.key = "unknown"
            let none = unknown.target("POST", "/users/ann/terminate_connections", body: "{}", isWhole: true)
            #expect(try await api.send(.POST, none, "{}", key: nil).status == 401)
            let name = String(repeating: "x", count: 129)
            #expect(try await api.call(.POST, "/users/\(name)/terminate_connections", [:], "{}").status == 400)
            #expect(api.presence.asked.count == 2)
        }
    }
}
