import ControlAPI
import GatewayCore
import NIOHTTP1
import Testing

@Suite struct ConnectionRouteTests {
    @Test func `one connection is closed, with what the backend says or as forbidden`() async throws {
        try await Api.serve { api async throws in
            api.closer.state.withLock { $0.present = ["Ab3-_x", "c2"] }
            let answer = try await api.send(
                .POST, "/v1/connections/Ab3-_x/disconnect", #"{"code":4409,"reason":"elsewhere"}"#)
            #expect(answer.status == 200 && answer.text == #"{"disconnected":1}"#)
            #expect(try await api.send(.POST, "/v1/connections/c2/disconnect").status == 200)
            #expect(
                api.closer.state.withLock { $0.closed } == [
                    FixedConnections.Closed(connection: "Ab3-_x", reason: .replaced, text: "elsewhere"),
                    FixedConnections.Closed(connection: "c2", reason: .forbidden, text: "forbidden"),
                ])
        }
    }

    @Test func `one that is not there is 404, one that nobody can tell of 503, and a wrong body 400`() async throws {
        try await Api.serve { api async throws in
            for name in ["gone", "a%20b", String(repeating: "x", count: 65), "%C3%A9"] {
                #expect(try await api.send(.POST, "/v1/connections/\(name)/disconnect", "{}").status == 404, "\(name)")
            }
            for body in [#"{"code":1000}"#, #"{"code":"x"}"#, #"{"reason":"\u0000"}"#, "[]", "{"] {
                #expect(try await api.send(.POST, "/v1/connections/c/disconnect", body).status == 400, "\(body)")
            }
            #expect(try await api.send(.GET, "/v1/connections/c/disconnect").status == 405)
            #expect(try await api.send(.GET, "/v1/connections/c").status == 404)
            api.closer.state.withLock { $0.outage = .unavailable(reason: "a node is silent") }
            #expect(try await api.send(.POST, "/v1/connections/c/disconnect", "{}").status == 503)
            #expect(
                try await api.send(.POST, "/v1/connections/c/disconnect", "{}", key: nil).status == 401)
        }
    }

    @Test func `TURN credentials are given for whom the backend names, and refused where there are no servers`()
        async throws
    {
        let servers = TurnServers(urls: ["turn:t:1", "turns:\"t"], life: .seconds(60)) { "signed \($0.suffix(6))" }
        try await Api.serve(turn: servers) { api async throws in
            let answer = try await api.send(.POST, "/v1/turn", #"{"userId":"alice"}"#)
            #expect(answer.status == 200)
            #expect(answer.text.hasPrefix(#"{"urls":["turn:t:1","turns:\"t"],"username":"1"#))
            #expect(answer.text.hasSuffix(#":alice","credential":"signed :alice","ttl":60}"#))
            for body in ["{}", #"{"userId":"system"}"#, #"{"userId":7}"#, #"{"userId":""}"#] {
                #expect(try await api.send(.POST, "/v1/turn", body).status == 400, "\(body)")
            }
            #expect(try await api.send(.POST, "/v1/turn", #"{"userId":"a"}"#, key: "wrong").status == 401)
        }
        try await Api.serve { api async throws in
            let answer = try await api.send(.POST, "/v1/turn", #"{"userId":"alice"}"#)
            #expect(answer.status == 404 && answer.text.contains("turn.urls"))
        }
    }
}
