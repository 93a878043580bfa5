import ControlAPI
import GatewayCore
import Testing

@Suite struct RoomRouteTests {
    @Test func `rooms with members are paged with their total`() async throws {
        try await Api.serve { api async throws in
            api.presence.state.withLock {
                $0.rooms = ["b", "a"].map {
                    RoomRecord(room: RoomName(unchecked: $0), members: 1, connections: 1, head: nil)
                }
            }
            #expect(
                try await api.send(.GET, "/v1/rooms?limit=1").text
                    == #"{"rooms":[{"roomId":"b"}],"next":"1","total":2}"#)
            #expect(
                try await api.send(.GET, "/v1/rooms/?limit=1&cursor=1").text == #"{"rooms":[{"roomId":"a"}],"total":2}"#
            )
        }
    }

    @Test func `rooms are found by what their names begin with, on as many pages as it takes`() async throws {
        try await Api.serve { api async throws in
            let names = (0..<2500).map { "\($0 % 500 == 7 ? "lesson" : "other")-\($0)" }
            api.presence.state.withLock {
                $0.rooms = names.map {
                    RoomRecord(room: RoomName(unchecked: $0), members: 1, connections: 1, head: nil)
                }
            }
            let all = try await api.send(.GET, "/v1/rooms?prefix=lesson-")
            let expected = [7, 507, 1007, 1507, 2007].map { #"{"roomId":"lesson-\#($0)"}"# }.joined(separator: ",")
            #expect(all.text == #"{"rooms":[\#(expected)]}"#)
            // A page of one by one, each going on behind the last.
            var found: [String] = []
            var cursor: String? = ""
            while let place = cursor {
                let page = try await api.send(
                    .GET, "/v1/rooms?prefix=lesson-&limit=1\(place.isEmpty ? "" : "&cursor=\(place)")")
                found += page.text.matches(of: /lesson-\d+/).map { String($0.output) }
                cursor = page.text.firstMatch(of: /"next":"(\d+)"/).map { String($0.1) }
            }
            #expect(found == names.filter { $0.hasPrefix("lesson-") })
            for prefix in ["", "%40a", "a%20b"] {
                #expect(try await api.send(.GET, "/v1/rooms?prefix=\(prefix)").status == 400)
            }
        }
    }

    @Test func `a page of rooms holds no more than was asked for, also where others go meanwhile`() async throws {
        try await Api.serve { api async throws in
            let names = (0..<6).map { "other-\($0)" } + (0..<10).map { "lesson-\($0)" }
            api.presence.state.withLock {
                $0.rooms = names.map {
                    RoomRecord(room: RoomName(unchecked: $0), members: 1, connections: 1, head: nil)
                }
                $0.leaving = 2
            }
            let first = try await api.send(.GET, "/v1/rooms?prefix=lesson-&limit=2")
            #expect(first.text == #"{"rooms":[{"roomId":"lesson-0"},{"roomId":"lesson-1"}],"next":"6"}"#)
            let second = try await api.send(.GET, "/v1/rooms?prefix=lesson-&limit=2&cursor=6")
            #expect(second.text == #"{"rooms":[{"roomId":"lesson-2"},{"roomId":"lesson-3"}],"next":"8"}"#)
        }
    }

    @Test func `a room is told with its position and without one where nothing was written`() async throws {
        try await Api.serve { api async throws in
            api.presence.state.withLock {
                $0.rooms = [
                    RoomRecord(
                        room: RoomName(unchecked: "r"), members: 3, connections: 4, head: Position(epoch: "e", seq: 45)),
                    RoomRecord(room: RoomName(unchecked: "quiet"), members: 1, connections: 1, head: nil),
                    RoomRecord(
                        room: RoomName(unchecked: "@a|7"), members: 0, connections: 0,
                        head: Position(epoch: "e", seq: 2)),
                ]
            }
            #expect(
                try await api.send(.GET, "/v1/rooms/r").text
                    == #"{"roomId":"r","members":3,"connections":4,"epoch":"e","seq":45,"version":0,"settings":{}}"#)
            #expect(
                try await api.send(.GET, "/v1/rooms/quiet").text
                    == #"{"roomId":"quiet","members":1,"connections":1,"seq":0,"version":0,"settings":{}}"#)
            let inbox = try await api.send(.GET, "/v1/rooms/%40a%7C7")
            #expect(inbox.text.hasPrefix(#"{"roomId":"@a|7","members":0,"#))
            let unknown = try await api.send(.GET, "/v1/rooms/nothing")
            #expect(unknown.status == 404)
            #expect(
                unknown.text
                    == #"{"error":{"code":"not_found","message":"this room has neither members nor a log nor settings"}}"#
            )
        }
    }

    @Test func `members are told as frames tell them, with what is shown of each byte for byte`() async throws {
        try await Api.serve { api async throws in
            api.presence.state.withLock {
                $0.members = [
                    Member(userId: UserID(unchecked: "b"), info: Array(#"{ "n":1e400 }"#.utf8), connections: 2),
                    Member(userId: UserID(unchecked: "a"), info: Array("{}".utf8), connections: 0),
                ]
            }
            #expect(
                try await api.send(.GET, "/v1/rooms/r/members?limit=1").text == """
                    {"roomId":"r","members":[{"userId":"b","info":{ "n":1e400 },"connections":2}],"count":2,\
                    "rosterVersion":9,"next":"1"}
                    """)
            #expect(
                try await api.send(.GET, "/v1/rooms/r/members?cursor=1").text == """
                    {"roomId":"r","members":[{"userId":"a","info":{},"connections":0}],"count":2,"rosterVersion":9}
                    """)
            #expect(api.presence.asked == ["members r 1 -", "members r 100 1"])
        }
    }

    @Test(arguments: [
        ("/v1/rooms?limit=0", "limit: must be an integer, 1 to 1000"),
        ("/v1/users?limit=1001", "limit: must be an integer, 1 to 1000"),
        ("/v1/rooms/r/members?limit=1.5", "limit: must be an integer, 1 to 1000"),
        ("/v1/rooms/r/members?cursor=a&cursor=b", "cursor: given twice"),
        ("/v1/rooms?cursor=x", "cursor: not one that a page has given"),
        ("/v1/users?cursor=", "cursor: not one that a page has given"),
        ("/v1/rooms/r/members?cursor=x", "cursor: not one that a page has given"),
        ("/v1/rooms/a%20b", "roomId: not a room name"), ("/v1/rooms/a%20b/members", "roomId: not a room name"),
        ("/v1/rooms/%2Fmessages", "roomId: not a room name"),
    ])
    func `a list that cannot be paged so is refused`(_ path: String, _ message: String) async throws {
        try await Api.serve { api async throws in
            let answer = try await api.send(.GET, path)
            #expect(answer.status == 400)
            #expect(answer.text == #"{"error":{"code":"bad_request","message":"\#(message)"}}"#)
        }
    }

    @Test func `totals are summed over the nodes, and what they share is named`() async throws {
        let nodes = ["a", "b"].map {
            NodeEntry(
                nodeId: $0, incarnation: 1, startedAt: 1, load: NodeLoad(connections: 2, rooms: 3, processor: 0.25),
                version: "0.1")
        }
        try await Api.serve(nodes: nodes) { api async throws in
            api.presence.state.withLock {
                $0.online = ["u", "v", "w"]
                $0.rooms = [RoomRecord(room: RoomName(unchecked: "r"), members: 3, connections: 4, head: nil)]
            }
            let shards = """
                {"address":"10.0.0.1:6379","partitions":60,"answers":true},\
                {"address":"10.0.0.2:6379","partitions":4,"answers":false}
                """
            #expect(
                try await api.send(.GET, "/v1/stats").text
                    == #"{"nodes":2,"connections":4,"users":3,"rooms":1,"load":0.500,"#
                    + #""redis":{"kind":"valkey","version":"9.1.2","topology":"sentinel","shards":[\#(shards)]}}"#)
            #expect(api.presence.asked.sorted() == ["rooms 1 -", "users 1 -"])
        }
    }

    @Test func `totals that a part of a Cluster has are left out while it is away`() async throws {
        try await Api.serve { api async throws in
            api.directory.topology.withLock { $0 = "cluster" }
            api.presence.state.withLock { $0.failure = .backend(.unavailable(reason: "away")) }
            let text = try await api.send(.GET, "/v1/stats").text
            #expect(text.hasPrefix(#"{"nodes":0,"connections":0,"load":0.000,"redis":{"kind":"valkey""#))
            #expect(text.contains(#""partitions":4,"answers":false"#))
        }
    }

    @Test(arguments: [
        "/v1/users", "/v1/users/u", "/v1/rooms", "/v1/rooms/r", "/v1/rooms/r/members", "/v1/stats",
    ])
    func `a registry that is away is 503 and its reason stays in the log`(_ path: String) async throws {
        try await Api.serve { api async throws in
            api.presence.state.withLock { $0.failure = .backend(.unavailable(reason: "connection to redis-7 refused")) }
            let answer = try await api.send(.GET, path)
            #expect(answer.status == 503)
            #expect(answer.text.hasPrefix(#"{"error":{"code":"unavailable""#) && !answer.text.contains("redis-7"))
            #expect(api.lines.text.contains("redis-7"))
        }
    }

    @Test(arguments: [("/v1/users/query", #"{"users":["u"]}"#), ("/v1/users/u/disconnect", "{}")])
    func `what is posted to a registry that is away is 503`(_ path: String, _ body: String) async throws {
        try await Api.serve { api async throws in
            api.presence.state.withLock { $0.failure = .backend(.unavailable(reason: "away")) }
            #expect(try await api.send(.POST, path, body).status == 503)
        }
    }
}
