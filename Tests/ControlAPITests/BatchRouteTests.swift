import ControlAPI
import GatewayCore
import Testing

@Suite struct BatchRouteTests {
    @Test func `results come in the order of the broadcasts with errors inside`() async throws {
        try await Api.serve { api async throws in
            api.log.fail("down", with: .unavailable(reason: "away"))
            let answer = try await api.send(
                .POST, "/v1/broadcast/batch",
                """
                {"broadcasts":[
                    {"to":{"rooms":["r"]},"payload":1},
                    {"to":{"users":["u"]},"payload":2},
                    {"to":{"rooms":["down"]},"payload":3},
                    7,
                    {"to":{"rooms":["r"]},"payload":4,"idempotencyKey":"k"},
                    {"to":{"rooms":["r"]},"payload":5,"idempotencyKey":"k"},
                    {"to":{"everyone":true},"payload":6}
                ]}
                """)
            #expect(answer.status == 200)
            let ids = answer.text.replacing(#/"id":"[0-9a-f]{32}","timestamp":\d+,/#, with: "")
            #expect(
                ids == #"{"results":["#
                    + #"{"rooms":[{"roomId":"r","epoch":"e1","seq":1}]},"#
                    + #"{"users":[{"userId":"u","online":false,"connections":0,"epoch":"e1","seq":1}]},"#
                    + #"{"error":{"code":"unavailable","message":"the gateway cannot reach its store just now; try again"}},"#
                    + #"{"error":{"code":"bad_request","message":"broadcast: must be an object"}},"#
                    + #"{"rooms":[{"roomId":"r","epoch":"e1","seq":2}]},"#
                    + #"{"error":{"code":"conflict","message":"idempotencyKey: used for another request"}},"#
                    + #"{"rooms":[{"roomId":"*","epoch":"e1","seq":1}]}]}"#)
            #expect(api.log.payloads(of: "r") == ["1", "4"])
        }
    }

    @Test func `a thousand broadcasts are stored in their order and one more is refused`() async throws {
        try await Api.serve { api async throws in
            func body(_ count: Int) -> String {
                let list = (0..<count).map { #"{"to":{"rooms":["r","s\#($0 % 7)"]},"payload":\#($0)}"# }
                return #"{"broadcasts":[\#(list.joined(separator: ","))]}"#
            }
            #expect(try await api.send(.POST, "/v1/broadcast/batch", body(1000)).status == 200)
            #expect(api.log.payloads(of: "r") == (0..<1000).map { "\($0)" })
            let refused = try await api.send(.POST, "/v1/broadcast/batch", body(1001))
            #expect(refused.status == 400)
            #expect(refused.text.contains("broadcasts: must be an array of at most 1000 broadcasts"))
        }
    }

    @Test(arguments: [#"{}"#, #"{"broadcasts":{}}"#, #"[]"#, #"{"broadcasts":[}"#])
    func `a batch that is none is refused`(_ body: String) async throws {
        try await Api.serve { api async throws in
            #expect(try await api.send(.POST, "/v1/broadcast/batch", body).status == 400)
        }
    }

    @Test func `an empty batch has no results`() async throws {
        try await Api.serve { api async throws in
            #expect(try await api.send(.POST, "/v1/broadcast/batch", #"{"broadcasts":[]}"#).text == #"{"results":[]}"#)
        }
    }

    @Test func `payloads times targets of one request are bounded, a batch as a whole, before anything is stored`()
        async throws
    {
        try await Api.serve { api async throws in
            func broadcast(_ bytes: Int, rooms: Int) -> String {
                let names = (0..<rooms).map { "\"r\($0)\"" }.joined(separator: ",")
                return #"{"to":{"rooms":[\#(names)]},"payload":"\#(String(repeating: "x", count: bytes - 2))"}"#
            }
            // 64 MiB are 512 rooms of 128 KiB.
            let most = broadcast(128 << 10, rooms: 512)
            #expect(try await api.send(.POST, "/v1/broadcast", most).status == 200)
            #expect(api.log.submitted.count == 512)
            let single = try await api.send(.POST, "/v1/broadcast", broadcast(128 << 10, rooms: 513))
            #expect(single.status == 413)
            #expect(
                single.text.hasPrefix(
                    #"{"error":{"code":"too_large","message":"payload times targets is 67239936 bytes"#))
            let half = broadcast(128 << 10, rooms: 257)
            let batch = try await api.send(.POST, "/v1/broadcast/batch", #"{"broadcasts":[\#(half),\#(half)]}"#)
            #expect(batch.status == 413)
            #expect(api.log.submitted.count == 512)
        }
    }
}
