import ControlAPI
import GatewayCore
import Testing

@Suite struct BroadcastRouteTests {
    @Test func `a broadcast to rooms is stored in each and answered with the positions`() async throws {
        try await Api.serve { api async throws in
            let answer = try await api.send(
                .POST, "/v1/broadcast", #"{"to":{"rooms":["b","a","b"]},"payload":{"x":1},"msgType":7,"userId":"ann"}"#)
            #expect(answer.status == 200)
            let id = try #require(answer.text.firstMatch(of: #/^{"id":"([0-9a-f]{32})",/#)?.1)
            #expect(
                answer.text == """
                    {"id":"\(id)","timestamp":1700000000001,"rooms":[{"roomId":"b","epoch":"e1","seq":1},\
                    {"roomId":"a","epoch":"e1","seq":1}]}
                    """)
            let stored = api.log.state.withLock { $0.published }
            #expect(stored.map(\.room.string) == ["b", "a"])
            #expect(stored.allSatisfy { $0.userId.string == "ann" && $0.msgType == 7 && $0.dedupe == nil })
        }
    }

    @Test func `everyone is answered as the star and the defaults are system and text`() async throws {
        try await Api.serve { api async throws in
            let answer = try await api.send(.POST, "/v1/broadcast", #"{"to":{"everyone":true},"payload":null}"#)
            #expect(answer.status == 200)
            #expect(answer.text.hasSuffix(#""rooms":[{"roomId":"*","epoch":"e1","seq":1}]}"#))
            let stored = try #require(api.log.state.withLock { $0.published.first })
            #expect(stored.userId == .system && stored.msgType == 1)
        }
    }

    @Test(arguments: [
        "1e400", "1152921504606846976", "-0.0e-0", #"{"a":1,"a":2}"#, #""\u0041\ud83d\ude00\/\n""#, "[ 1 ,\t2\n]",
        "\"é😀\u{2028}\"", "true", #""\ud800""#, "\"" + String(repeating: "x", count: 60_000) + "\"",
    ])
    func `a payload is stored byte for byte`(_ payload: String) async throws {
        try await Api.serve { api async throws in
            let body = "{ \"payload\" :  \(payload) , \"to\":{\"rooms\":[\"r\"]}}\n"
            #expect(try await api.send(.POST, "/v1/broadcast", body).status == 200)
            #expect(api.log.payloads(of: "r") == [payload])
            let page = try await api.send(.GET, "/v1/rooms/r/messages")
            #expect(page.text.contains(#""payload":\#(payload),"timestamp""#))
            let batch = try await api.send(.POST, "/v1/broadcast/batch", #"{"broadcasts":[\#(body)]}"#)
            #expect(batch.status == 200)
            #expect(api.log.payloads(of: "r") == [payload, payload])
        }
    }

    @Test(arguments: [
        (#"{"to":{"rooms":["r"]}}"#, "payload: missing"),
        (#"{"payload":1}"#, "to: missing"),
        (#"{"to":[],"payload":1}"#, "to: must be an object"),
        (#"{"to":{},"payload":1}"#, "to: must hold one of everyone, rooms and users"),
        (#"{"to":{"everyone":true,"rooms":["r"]},"payload":1}"#, "to: must hold one of everyone, rooms and users"),
        (#"{"to":{"everyone":false},"payload":1}"#, "to.everyone: must be true"),
        (#"{"to":{"rooms":["r"],"users":["u"]},"payload":1}"#, "to: must hold one of everyone, rooms and users"),
        (#"{"to":{"users":[]},"payload":1}"#, "to.users: must be an array of 1 to 1000 user ids"),
        (#"{"to":{"users":["u","a\n"]},"payload":1}"#, "to.users[1]: not a user id"),
        (#"{"to":{"rooms":[]},"payload":1}"#, "to.rooms: must be an array of 1 to 1000 room names"),
        (#"{"to":{"rooms":"r"},"payload":1}"#, "to.rooms: must be an array of 1 to 1000 room names"),
        (#"{"to":{"rooms":["r","@u"]},"payload":1}"#, "to.rooms[1]: not a room name"),
        (#"{"to":{"rooms":["*"]},"payload":1}"#, "to.rooms[0]: not a room name"),
        (#"{"to":{"rooms":[7]},"payload":1}"#, "to.rooms[0]: not a room name"),
        (#"{"to":{"rooms":["r"]},"payload":1,"msgType":1.5}"#, "msgType: must be an integer from 0 to 2147483647"),
        (#"{"to":{"rooms":["r"]},"payload":1,"msgType":"1"}"#, "msgType: must be an integer from 0 to 2147483647"),
        (#"{"to":{"rooms":["r"]},"payload":1,"userId":7}"#, "userId: must be a string"),
        (#"{"to":{"rooms":["r"]},"payload":1,"userId":""}"#, "userId: \(UserID.rule)"),
        (#"{"to":{"rooms":["r"]},"payload":1,"userId":"a\u200b"}"#, "userId: \(UserID.rule)"),
        (#"{"to":{"users":["system"]},"payload":1}"#, "to.users[0]: not a user id"),
        (#"{"to":{"users":["a","b "]},"payload":1}"#, "to.users[1]: not a user id"),
        (#"{"to":{"rooms":["r"]},"payload":1,"idempotencyKey":""}"#, "idempotencyKey: must be 1 to 128 bytes"),
        (#"{"to":{"rooms":["r"]},"payload":1,"payload":2}"#, "payload: given twice"),
        (#"{"to":{"rooms":["r"]},"payload":1,"event":""}"#, "event: \(EventName.rule)"),
        (#"{"to":{"rooms":["r"]},"payload":1,"event":["a"]}"#, "event: must be a string"),
        (#"{"to":{"rooms":["r"]},"payload":1,"volatile":"yes"}"#, "volatile: must be true or false"),
        (#"{"to":{"rooms":["r"]},"payload":1,"except":""}"#, "except: not the id of a connection"),
        (#"{"to":{"rooms":["r"]},"payload":1,"except":"a b"}"#, "except: not the id of a connection"),
        (
            #"{"to":{"rooms":["r"]},"payload":1,"volatile":true,"idempotencyKey":"k"}"#,
            "idempotencyKey: cannot be given together with volatile, of which nothing is kept"
        ),
        (#"[]"#, "broadcast: must be an object"),
        (#"{"to":{"rooms":["r"]},"payload":01}"#, "not JSON: bad number at byte 33"),
        (#"{"to":{"rooms":["r"]},"payload":1"#, "not JSON: unexpected end at byte 33"),
        (#"{"to":{"rooms":["r"]},"payload":1} x"#, "not JSON: unexpected character at byte 35"),
        ("", "not JSON: unexpected end at byte 0"),
    ])
    func `what cannot be read is refused with the field or the place named`(_ body: String, _ message: String)
        async throws
    {
        try await Api.serve { api async throws in
            let answer = try await api.send(.POST, "/v1/broadcast", body)
            #expect(answer.status == 400)
            #expect(answer.text == #"{"error":{"code":"bad_request","message":"\#(message)"}}"#)
            #expect(api.log.submitted.isEmpty)
        }
    }

    @Test func `a thousand rooms are taken and one more is not`() async throws {
        try await Api.serve { api async throws in
            func body(_ count: Int) -> String {
                let rooms = (0..<count).map { "\"r\($0)\"" }.joined(separator: ",")
                return #"{"to":{"rooms":[\#(rooms)]},"payload":1}"#
            }
            #expect(try await api.send(.POST, "/v1/broadcast", body(1000)).status == 200)
            #expect(api.log.submitted == (0..<1000).map { "r\($0)" })
            #expect(try await api.send(.POST, "/v1/broadcast", body(1001)).status == 400)
        }
    }

    @Test func `a payload nested 64 deep is stored, alone and in a batch, and one deeper is refused`() async throws {
        try await Api.serve { api async throws in
            func broadcast(_ depth: Int) -> String {
                let payload = String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
                return #"{"to":{"rooms":["r"]},"payload":\#(payload)}"#
            }
            #expect(try await api.send(.POST, "/v1/broadcast", broadcast(64)).status == 200)
            let deeper = try await api.send(.POST, "/v1/broadcast", broadcast(65))
            #expect(deeper.status == 400 && deeper.text.contains("nested too deep"))
            let body = #"{"broadcasts":[\#(broadcast(64)),\#(broadcast(65))]}"#
            let batch = try await api.send(.POST, "/v1/broadcast/batch", body)
            #expect(batch.status == 200 && batch.text.contains("nested too deep"), "\(batch.text)")
            #expect(api.log.payloads(of: "r").map(\.count) == [128, 128])
        }
    }

    @Test func `nesting ten thousand deep and bytes that are not UTF-8 are refused`() async throws {
        try await Api.serve { api async throws in
            let deep = String(repeating: "[", count: 10_000) + String(repeating: "]", count: 10_000)
            let answer = try await api.send(.POST, "/v1/broadcast", #"{"to":{"rooms":["r"]},"payload":\#(deep)}"#)
            #expect(answer.status == 400 && answer.text.contains("nested too deep"))
            let broken = Array(#"{"to":{"rooms":["r"]},"payload":""#.utf8) + [0xC3, 0x28] + Array("\"}".utf8)
            let refused = try await api.send(
                .POST, "/v1/broadcast", headers: ["Host": "api", "Authorization": "Bearer \(Api.key)"], bytes: broken)
            #expect(refused.status == 400 && refused.text.contains("not UTF-8"))
        }
    }

    @Test func `a target that fails says so and all failing is 503`() async throws {
        try await Api.serve { api async throws in
            api.log.fail("b", with: .unavailable(reason: "OOM secret-host"))
            let some = try await api.send(.POST, "/v1/broadcast", #"{"to":{"rooms":["a","b"]},"payload":1}"#)
            #expect(some.status == 200)
            #expect(
                some.text.contains(#"{"roomId":"a","epoch":"e1","seq":1},{"roomId":"b","error":{"code":"unavailable","#)
            )
            let none = try await api.send(.POST, "/v1/broadcast", #"{"to":{"rooms":["b"]},"payload":1}"#)
            #expect(none.status == 503)
            #expect(none.text.hasPrefix(#"{"error":{"code":"unavailable","#))
            #expect(!some.text.contains("OOM") && !none.text.contains("OOM"))
            #expect(api.lines.text.contains("OOM secret-host"))
        }
    }

    @Test func `targets that all conflict are 409`() async throws {
        try await Api.serve { api async throws in
            api.log.fail("a", with: .conflict)
            let answer = try await api.send(.POST, "/v1/broadcast", #"{"to":{"rooms":["a"]},"payload":1}"#)
            #expect(answer.status == 409)
            #expect(answer.text.contains(#""code":"conflict""#))
        }
    }

    @Test func `a few of its megabytes are under way at a time, so that others have room beside it`() async throws {
        try await Api.serve { api async throws in
            api.log.state.withLock { $0.isSlow = true }
            let rooms = (0..<200).map { "\"r\($0)\"" }.joined(separator: ",")
            let payload = String(repeating: "x", count: 60_000)
            let answer = try await api.send(
                .POST, "/v1/broadcast", #"{"to":{"rooms":[\#(rooms)]},"payload":"\#(payload)"}"#)
            #expect(answer.status == 200)
            let (stored, most) = api.log.state.withLock { ($0.published.count, $0.underWay.most) }
            #expect(stored == 200)
            #expect((1_000_000...4_400_000).contains(most))
        }
    }
}
