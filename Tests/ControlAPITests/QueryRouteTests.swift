import ControlAPI
import GatewayCore
import Testing

@Suite struct QueryRouteTests {
    @Test func `messages are paged in both directions`() async throws {
        try await Api.serve { api async throws in
            for number in 1...5 {
                _ = try await api.send(.POST, "/v1/broadcast", #"{"to":{"rooms":["r"]},"payload":\#(number)}"#)
            }
            let first = try await api.send(.GET, "/v1/rooms/r/messages?limit=1&before=3")
            #expect(
                first.text == """
                    {"roomId":"r","epoch":"e1","messages":[{"roomId":"r","userId":"system","msgType":1,"payload":2,\
                    "timestamp":1700000000002,"seq":2}],"more":true}
                    """)
            _ = try await api.send(.GET, "/v1/rooms/r/messages")
            let last = try await api.send(.GET, "/v1/rooms/r/messages?after=4&limit=1000")
            #expect(last.text.contains(#""payload":5"#) && last.text.hasSuffix(#"],"more":false}"#))
            #expect(
                api.log.state.withLock { $0.ranges } == [
                    HistoryRange(edge: .before(3), limit: 1), HistoryRange(edge: .newest, limit: 100),
                    HistoryRange(edge: .after(4), limit: 1000),
                ])
        }
    }

    @Test(arguments: [
        ("%40a%7C7", "@a|7"), ("*", "*"), ("%2A", "*"), ("lesson:1,a=b", "lesson:1,a=b"), ("@%C3%A9", "@é"),
    ])
    func `a room's name is percent-decoded once`(_ path: String, _ room: String) async throws {
        try await Api.serve { api async throws in
            let missing = try await api.send(.GET, "/v1/rooms/\(path)/messages")
            #expect(missing.status == 404)
            #expect(
                missing.text == #"{"error":{"code":"not_found","message":"nothing was ever written to this room"}}"#)
            _ = try await api.log.publish(
                Publication(room: RoomName(unchecked: room), userId: .system, payload: [0x30]))
            let found = try await api.send(.GET, "/v1/rooms/\(path)/messages")
            #expect(found.status == 200)
            #expect(found.text.hasPrefix(#"{"roomId":"\#(room)","epoch":"e1""#))
        }
    }

    @Test(arguments: [
        ("/v1/rooms/a%2/messages", "path: bad percent-encoding"),
        ("/v1/rooms/a%zz/messages", "path: bad percent-encoding"),
        ("/v1/rooms/%C3%28/messages", "path: bad percent-encoding"),
        ("/v1/rooms/a%2Fb/messages", "roomId: not a room name"),
        ("/v1/rooms/%2540a/messages", "roomId: not a room name"),
        ("/v1/rooms/%40/messages", "roomId: not a room name"),
        ("/v1/rooms/r/messages?limit=0", "limit: must be an integer, 1 to 1000"),
        ("/v1/rooms/r/messages?limit=1001", "limit: must be an integer, 1 to 1000"),
        ("/v1/rooms/r/messages?limit=%2B5", "limit: must be an integer, 1 to 1000"),
        ("/v1/rooms/r/messages?limit=", "limit: must be an integer, 1 to 1000"),
        ("/v1/rooms/r/messages?limit=1&limit=2", "limit: given twice"),
        ("/v1/rooms/r/messages?after=-1", "after: must be an integer, from 0"),
        ("/v1/rooms/r/messages?after=99999999999999999999", "after: must be an integer, from 0"),
        ("/v1/rooms/r/messages?before=0", "before: must be an integer, from 1"),
        ("/v1/rooms/r/messages?before=1&after=1", "before: cannot be given together with after"),
        ("/v1/rooms/r/messages?%zz", "query: bad percent-encoding"),
        ("/v1/nodes?limit=x", "limit: must be an integer, 1 to 1000"),
    ])
    func `a query that cannot be read is refused with the parameter named`(_ path: String, _ message: String)
        async throws
    {
        try await Api.serve { api async throws in
            let answer = try await api.send(.GET, path)
            #expect(answer.status == 400)
            #expect(answer.text == #"{"error":{"code":"bad_request","message":"\#(message)"}}"#)
        }
    }

    @Test func `nodes are listed by name in pages`() async throws {
        let nodes = ["c", "a", "b"].map {
            NodeEntry(
                nodeId: $0, incarnation: 1, startedAt: 1_700_000_000_000,
                load: NodeLoad(connections: 2, rooms: 3, processor: 0.0314), version: "0.1",
                reason: $0 == "b" ? "Redis is not reached" : nil)
        }
        try await Api.serve(nodes: nodes) { api async throws in
            let first = try await api.send(.GET, "/v1/nodes?limit=1")
            #expect(
                first.text == """
                    {"nodes":[{"nodeId":"a","startedAt":1700000000000,"connections":2,"rooms":3,"load":0.031,\
                    "version":"0.1","ready":true}],"next":"a","total":3}
                    """)
            let rest = try await api.send(.GET, "/v1/nodes?cursor=a")
            #expect(rest.text.contains(#"{"nodes":[{"nodeId":"b""#) && rest.text.hasSuffix(#"],"total":3}"#))
            #expect(rest.text.contains(#""ready":false,"reason":"Redis is not reached"},{"nodeId":"c""#))
            #expect(try await api.send(.GET, "/v1/nodes?cursor=c").text == #"{"nodes":[],"total":3}"#)
        }
    }

    @Test func `a store that is away is 503 and its reason stays in the log`() async throws {
        try await Api.serve { api async throws in
            api.log.fail(all: .unavailable(reason: "connection to redis-7 refused"))
            api.directory.answer.withLock { $0 = .failure(.unavailable(reason: "connection to redis-7 refused")) }
            for path in ["/v1/nodes", "/v1/rooms/r/messages"] {
                let answer = try await api.send(.GET, path)
                #expect(answer.status == 503)
                #expect(answer.text.hasPrefix(#"{"error":{"code":"unavailable""#))
                #expect(!answer.text.contains("redis-7"))
            }
            #expect(api.lines.text.contains("redis-7"))
        }
    }
}
