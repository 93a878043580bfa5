import ControlAPI
import GatewayCore
import Testing

@Suite struct InboxBroadcastTests {
    @Test func `users are answered with who was reached, each once and in their order`() async throws {
        try await Api.serve { api async throws in
            api.log.reach("b", Reach(isOnline: true, connections: 2))
            let answer = try await api.send(
                .POST, "/v1/broadcast", #"{"to":{"users":["b","a|7","b"]},"payload":{"n":1e400}}"#)
            #expect(answer.status == 200)
            let id = try #require(answer.text.firstMatch(of: #/^{"id":"([0-9a-f]{32})",/#)?.1)
            #expect(
                answer.text == """
                    {"id":"\(id)","timestamp":1700000000001,"users":[{"userId":"b","online":true,"connections":2,\
                    "epoch":"e1","seq":1},{"userId":"a|7","online":false,"connections":0,"epoch":"e1","seq":1}]}
                    """)
            #expect(api.log.submitted == ["@b", "@a|7"])
            #expect(api.log.payloads(of: "@b") == [#"{"n":1e400}"#])
            let page = try await api.send(.GET, "/v1/rooms/%40a%7C7/messages")
            #expect(
                page.text.hasPrefix(#"{"roomId":"@a|7","epoch":"e1","messages":[{"roomId":"@a|7","userId":"system""#))
        }
    }

    @Test func `a user who failed carries the error and all failing is 503`() async throws {
        try await Api.serve { api async throws in
            api.log.fail("@b", with: .unavailable(reason: "OOM secret-host"))
            let some = try await api.send(.POST, "/v1/broadcast", #"{"to":{"users":["a","b"]},"payload":1}"#)
            #expect(some.status == 200)
            #expect(some.text.contains(#""seq":1},{"userId":"b","error":{"code":"unavailable","#))
            let none = try await api.send(.POST, "/v1/broadcast", #"{"to":{"users":["b"]},"payload":1}"#)
            #expect(none.status == 503 && !none.text.contains("OOM") && !some.text.contains("OOM"))
        }
    }

    @Test func `the same request under its key reaches each user once`() async throws {
        try await Api.serve { api async throws in
            let body = #"{"to":{"users":["a","b"]},"payload":1,"idempotencyKey":"k"}"#
            api.log.fail("@b", with: .unavailable(reason: "away"))
            let first = try await api.send(.POST, "/v1/broadcast", body)
            #expect(first.text.contains(#"{"userId":"b","error""#))
            api.log.fail("@b", with: nil)
            let second = try await api.send(.POST, "/v1/broadcast", body)
            #expect(second.text.prefix(75) == first.text.prefix(75), "id and timestamp are the first ones")
            #expect(!second.text.contains("error"))
            #expect(api.log.payloads(of: "@a") == ["1"] && api.log.payloads(of: "@b") == ["1"])
            let other = #"{"to":{"users":["a"]},"payload":1,"idempotencyKey":"k"}"#
            #expect(try await api.send(.POST, "/v1/broadcast", other).status == 409)
        }
    }

    @Test func `a thousand users are taken and one more is not`() async throws {
        try await Api.serve { api async throws in
            func body(_ count: Int) -> String {
                let users = (0..<count).map { "\"u \($0)\"" }.joined(separator: ",")
                return #"{"to":{"users":[\#(users)]},"payload":1}"#
            }
            #expect(try await api.send(.POST, "/v1/broadcast", body(1000)).status == 200)
            #expect(api.log.submitted == (0..<1000).map { "@u \($0)" })
            #expect(try await api.send(.POST, "/v1/broadcast", body(1001)).status == 400)
        }
    }
}
