import ControlAPI
import Dialects
import GatewayCore
import NIOHTTP1
import Testing

/// `?app=` in calls of `/v1`: the rooms and users of a further app, by the names that the app has for them.
@Suite("REST for one app") struct AppScopeTests {
    @Test func `a message goes to the app's rooms and users, and the answer names them as the app does`() async throws {
        try await Api.serve(apps: Api.apps) { api async throws in
            let rooms = #"{"to":{"rooms":["a","b"]},"payload":{"roomId":":4:x"},"userId":"u","idempotencyKey":"k"}"#
            let told = try await api.send(.POST, "/v1/broadcast?app=4", rooms)
            #expect(told.status == 200 && told.text.contains(#""rooms":[{"roomId":"a","epoch""#), "\(told.text)")
            #expect(told.text.contains(#"{"roomId":"b","epoch""#))
            let users = #"{"broadcasts":[{"to":{"users":["u"]},"payload":1},{"to":{"rooms":["c"]},"payload":2}]}"#
            let batch = try await api.send(.POST, "/v1/broadcast/batch?app=4", users)
            #expect(batch.text.contains(#""users":[{"userId":"u","#) && batch.text.contains(#"{"roomId":"c","#))
            #expect(api.log.submitted == [":4:a", ":4:b", "@:4:u", ":4:c"])
            let published = api.log.state.withLock { $0.published }
            #expect(published.map(\.userId.string) == [":4:u", ":4:u", "system", "system"])
            #expect(api.log.payloads(of: ":4:a") == [#"{"roomId":":4:x"}"#])
            // The same key of another app, or a native one, is another.
            let native = try await api.send(.POST, "/v1/broadcast", rooms.replacing("\"a\",\"b\"", with: "\"a\""))
            #expect(native.status == 200 && api.log.submitted.last == "a")
        }
    }

