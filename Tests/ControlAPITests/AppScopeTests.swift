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
    ])
    func `what is refused without an app is refused with one`(body: String) async throws {
        try await Api.serve(apps: Api.apps) { api async throws in
            #expect(try await api.send(.POST, "/v1/broadcast", body).status == 400)
            let refused = try await api.send(.POST, "/v1/broadcast?app=4", body)
            #expect(refused.status == 400, "\(refused.text)")
            #expect(api.log.submitted == [])
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
