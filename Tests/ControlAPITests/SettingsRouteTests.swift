import ControlAPI
import GatewayCore
import Testing

@Suite("The settings of rooms over REST")
struct SettingsRouteTests {
    private func title(_ text: String) -> String { #"{"title":"\#(text)"}"# }

    @Test func `settings are put on a version, shown, changed in part and closed`() async throws {
        try await Api.serve { api async throws in
            let path = "/v1/rooms/lesson"
            let put = try await api.send(.PUT, path, title("A"), headers: [("If-Match", "\"0\"")])
            #expect(put.status == 200)
            #expect(put.text == #"{"roomId":"lesson","version":1,"settings":{"title":"A"}}"#)
            let room = try await api.send(.GET, path)
            #expect(
                room.text
                    == #"{"roomId":"lesson","members":0,"connections":0,"seq":0,"version":1,"settings":{"title":"A"}}"#)
            let patch = try await api.send(
                .PATCH, path, #"{"title":null,"data":{"n":1e400},"locked":true,"version":1}"#)
            #expect(patch.text == #"{"roomId":"lesson","version":2,"settings":{"data":{"n":1e400},"locked":true}}"#)
            let deeper = try await api.send(.PATCH, path, #"{"data":{"n":null,"m":[1]}}"#)
            #expect(deeper.text == #"{"roomId":"lesson","version":3,"settings":{"data":{"m":[1]},"locked":true}}"#)
            let closed = try await api.send(.DELETE, path + "?log=true", headers: [("If-Match", "3")])
            #expect(closed.text == #"{"roomId":"lesson","version":4}"#)
            #expect(api.rooms.state.withLock { $0.asked } == ["close lesson true"])
            #expect(try await api.send(.GET, path).status == 404)
            let again = try await api.send(.PUT, path, #"{"version":0}"#)
            #expect(again.text == #"{"roomId":"lesson","version":5,"settings":{}}"#)
        }
    }

    @Test func `another version is answered with the present one, none with what is missing`() async throws {
        try await Api.serve { api async throws in
            _ = try await api.send(.PUT, "/v1/rooms/r", title("A"), headers: [("If-Match", "0")])
            for version in ["0", "2"] {
                let answer = try await api.send(.PUT, "/v1/rooms/r", title("B"), headers: [("If-Match", version)])
                #expect(answer.status == 412)
                #expect(
                    answer.text
                        == #"{"error":{"code":"conflict","message":"the room's settings have version 1","version":1}}"#)
                #expect(try await api.send(.DELETE, "/v1/rooms/r", headers: [("If-Match", version)]).status == 412)
                #expect(
                    try await api.send(.PATCH, "/v1/rooms/r", title("B"), headers: [("If-Match", version)]).status
                        == 412)
            }
            for answer in [
                try await api.send(.PUT, "/v1/rooms/r", title("B")), try await api.send(.DELETE, "/v1/rooms/r"),
            ] {
                #expect(answer.status == 428 && answer.text.contains(#""code":"version_required""#))
            }
            for version in ["x", "*", "\"", "1, 2", "-1", "W/\"1\""] {
                let answer = try await api.send(.PUT, "/v1/rooms/r", title("B"), headers: [("If-Match", version)])
                #expect(answer.status == 400, "\(version)")
            }
            let both = try await api.send(.PUT, "/v1/rooms/r", #"{"version":1}"#, headers: [("If-Match", "2")])
            #expect(both.status == 400)
        }
    }

    @Test func `a change in part without a version is made on what others have left`() async throws {
        try await Api.serve { api async throws in
            api.rooms.state.withLock { $0.interference = 5 }
            let answer = try await api.send(.PATCH, "/v1/rooms/r", title("A"))
            #expect(answer.text == #"{"roomId":"r","version":6,"settings":{"title":"A"}}"#)
        }
    }

    static let bad: [(String, String)] = [
        (#"{"title":7}"#, "title"), (#"{"title":"a\u0007b"}"#, "title"), (#"{"title":"a\nb"}"#, "title"),
        (#"{"title":"\#(String(repeating: "x", count: 201))"}"#, "title"),
        (#"{"data":"\#(String(repeating: "x", count: 9 << 10))"}"#, "data"),
        (#"{"locked":1}"#, "locked"), (#"{"maxMembers":0}"#, "maxMembers"), (#"{"maxMembers":1.5}"#, "maxMembers"),
        (#"{"slowMode":-1}"#, "slowMode"), (#"{"slowMode":86401}"#, "slowMode"), (#"{"join":"member"}"#, "join"),
        (#"{"publish":["a b"]}"#, "publish"), (#"{"publish":[7]}"#, "publish"),
        (#"{"hostHandover":"x"}"#, "hostHandover"),
        (#"{"roles":{"host":[]}}"#, "roles"), (#"{"roles":{"a":["fly"]}}"#, "roles"), (#"{"roles":{"a":1}}"#, "roles"),
        (#"{"roles":{"a":[],"a":[]}}"#, "given twice"), (#"{"expires":60}"#, "expires"),
        (#"{"expires":"10s"}"#, "expires"),
        (#"{"expires":"1d"}"#, "expires"), (#"{"expires":"9000h"}"#, "expires"), (#"{"version":"1"}"#, "version"),
        (#"{"titel":"x"}"#, "titel"), (#"{"titel":null}"#, "titel"),
        (#"{"title":"a","title":"b"}"#, "title"), ("[]", "the body"), ("{", "JSON"),
    ]

    @Test(arguments: bad) func `settings that cannot be are refused, and the field is named`(
        body: String, field: String
    ) async throws {
        try await Api.serve { api async throws in
            for method in ["PUT", "PATCH"] {
                let answer = try await api.send(
                    method == "PUT" ? .PUT : .PATCH, "/v1/rooms/r", body,
                    headers: body.contains("version") ? [] : [("If-Match", "0")])
                #expect(answer.status == 400 && answer.text.contains(field), "\(method) \(answer.text)")
            }
            #expect(api.rooms.state.withLock { $0.rooms.isEmpty })
        }
    }

    @Test func `settings at their bounds are taken as they stand`() async throws {
        try await Api.serve { api async throws in
            let data = #""\#(String(repeating: "x", count: 8190))""#
            let body = """
                {"title":"\(String(repeating: "\u{1F600}", count: 200))","data":\(data),"locked":false,"maxMembers":1000000,\
                "slowMode":0,"join":[],"publish":["member","a-B_9"],"hostHandover":"oldest","roles":{"a-B_9":["publish"],\
                "member":[]},"expires":"8760h"}
                """
            let answer = try await api.send(.PUT, "/v1/rooms/r", body, headers: [("If-Match", "0")])
            #expect(answer.text == #"{"roomId":"r","version":1,"settings":\#(body)}"#)
        }
    }

    @Test func `inboxes and everyone's room have no settings, and what the store says is passed on`() async throws {
        try await Api.serve { api async throws in
            for path in ["/v1/rooms/%40alice", "/v1/rooms/*"] {
                #expect(try await api.send(.PUT, path, "{}", headers: [("If-Match", "0")]).status == 400)
            }
            for (failure, status) in [
                (GovernError.nodesDiffer, 409), (.noRoster, 409), (.backend(.unavailable(reason: "away")), 503),
            ] {
                api.rooms.state.withLock { $0.failure = failure }
                #expect(try await api.send(.PUT, "/v1/rooms/r", "{}", headers: [("If-Match", "0")]).status == status)
                #expect(try await api.send(.PATCH, "/v1/rooms/r", "{}").status == status)
            }
        }
    }
}