    @Test func `history, members and a user are told with the app's own names, and what others wrote as it is`()
        async throws
    {
        try await Api.serve(apps: Api.apps) { api async throws in
            let body = #"{"to":{"rooms":["a"]},"payload":{"userId":":4:u","rooms":[":4:r"]},"userId":"u"}"#
            #expect(try await api.send(.POST, "/v1/broadcast?app=4", body).status == 200)
            let history = try await api.send(.GET, "/v1/rooms/a/messages?app=4").text
            #expect(history.hasPrefix(#"{"roomId":"a","#) && history.contains(#""userId":"u""#), "\(history)")
            #expect(history.contains(#""payload":{"userId":":4:u","rooms":[":4:r"]}"#))
            let user = UserID(unchecked: ":4:u")
            api.presence.state.withLock {
                $0.online = [":4:u", "v", ":4:w"]
                $0.rooms = ["a", ":4:a", ":4:ab", ":4:b"].map {
                    RoomRecord(room: RoomName(unchecked: $0), members: 1, connections: 1, head: nil)
                }
                $0.members = [Member(userId: user, info: Array(#"{"userId":":4:u"}"#.utf8), connections: 1)]
                $0.connections[user] = [
                    ConnectionRecord(
                        connectionId: "k", nodeId: "n", connectedAt: 1, rooms: [RoomName(unchecked: ":4:a")],
                        remoteAddress: nil, dialect: .pusher)
                ]
            }
            let members = try await api.send(.GET, "/v1/rooms/a/members?app=4").text
            let member = #"{"userId":"u","info":{"userId":":4:u"},"connections":1}"#
            #expect(members.hasPrefix(#"{"roomId":"a","members":[\#(member)]"#), "\(members)")
            let one = try await api.send(.GET, "/v1/users/u?app=4").text
            #expect(one.hasPrefix(#"{"userId":"u","online":true,"connections":["#), "\(one)")
            #expect(one.contains(#""dialect":"pusher","rooms":["a"]"#))
            let asked = try await api.send(.POST, "/v1/users/query?app=4", #"{"users":["u","v"]}"#).text
            #expect(asked == #"{"users":[{"userId":"u","online":true},{"userId":"v","online":false}]}"#)
            let online = try await api.send(.GET, "/v1/users?app=4").text
            #expect(online == #"{"users":[{"userId":"u","online":true},{"userId":"w","online":true}]}"#)
            let rooms = try await api.send(.GET, "/v1/rooms?app=4").text
            #expect(rooms == #"{"rooms":[{"roomId":"a"},{"roomId":"ab"},{"roomId":"b"}]}"#)
            let some = try await api.send(.GET, "/v1/rooms?app=4&prefix=a&limit=1").text
            #expect(some.hasPrefix(#"{"rooms":[{"roomId":"a"}],"next":""#), "\(some)")
            #expect(try await api.send(.HEAD, "/v1/rooms/a?app=4").status == 200)
            let push = #"{"to":{"users":["u"]},"payload":1}"#
            #expect(try await api.send(.POST, "/v1/broadcast?app=4", push).status == 200)
            let inbox = try await api.send(.GET, "/v1/rooms/@u/messages?app=4").text
            #expect(inbox.hasPrefix(#"{"roomId":"@u","#), "\(inbox)")
        }
    }

    @Test func `orders reach the app's users and rooms`() async throws {
        try await Api.serve(apps: Api.apps) { api async throws in
            #expect(try await api.send(.POST, "/v1/users/u/disconnect?app=4", "{}").text == #"{"disconnected":0}"#)
            #expect(api.presence.asked.last == "disconnect :4:u 4403 forbidden")
            let ban = try await api.send(.PUT, "/v1/rooms/r/bans/u?app=4", "{}")
            #expect(ban.text == #"{"roomId":"r","version":7}"#)
            let invited = try await api.send(.POST, "/v1/rooms/r/members?app=4", #"{"users":["u"]}"#)
            #expect(invited.text == #"{"roomId":"r","users":[{"userId":"u","connections":2}]}"#)
            let order = try #require(api.rooms.state.withLock { $0.orders.first })
            #expect(order.room.string == ":4:r" && order.user.string == ":4:u")
        }
    }

    @Test func `the first app has the native names; an unknown one is 404, and what no app has is refused`()
        async throws
    {
        try await Api.serve(apps: Api.apps) { api async throws in
            let body = #"{"to":{"rooms":["a"]},"payload":1}"#
            #expect(try await api.send(.POST, "/v1/broadcast?app=3", body).text.contains(#"{"roomId":"a","#))
            #expect(api.log.submitted == ["a"])
            let unknown = try await api.send(.GET, "/v1/rooms/a?app=5")
            #expect(unknown.status == 404)
            #expect(unknown.text == #"{"error":{"code":"not_found","message":"app: there is no app of this id"}}"#)
            #expect(try await api.send(.GET, "/v1/rooms/a?app=").status == 404)
            #expect(try await api.send(.GET, "/v1/rooms/a?app=4&app=3").status == 400)
            let foreign: [(HTTPMethod, String, String?)] = [
                (.GET, "/v1/nodes", nil), (.GET, "/v1/stats", nil), (.POST, "/v1/turn", #"{"userId":"u"}"#),
                (.POST, "/v1/connections/c/disconnect", "{}"), (.GET, "/v1/rooms/*", nil),
                (.POST, "/v1/broadcast", #"{"to":{"everyone":true},"payload":1}"#),
                (.POST, "/v1/broadcast", #"{"to":{"every\u006fne":true},"payload":1}"#),
            ]
            for (method, path, body) in foreign {
                let refused = try await api.send(method, "\(path)?app=4", body)
                #expect(refused.status == 400 && refused.text.contains("app: "), "\(path): \(refused.text)")
            }
            // Without a key nobody learns which apps there are.
            #expect(try await api.send(.GET, "/v1/rooms/a?app=5", key: nil).status == 401)
        }
        try await Api.serve { api async throws in
            #expect(try await api.send(.GET, "/v1/rooms/a?app=3").status == 404)
        }
    }

    @Test(arguments: [
        "", "[]", "{", #"{"to":{"rooms":"a"},"payload":1}"#, #"{"to":{"rooms":["@u"]},"payload":1}"#,
        #"{"to":{"rooms":["*"]},"payload":1}"#, #"{"to":{"users":[1]},"payload":1}"#,
        #"{"to":{"users":[""]},"payload":1}"#, #"{"to":{"rooms":["a"]},"to":{"rooms":["b"]},"payload":1}"#,
        #"{"to":{"rooms":["\ud800"]},"payload":1}"#, #"{"to":{"rooms":["a"],"users":["u"]},"payload":1}"#,
        #"{"to":{"rooms":["a"]},"payload":1,"userId":""}"#, #"{"to":{"rooms":["a"]},"payload":1,"userId":" u"}"#,
        #"{"to":{"users":["system"]},"payload":1}"#, #"{"to":{"users":["u "]},"payload":1}"#,
        #"{"to":{"users":["\u200bu"]},"payload":1}"#, #"{"to":{"rooms":["a"]},"payload":1,"idempotencyKey":""}"#,
    ])
    func `what is refused without an app is refused with one`(body: String) async throws {
        try await Api.serve(apps: Api.apps) { api async throws in
            #expect(try await api.send(.POST, "/v1/broadcast", body).status == 400)
            let refused = try await api.send(.POST, "/v1/broadcast?app=4", body)
            #expect(refused.status == 400, "\(refused.text)")
            #expect(api.log.submitted == [])
        }
    }

    @Test(arguments: [
        (HTTPMethod.POST, "/v1/users/system/disconnect"), (.POST, "/v1/users/%20u/disconnect"),
        (.GET, "/v1/rooms/@/messages"), (.GET, "/v1/rooms/@system/messages"), (.GET, "/v1/rooms/@u%20/messages"),
        (.GET, "/v1/rooms/a%20b"), (.GET, "/v1/users/%E2%80%8Bu"), (.PUT, "/v1/rooms/a/bans/system"),
    ])
    func `a path that is refused without an app is refused with one`(method: HTTPMethod, path: String) async throws {
        try await Api.serve(apps: Api.apps) { api async throws in
            let body = method == .GET ? nil : "{}"
            for app in ["", "?app=4", "?app=3"] {
                #expect(try await api.send(method, path + app, body).status == 400, "\(path)\(app)")
            }
            #expect(api.presence.asked == [])
        }
    }

    @Test func `a user of the app whose name is too long with what fences it off is no native one`() async throws {
        try await Api.serve(apps: Api.apps) { api async throws in
            for (count, status) in [(125, 200), (126, 400), (128, 400)] {
                let name = String(repeating: "u", count: count)
                for body in [
                    #"{"to":{"users":["\#(name)"]},"payload":1}"#,
                    #"{"to":{"rooms":["r"]},"payload":1,"userId":"\#(name)"}"#,
                ] {
                    #expect(try await api.send(.POST, "/v1/broadcast?app=4", body).status == status, "\(count)")
                }
                let query = #"{"users":["\#(name)"]}"#
                #expect(try await api.send(.POST, "/v1/users/query?app=4", query).status == status, "\(count)")
            }
            #expect(api.log.submitted.allSatisfy { $0.hasPrefix(":4:") || $0.hasPrefix("@:4:") })
        }
    }

    @Test func `in a batch what goes to everyone is one element's error`() async throws {
        try await Api.serve(apps: Api.apps) { api async throws in
            let body =
                #"{"broadcasts":[{"to":{"everyone":true},"payload":1},{"to":{"users":[""]},"payload":2},"#
                + #"{"to":{"rooms":["a"]},"payload":3}]}"#
            let sent = try await api.send(.POST, "/v1/broadcast/batch?app=4", body)
            #expect(sent.status == 200, "\(sent.text)")
            #expect(sent.text.hasPrefix(#"{"results":[{"error":{"code":"bad_request","message":"app: clients"#))
            #expect(sent.text.contains(#"{"roomId":"a","#))
            #expect(api.log.submitted == [":4:a"])
        }
    }

    @Test func `an idempotency key of an app is no native one, of whatever length either is`() async throws {
        try await Api.serve(apps: Api.apps) { api async throws in
            func send(_ app: String, _ key: String, _ payload: Int) async throws -> Int {
                let body = #"{"to":{"rooms":["a"]},"payload":\#(payload),"idempotencyKey":"\#(key)"}"#
                return try await api.send(.POST, "/v1/broadcast\(app)", body).status
            }
            #expect(try await send("?app=4", "order-7", 1) == 200)
            #expect(try await send("?app=4", "order-7", 2) == 409)
            #expect(try await send("?app=3", "order-7", 3) == 200)
            let kept = try #require(api.log.state.withLock { $0.claims.keys.first { $0 != "order-7" } })
            #expect(kept.utf8.count > 128)
            // None that a native call may bring is the same.
            #expect(try await send("", ":4:order-7", 4) == 200)
            #expect(try await send("", kept, 5) == 400)
            #expect(try await send("", String(kept.prefix(128)), 6) == 200)
            #expect(try await send("?app=4", String(repeating: "k", count: 128), 7) == 200)
            #expect(try await send("?app=4", String(repeating: "k", count: 129), 8) == 400)
        }
    }

    @Test func `a name is shown without what fences it off, whatever it begins with`() async throws {
        try await Api.serve(apps: Api.apps) { api async throws in
            // The first scalar joins the colon before it to one character.
            for name in ["\u{301}x", "\u{FE0F}x"] {
                api.presence.state.withLock { $0.online = [":4:" + name] }
                let told = try await api.send(.GET, "/v1/users?app=4").text
                #expect(told == #"{"users":[{"userId":"\#(name)","online":true}]}"#)
            }
        }
    }

    @Test func `the first app reaches none of a further one's rooms and users, and lists none`() async throws {
        try await Api.serve(apps: Api.apps) { api async throws in
            api.presence.state.withLock {
                $0.online = [":4:u", "v", ":9:w"]
                $0.rooms = ["a", ":4:a", ":b", "c"].map {
                    RoomRecord(room: RoomName(unchecked: $0), members: 1, connections: 1, head: nil)
                }
            }
            #expect(try await api.send(.GET, "/v1/rooms?app=3").text == #"{"rooms":[{"roomId":"a"},{"roomId":"c"}]}"#)
            #expect(try await api.send(.GET, "/v1/users?app=3").text == #"{"users":[{"userId":"v","online":true}]}"#)
            #expect(try await api.send(.GET, "/v1/rooms/a?app=3").status == 200)
            for path in ["/v1/rooms/:4:a", "/v1/rooms/@:4:u/messages", "/v1/users/:4:u", "/v1/rooms/:4:a/members"] {
                let refused = try await api.send(.GET, "\(path)?app=3")
                #expect(refused.status == 400, "\(path): \(refused.text)")
            }
            for to in [#""rooms":[":4:a"]"#, #""users":[":4:u"]"#] {
                let body = #"{"to":{\#(to)},"payload":1}"#
                #expect(try await api.send(.POST, "/v1/broadcast?app=3", body).status == 400)
            }
            #expect(api.log.submitted == [])
            let everyone = #"{"to":{"everyone":true},"payload":1}"#
            #expect(try await api.send(.POST, "/v1/broadcast?app=3", everyone).status == 200)
        }
    }

    @Test func `without an app lists show no name of a further one, nor does a cursor`() async throws {
        try await Api.serve(apps: Api.apps) { api async throws in
            api.presence.state.withLock {
                $0.online = [":4:u", "v", ":4:w", "x"]
                $0.rooms = ["a", ":4:a", "ab", ":4:b"].map {
                    RoomRecord(room: RoomName(unchecked: $0), members: 1, connections: 1, head: nil)
                }
            }
            let online = #"{"users":[{"userId":"v","online":true},{"userId":"x","online":true}]}"#
            #expect(try await api.send(.GET, "/v1/users").text == online)
            let rooms = #"{"rooms":[{"roomId":"a"},{"roomId":"ab"}]}"#
            #expect(try await api.send(.GET, "/v1/rooms").text == rooms)
            #expect(try await api.send(.GET, "/v1/rooms?prefix=ab").text == #"{"rooms":[{"roomId":"ab"}]}"#)
            #expect(try await api.send(.GET, "/v1/rooms?prefix=:4").text == #"{"rooms":[]}"#)
            let page = try await api.send(.GET, "/v1/users?limit=1").text
            let next = page.split(separator: #""next":""#).dropFirst().first.map { $0.prefix { $0 != "\"" } }
            #expect(next.map { $0.utf8.count > 50 } == true, "\(page)")
        }
        try await Api.serve { api async throws in
            api.presence.state.withLock { $0.online = [":4:u"] }
            #expect(try await api.send(.GET, "/v1/users").text.contains(#""userId":":4:u""#))
        }
    }

    @Test func `a cursor shows no name, and leads on through pages that may be empty`() async throws {
        try await Api.serve(apps: Api.apps) { api async throws in
            // More of others than one call goes through.
            api.presence.state.withLock { $0.online = [":4:a"] + (0..<20_000).map { "n\($0)" } + [":4:b"] }
            var users: [String] = []
            var pages = 0
            var query = ""
            repeat {
                let page = try await api.send(.GET, "/v1/users?app=4&limit=1\(query)").text
                users += page.split(separator: #""userId":""#).dropFirst().map { String($0.prefix { $0 != "\"" }) }
                let next = page.split(separator: #""next":""#).dropFirst().first.map {
                    String($0.prefix { $0 != "\"" })
                }
                query = next.map { "&cursor=\($0)" } ?? ""
                pages += 1
                // The directory's own are numbers.
                #expect(next.map { $0.utf8.count > 50 } ?? true)
            } while !query.isEmpty && pages < 100
            #expect(users == ["a", "b"] && pages > 2)
            for cursor in ["1", "abc", String(repeating: "0", count: 60)] {
                #expect(try await api.send(.GET, "/v1/users?app=4&cursor=\(cursor)").status == 400)
            }
        }
    }

    @Test func `a call with an app pays its key's rate first, and is noted with the app`() async throws {
        let calls = MemoryCalls()
        let slow = BackendKey(name: "slow", key: "k-slow", scopes: [.moderate], rooms: nil, perSecond: 1)
        try await Api.serve(named: [slow], calls: calls, apps: Api.apps) { api async throws in
            for (path, status) in [
                ("/v1/users/u/disconnect?app=4", 200), ("/v1/users/u/disconnect?app=9", 404),
                ("/v1/users/%20u/disconnect?app=4", 400),
            ] {
                #expect(try await api.send(.POST, path, "{}").status == status, "\(path)")
            }
            for status in [404, 429] {
                let answer = try await api.send(.POST, "/v1/users/u/disconnect?app=9", "{}", key: "k-slow")
                #expect(answer.status == status)
            }
            let noted = calls.noted.withLock { $0 }
            #expect(noted.map(\.whom) == ["app 4: u", "app 9: u", "app 4:  u", "app 9: u", "app 9: u"])
            #expect(noted.map(\.status) == [200, 404, 400, 404, 429])
        }
    }

    @Test func `a name that is too long with what fences it off is refused`() async throws {
        try await Api.serve(apps: Api.apps) { api async throws in
            for (count, status) in [(197, 200), (198, 400)] {
                let name = String(repeating: "r", count: count)
                let sent = try await api.send(
                    .POST, "/v1/broadcast?app=4", #"{"to":{"rooms":["\#(name)"]},"payload":1}"#)
                #expect(sent.status == status)
            }
        }
    }

    @Test func `a key that is bound to rooms is bound to these alone, in whatever app`() async throws {
        func key(_ name: String, _ rooms: [String]) -> BackendKey {
            BackendKey(
                name: name, key: "k-\(name)", scopes: [.read, .broadcast, .moderate],
                rooms: rooms.compactMap(RoomPattern.init))
        }
        let named = [key("native", ["hall"]), key("fourth", [":4:*"])]
        try await Api.serve(named: named, apps: Api.apps) { api async throws in
            let body = #"{"to":{"rooms":["hall"]},"payload":1}"#
            for (key, path, status) in [
                ("native", "/v1/broadcast", 200), ("native", "/v1/broadcast?app=4", 403),
                ("fourth", "/v1/broadcast", 403), ("fourth", "/v1/broadcast?app=4", 200),
            ] {
                #expect(try await api.send(.POST, path, body, key: "k-\(key)").status == status, "\(key) \(path)")
            }
            let read = "/v1/rooms/hall/members?app=4"
            #expect(try await api.send(.GET, read, key: "k-native").status == 403)
            #expect(try await api.send(.GET, read, key: "k-fourth").status == 200)
            #expect(try await api.send(.GET, "/v1/users/u?app=4", key: "k-fourth").status == 403)
        }
    }
}
