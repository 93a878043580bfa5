import ControlAPI
import GatewayCore
import NIOHTTP1
import Testing

@Suite struct UserRouteTests {
    @Test func `online users are paged with their total`() async throws {
        try await Api.serve { api async throws in
            api.presence.state.withLock { $0.online = ["c", "a|b", "é\""] }
            let first = try await api.send(.GET, "/v1/users?limit=2")
            #expect(
                first.text
                    == #"{"users":[{"userId":"c","online":true},{"userId":"a|b","online":true}],"next":"2","total":3}"#)
            let second = try await api.send(.GET, "/v1/users?cursor=2")
            #expect(second.text == #"{"users":[{"userId":"é\"","online":true}],"total":3}"#)
            #expect(api.presence.asked == ["users 2 -", "users 100 2"])
        }
    }

    @Test func `a user is told with all connections`() async throws {
        let user = try #require(UserID("auth0|7"))
        let room = try #require(RoomName("lobby"))
        try await Api.serve { api async throws in
            api.presence.state.withLock {
                $0.online = [user.string]
                $0.connections[user] = [
                    ConnectionRecord(
                        connectionId: "k1", nodeId: "n1", connectedAt: 1_700_000_000_000, rooms: [room],
                        remoteAddress: "10.0.0.7"),
                    ConnectionRecord(
                        connectionId: "k2", nodeId: "n2", connectedAt: 1_700_000_000_001, rooms: [],
                        remoteAddress: nil, dialect: .pusher),
                ]
            }
            let answer = try await api.send(.GET, "/v1/users/auth0%7C7")
            #expect(answer.status == 200)
            #expect(
                answer.text == """
                    {"userId":"auth0|7","online":true,"connections":[{"connectionId":"k1","nodeId":"n1",\
                    "connectedAt":1700000000000,"dialect":"native","rooms":["lobby"],"remoteAddress":"10.0.0.7"},{"connectionId":"k2",\
                    "nodeId":"n2","connectedAt":1700000000001,"dialect":"pusher","rooms":[]}]}
                    """)
        }
    }

    @Test func `a user who has gone is told with the time and one never seen is 404`() async throws {
        try await Api.serve { api async throws in
            api.presence.state.withLock { $0.lastSeen[UserID(unchecked: "bob")] = 1_700_000_000_123 }
            #expect(
                try await api.send(.GET, "/v1/users/bob").text
                    == #"{"userId":"bob","online":false,"lastSeen":1700000000123,"connections":[]}"#)
            let unknown = try await api.send(.GET, "/v1/users/nobody")
            #expect(unknown.status == 404)
            #expect(unknown.text == #"{"error":{"code":"not_found","message":"this user was never seen"}}"#)
        }
    }

    @Test(arguments: [
        ("%2F", "/"), ("a%2Fdisconnect", "a/disconnect"), ("query", "query"), ("a+b", "a+b"), ("%25", "%"),
        ("%F0%9F%98%80", "😀"), ("@x", "@x"), ("*", "*"), (String(repeating: "x", count: 128), nil),
    ])
    func `a user's name in a path is percent-decoded once`(_ path: String, _ user: String?) async throws {
        try await Api.serve { api async throws in
            #expect(try await api.send(.GET, "/v1/users/\(path)").status == 404)
            #expect(api.presence.asked == ["user \(user ?? path)"])
        }
    }

    @Test(arguments: [
        "%00", "%7F", "%C2%80", String(repeating: "x", count: 129), "system", "%20a", "a%C2%A0", "a%E2%80%AEb",
    ])
    func `a path that names no user is refused`(_ path: String) async throws {
        try await Api.serve { api async throws in
            for (method, end) in [(HTTPMethod.GET, ""), (.POST, "/disconnect")] {
                let answer = try await api.send(method, "/v1/users/\(path)\(end)")
                #expect(answer.status == 400)
                #expect(answer.text.contains("userId: \(UserID.rule)"))
            }
            #expect(api.presence.asked.isEmpty)
        }
    }

    @Test func `users asked about are answered in their order and twice where asked twice`() async throws {
        try await Api.serve { api async throws in
            api.presence.state.withLock {
                $0.online = ["b"]
                $0.lastSeen[UserID(unchecked: "a")] = 5
            }
            let answer = try await api.send(.POST, "/v1/users/query", #"{"users":["a","b","\u0063","b"]}"#)
            #expect(
                answer.text == """
                    {"users":[{"userId":"a","online":false,"lastSeen":5},{"userId":"b","online":true},\
                    {"userId":"c","online":false},{"userId":"b","online":true}]}
                    """)
            #expect(api.presence.asked == ["statuses 4"], "one question, however many are asked about")
        }
    }

    @Test func `a user who is not known just now has an error, and the others their answers`() async throws {
        try await Api.serve { api async throws in
            api.presence.state.withLock {
                $0.online = ["b"]
                $0.unknown = ["a"]
            }
            let answer = try await api.send(.POST, "/v1/users/query", #"{"users":["a","b"]}"#)
            #expect(
                answer.text == """
                    {"users":[{"userId":"a","error":{"code":"unavailable","message":"this user lies where the store is \
                    not reached just now"}},{"userId":"b","online":true}]}
                    """)
        }
    }

    @Test func `a thousand users can be asked about and one more is refused`() async throws {
        try await Api.serve { api async throws in
            func body(_ count: Int) -> String {
                #"{"users":[\#((0..<count).map { "\"u\($0)\"" }.joined(separator: ","))]}"#
            }
            #expect(try await api.send(.POST, "/v1/users/query", body(1000)).status == 200)
            #expect(try await api.send(.POST, "/v1/users/query", body(1001)).status == 400)
        }
    }

    @Test(arguments: [
        (#"{}"#, "users: missing"), (#"[]"#, "the body: must be an object"), ("", "not JSON: unexpected end at byte 0"),
        (#"{"users":[]}"#, "users: must be an array of 1 to 1000 user ids"),
        (#"{"users":"a"}"#, "users: must be an array of 1 to 1000 user ids"),
        (#"{"users":["a",7]}"#, "users[1]: not a user id"), (#"{"users":[""]}"#, "users[0]: not a user id"),
        (#"{"users":["a\u0000"]}"#, "users[0]: not a user id"), (#"{"users":["\ud800"]}"#, "users[0]: not a user id"),
        (#"{"users":["a"],"users":["b"]}"#, "users: given twice"),
    ])
    func `a question that cannot be read is refused`(_ body: String, _ message: String) async throws {
        try await Api.serve { api async throws in
            let answer = try await api.send(.POST, "/v1/users/query", body)
            #expect(answer.status == 400)
            #expect(answer.text == #"{"error":{"code":"bad_request","message":"\#(message)"}}"#)
        }
    }

    @Test(arguments: [
        (nil, "4403 forbidden"), ("{}", "4403 forbidden"), (#"{"code":4401}"#, "4401 unauthorized"),
        (#"{"code":4409}"#, "4409 replaced by a newer connection"), (#"{"reason":""}"#, "4403 "),
        (#"{"code":4403,"reason":"no \"more\" é"}"#, "4403 no \"more\" é"),
    ])
    func `a user is disconnected with a code and words`(_ body: String?, _ asked: String) async throws {
        try await Api.serve { api async throws in
            let user = UserID(unchecked: "u|1")
            let connection = ConnectionRecord(
                connectionId: "k", nodeId: "n", connectedAt: 1, rooms: [], remoteAddress: nil)
            api.presence.state.withLock { $0.connections[user] = [connection, connection] }
            let answer = try await api.send(.POST, "/v1/users/u%7C1/disconnect", body)
            #expect(answer.status == 200 && answer.text == #"{"disconnected":2}"#)
            #expect(api.presence.asked == ["disconnect u|1 \(asked)"])
        }
    }

    @Test(arguments: [
        (#"{"banSeconds":0}"#, "4403 forbidden ban 0"), (#"{"banSeconds":31536000}"#, "4403 forbidden ban 31536000"),
        (#"{"tokensBefore":1700000000000,"code":4401}"#, "4401 unauthorized before 1700000000000"),
        (#"{"banSeconds":60,"tokensBefore":0,"reason":"r"}"#, "4403 r ban 60 before 0"),
    ])
    func `a user is kept out`(_ body: String, _ asked: String) async throws {
        try await Api.serve { api async throws in
            api.presence.state.withLock { $0.bannedUntil[UserID(unchecked: "u")] = 1_800_000_000_000 }
            let answer = try await api.send(.POST, "/v1/users/u/disconnect", body)
            #expect(answer.text == #"{"disconnected":0,"bannedUntil":1800000000000}"#)
            #expect(api.presence.asked == ["disconnect u \(asked)"])
        }
    }

    @Test func `a banned user who was never seen is shown, and a ban is lifted`() async throws {
        try await Api.serve { api async throws in
            api.presence.state.withLock { $0.bannedUntil[UserID(unchecked: "a|b")] = 1_800_000_000_000 }
            let shown = try await api.send(.GET, "/v1/users/a%7Cb")
            #expect(shown.text == #"{"userId":"a|b","online":false,"bannedUntil":1800000000000,"connections":[]}"#)
            #expect(try await api.send(.DELETE, "/v1/users/a%7Cb/ban").text == #"{"lifted":true}"#)
            #expect(try await api.send(.DELETE, "/v1/users/c/ban").text == #"{"lifted":false}"#)
            #expect(try await api.send(.GET, "/v1/users/c/ban").status == 405)
            #expect(try await api.send(.DELETE, "/v1/users/c%00/ban").status == 400)
            #expect(api.presence.asked == ["user a|b", "pardon a|b", "pardon c"])
        }
    }

    @Test func `nobody is disconnected where nobody is`() async throws {
        try await Api.serve { api async throws in
            #expect(try await api.send(.POST, "/v1/users/nobody/disconnect").text == #"{"disconnected":0}"#)
        }
    }

    @Test(arguments: [
        (#"{"code":1000}"#, "code: must be one of 4401, 4403, 4409"),
        (#"{"code":4503}"#, "code: must be one of 4401, 4403, 4409"),
        (#"{"code":69939}"#, "code: must be one of 4401, 4403, 4409"),
        (#"{"code":"4403"}"#, "code: must be one of 4401, 4403, 4409"),
        (#"{"code":4403.5}"#, "code: must be one of 4401, 4403, 4409"),
        (#"{"banSeconds":-1}"#, "banSeconds: must be a whole number from 0 to 31536000"),
        (#"{"banSeconds":31536001}"#, "banSeconds: must be a whole number from 0 to 31536000"),
        (#"{"banSeconds":1.5}"#, "banSeconds: must be a whole number from 0 to 31536000"),
        (#"{"banSeconds":"60"}"#, "banSeconds: must be a whole number from 0 to 31536000"),
        (#"{"tokensBefore":-1}"#, "tokensBefore: must be a whole number from 0 to 253402300799999"),
        (#"{"tokensBefore":1e12}"#, "tokensBefore: must be a whole number from 0 to 253402300799999"),
        (#"{"tokensBefore":null}"#, "tokensBefore: must be a whole number from 0 to 253402300799999"),
        (#"{"reason":7}"#, "reason: must be a string"),
        (#"{"reason":"a\nb"}"#, "reason: must be at most 123 bytes without control characters"),
        (
            #"{"reason":"é\#(String(repeating: "x", count: 122))"}"#,
            "reason: must be at most 123 bytes without control characters"
        ),
        ("7", "the body: must be an object"),
    ])
    func `a disconnection that no close frame can tell is refused`(_ body: String, _ message: String) async throws {
        try await Api.serve { api async throws in
            let answer = try await api.send(.POST, "/v1/users/u/disconnect", body)
            #expect(answer.status == 400)
            #expect(answer.text == #"{"error":{"code":"bad_request","message":"\#(message)"}}"#)
            #expect(api.presence.asked.isEmpty)
        }
    }
}
