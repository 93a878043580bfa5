import ControlAPI
import GatewayCore
import NIOHTTP1
import Testing

/// What a key of `api.keysFile` opens, on the way that most requests take and on the library's.
@Suite struct KeyScopeTests {
    private static func key(
        _ name: String, _ scopes: Set<APIScope>, rooms: [String]? = nil, perSecond: Int? = nil
    ) -> BackendKey {
        BackendKey(
            name: name, key: "k-\(name)", scopes: scopes, rooms: rooms?.compactMap(RoomPattern.init),
            perSecond: perSecond)
    }

    private static let named = [
        key("reader", [.read]), key("sender", [.broadcast]), key("warden", [.moderate, .read]), key("all", [.admin]),
        key("bound", [.read, .broadcast, .moderate], rooms: ["lesson-*", "hall"]),
    ]

    private struct Call: Sendable, CustomTestStringConvertible {
        let method: HTTPMethod
        let path: String
        var body: String?
        let scope: APIScope

        var testDescription: String { "\(method) \(path)" }
    }

    private static let calls = [
        Call(method: .GET, path: "/v1/users", scope: .read), Call(method: .GET, path: "/v1/users/u", scope: .read),
        Call(method: .POST, path: "/v1/users/query", body: #"{"users":["u"]}"#, scope: .read),
        Call(method: .GET, path: "/v1/rooms", scope: .read), Call(method: .GET, path: "/v1/rooms/hall", scope: .read),
        Call(method: .GET, path: "/v1/rooms/hall/members", scope: .read),
        Call(method: .GET, path: "/v1/rooms/hall/messages", scope: .read),
        Call(method: .GET, path: "/v1/nodes", scope: .read), Call(method: .GET, path: "/v1/stats", scope: .read),
        Call(method: .GET, path: "/v1/webhooks", scope: .read), Call(method: .GET, path: "/v1/top", scope: .read),
        Call(method: .GET, path: "/v1/addresses/bans", scope: .read),
        Call(
            method: .POST, path: "/v1/broadcast", body: #"{"to":{"rooms":["hall"]},"payload":1}"#, scope: .broadcast),
        Call(method: .POST, path: "/v1/broadcast/batch", body: #"{"broadcasts":[]}"#, scope: .broadcast),
        Call(method: .POST, path: "/v1/users/u/disconnect", body: "{}", scope: .moderate),
        Call(method: .DELETE, path: "/v1/users/u/ban", scope: .moderate),
        Call(method: .POST, path: "/v1/connections/c/disconnect", body: "{}", scope: .moderate),
        Call(method: .POST, path: "/v1/turn", body: #"{"userId":"u"}"#, scope: .broadcast),
        Call(method: .PUT, path: "/v1/rooms/hall", body: "{}", scope: .moderate),
        Call(method: .PATCH, path: "/v1/rooms/hall", body: "{}", scope: .moderate),
        Call(method: .DELETE, path: "/v1/rooms/hall", scope: .moderate),
        Call(method: .DELETE, path: "/v1/rooms/hall/messages/1", scope: .moderate),
        Call(method: .POST, path: "/v1/rooms/hall/members", body: "{}", scope: .moderate),
        Call(method: .PUT, path: "/v1/rooms/hall/members/u", body: "{}", scope: .moderate),
        Call(method: .DELETE, path: "/v1/rooms/hall/bans/u", scope: .moderate),
        Call(method: .DELETE, path: "/v1/rooms/hall/mutes/u", scope: .moderate),
        Call(
            method: .PUT, path: "/v1/addresses/bans", body: #"{"cidr":"10.0.0.0/8","seconds":5}"#, scope: .moderate),
        Call(method: .DELETE, path: "/v1/addresses/bans?cidr=10.0.0.0/8", scope: .moderate),
        Call(method: .DELETE, path: "/v1/users/u", scope: .admin),
        Call(method: .POST, path: "/v1/webhooks/replay", body: #"{"from":1}"#, scope: .admin),
    ]

    @Test func `a key opens what its scopes name and nothing else, however the path is spelt`() async throws {
        try await Api.serve(named: Self.named) { api async throws in
            for call in Self.calls {
                for (key, scopes) in [
                    ("reader", [APIScope.read]), ("sender", [.broadcast]), ("warden", [.moderate, .read]),
                    ("all", APIScope.allCases),
                ] {
                    for end in call.path.contains("?") ? [""] : ["", "/"] {
                        let answer = try await api.send(call.method, call.path + end, call.body, key: "k-\(key)")
                        let isRefused = answer.status == 403
                        #expect(isRefused == !scopes.contains(call.scope), "\(key) \(call) \(answer.text)")
                        guard isRefused else { continue }
                        #expect(answer.text.contains(#""code":"forbidden""#))
                        #expect(answer.text.contains("it needs the scope \(call.scope.rawValue)"))
                    }
                }
            }
            #expect(try await api.send(.GET, "/v1/users", key: "k-other").status == 401)
        }
    }

    @Test func `a key that is bound to rooms reaches those, and neither users nor everyone`() async throws {
        try await Api.serve(named: Self.named) { api async throws in
            func status(_ method: HTTPMethod, _ path: String, _ body: String? = nil) async throws -> Int {
                try await api.send(method, path, body, key: "k-bound").status
            }
            for room in ["hall", "lesson-7"] {
                #expect(try await status(.GET, "/v1/rooms/\(room)/messages") != 403)
                #expect(try await status(.PUT, "/v1/rooms/\(room)", #"{"version":0}"#) != 403)
            }
            for path in ["rooms/lobby", "rooms/@u", "rooms/*", "rooms", "users", "users/u", "nodes", "stats", "top"] {
                #expect(try await status(.GET, "/v1/\(path)") == 403, "\(path)")
            }
            for (path, body) in [("users/query", #"{"users":["u"]}"#), ("users/u/disconnect", "{}")] {
                #expect(try await status(.POST, "/v1/\(path)", body) == 403)
            }
            for (target, expected) in [
                (#"{"rooms":["hall","lesson-1"]}"#, 200), (#"{"rooms":["hall","lobby"]}"#, 403),
                (#"{"users":["u"]}"#, 403), (#"{"everyone":true}"#, 403),
            ] {
                for end in ["", "/"] {
                    let body = #"{"to":\#(target),"payload":1}"#
                    #expect(try await status(.POST, "/v1/broadcast\(end)", body) == expected, "\(target)")
                }
            }
            let batch = try await api.send(
                .POST, "/v1/broadcast/batch",
                #"{"broadcasts":[{"to":{"rooms":["hall"]},"payload":1},{"to":{"rooms":["x"]},"payload":1}]}"#,
                key: "k-bound")
            #expect(batch.status == 200)
            #expect(batch.text.contains("the key bound is bound to the rooms lesson-*, hall"))
            #expect(batch.text.contains(#""seq":"#))
        }
    }

    @Test func `a key with a rate is told when to come again, and holds up no other`() async throws {
        let slow = [Self.key("slow", [.read], perSecond: 2), Self.key("quick", [.read])]
        try await Api.serve(named: slow) { api async throws in
            // On a machine that is busy five of them may take longer than the rate asks for.
            var isRefused = false
            for _ in 0..<50 where !isRefused {
                for path in ["/v1/users/a", "/v1/users", "/v1/users/b", "/v1/users", "/v1/users/c"] {
                    let answer = try await api.send(.GET, path, key: "k-slow")
                    guard answer.status == 429 else { continue }
                    isRefused = true
                    #expect(answer.headers["retry-after"] == ["1"])
                    #expect(answer.text.contains(#""code":"rate_limited""#))
                }
            }
            #expect(isRefused)
            #expect(try await api.send(.GET, "/v1/users", key: "k-quick").status == 200)
            #expect(try await api.send(.GET, "/v1/users").status == 200)
        }
    }

    @Test(arguments: ["/v1/users/query", "/v1/users/query/"])
    func `a key that was taken away opens nothing more on a connection that it opened`(_ path: String) async throws {
        try await Api.serve(named: Self.named) { api async throws in
            let body = #"{"users":["u"]}"#
            let request =
                "POST \(path) HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer k-reader\r\nContent-Type: application/json\r\n"
                + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
            let talk = try await api.talk()
            for _ in 0..<2 {
                try await talk.write(request)
                #expect(try await talk.read(until: "}]}").hasPrefix("HTTP/1.1 200 "))
            }
            api.keys.replace(named: [Self.key("reader2", [.read])])
            try await talk.write(request)
            #expect(try await talk.read(until: nil).hasPrefix("HTTP/1.1 401 "))
            #expect(try await api.send(.GET, "/v1/users", key: "k-reader2").status == 200)
            #expect(try await api.send(.GET, "/v1/users").status == 200)
            api.keys.replace(whole: ["another"])
            #expect(try await api.send(.GET, "/v1/users").status == 401)
        }
    }

    @Test func `each call that changes something is told with its key's name, never with what it held`() async throws {
        try await Api.serve(named: Self.named) { api async throws in
            _ = try await api.send(.POST, "/v1/users/eve/disconnect", #"{"reason":"secret words"}"#, key: "k-warden")
            _ = try await api.send(
                .PUT, "/v1/addresses/bans", #"{"cidr":"10.1.0.0/16","seconds":5}"#, key: "k-warden")
            _ = try await api.send(.DELETE, "/v1/rooms/hall", key: "k-reader")
            _ = try await api.send(
                .POST, "/v1/broadcast", #"{"to":{"rooms":["hall"]},"payload":"secret words"}"#, key: "k-sender")
            _ = try await api.send(.GET, "/v1/users", key: "k-reader")
            let audit = api.lines.text.split(separator: "\n").filter { $0.contains(" audit ") }.map(String.init)
            #expect(audit.count == 4)
            for (line, words) in zip(
                audit,
                [
                    ["notice", "warden", "POST /v1/users/{userId}/disconnect", "eve", "200"],
                    ["notice", "warden", "PUT /v1/addresses/bans", "10.1.0.0/16", "200"],
                    ["notice", "reader", "DELETE /v1/rooms/{roomId}", "hall", "403"],
                    ["debug", "sender", "POST /v1/broadcast", "200"],
                ])
            {
                for word in words { #expect(line.contains(word), "\(line)") }
            }
            #expect(!api.lines.text.contains("secret words") && !api.lines.text.contains("k-warden"))
        }
    }
}
