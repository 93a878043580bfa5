import ControlAPI
import GatewayCore
import Logging
import NIOHTTP1
import Testing

/// What every request passes on its way in: key, path, method, type, size and time.
@Suite struct RequestAdmissionTests {
    @Test(arguments: [
        "/v1/nodes", "/v1/broadcast", "/v1/rooms/r/messages", "/v1/users", "/v1/users/u", "/v1/users/u/disconnect",
        "/v1/rooms", "/v1/rooms/r", "/v1/rooms/r/members", "/v1/stats", "/v1/nothing", "/v1",
    ])
    func `nothing under v1 is told without a key`(_ path: String) async throws {
        try await Api.serve { api async throws in
            for key in [nil, "wrong", "k-loca", "k-local2", "K-LOCAL"] {
                let answer = try await api.send(.GET, path, key: key)
                #expect(answer.status == 401)
                #expect(answer.headers["WWW-Authenticate"] == [#"Bearer realm="martlet""#])
                #expect(answer.text.hasPrefix(#"{"error":{"code":"unauthorized""#))
            }
        }
    }

    @Test func `each of several keys opens and the scheme may be written in any case`() async throws {
        try await Api.serve(keys: ["one", "two"]) { api async throws in
            #expect(try await api.send(.GET, "/v1/nodes", key: "one").status == 200)
            #expect(try await api.send(.GET, "/v1/nodes", key: "two").status == 200)
            let other = try await api.send(.GET, "/v1/nodes", key: nil, headers: [("Authorization", "bEARER two")])
            #expect(other.status == 200)
            let both = [("Authorization", "Bearer one"), ("Authorization", "Bearer two")]
            #expect(try await api.send(.GET, "/v1/nodes", key: nil, headers: both).status == 401)
            #expect(
                try await api.send(.GET, "/v1/nodes", key: nil, headers: [("Authorization", "Basic one")]).status == 401
            )
        }
    }

    @Test func `without any key or with an empty one nobody is let in`() async throws {
        for keys in [[], [""]] {
            try await Api.serve(keys: keys) { api async throws in
                #expect(try await api.send(.GET, "/v1/nodes", key: "").status == 401)
                #expect(
                    try await api.send(.GET, "/v1/nodes", key: nil, headers: [("Authorization", "Bearer")]).status
                        == 401)
            }
        }
    }

    @Test(arguments: [
        "/", "/v1/nope", "/v1/rooms/r/x", "/v1/users/u/x", "/v1/broadcast/x", "/console/x", "/v1/rooms//messages",
        "/v1/rooms//", "/v1//users", "//v1/users",
    ])
    func `an unknown path is 404 in shape`(_ path: String) async throws {
        try await Api.serve { api async throws in
            let answer = try await api.send(.GET, path)
            #expect(answer.status == 404)
            #expect(answer.text == #"{"error":{"code":"not_found","message":"there is nothing here"}}"#)
            #expect(answer.headers["Content-Type"] == ["application/json"])
        }
    }

    @Test(arguments: [
        (HTTPMethod.GET, "/v1/broadcast", "POST"), (.PUT, "/v1/broadcast/batch", "POST"),
        (.POST, "/v1/nodes", "GET, HEAD"), (.DELETE, "/v1/rooms/r/messages", "GET, HEAD"),
        (.POST, "/healthz", "GET, HEAD"), (.DELETE, "/v1/users", "GET, HEAD"),
        (.POST, "/v1/users/u", "GET, HEAD, DELETE"),
        (.GET, "/v1/users/u/disconnect", "POST"), (.POST, "/v1/rooms/r", "GET, HEAD, PUT, PATCH, DELETE"),
        (.PUT, "/v1/rooms/r/members", "GET, HEAD, POST"),
        (.PUT, "/v1/stats", "GET, HEAD"),
    ])
    func `another method is 405 and told which ones there are`(
        _ method: HTTPMethod, _ path: String, _ allowed: String
    ) async throws {
        try await Api.serve { api async throws in
            let answer = try await api.send(method, path)
            #expect(answer.status == 405)
            #expect(answer.headers["Allow"] == [allowed])
            #expect(answer.text.hasPrefix(#"{"error":{"code":"bad_request""#))
        }
    }

    @Test(arguments: [
        ("", 200), ("application/json", 200), ("Application/JSON; charset=UTF-8", 200),
        (#"application/json;charset="utf-8""#, 200), ("application/json; charset=latin1", 415),
        ("application/x-www-form-urlencoded", 415), ("text/plain", 415), ("application/jsonp", 415),
    ])
    func `a body must be declared as JSON if it is declared at all`(_ type: String, _ status: Int) async throws {
        try await Api.serve { api async throws in
            let answer = try await api.send(
                .POST, "/v1/broadcast", #"{"to":{"everyone":true},"payload":1}"#, headers: [("Content-Type", type)])
            #expect(answer.status == status)
        }
    }

    @Test func `a compressed body is 415`() async throws {
        try await Api.serve { api async throws in
            let answer = try await api.send(.POST, "/v1/broadcast", "x", headers: [("Content-Encoding", "gzip")])
            #expect(answer.status == 415)
        }
    }

    @Test func `a body that announces or turns out to be too large is 413 and ends the connection`() async throws {
        try await Api.serve(maxBodyBytes: 1000) { api async throws in
            func body(_ count: Int) -> String {
                let frame = #"{"to":{"everyone":true},"payload":""}"#
                return
                    #"{"to":{"everyone":true},"payload":"\#(String(repeating: "x", count: count - frame.utf8.count))"}"#
            }
            #expect(try await api.send(.POST, "/v1/broadcast", body(1000)).status == 200)
            let announced = try await api.send(.POST, "/v1/broadcast", body(1001))
            #expect(announced.status == 413)
            #expect(announced.text == #"{"error":{"code":"too_large","message":"the body is larger than 1000 bytes"}}"#)
            #expect(announced.headers["Connection"] == ["close"])
            let head =
                "POST /v1/broadcast HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \(Api.key)\r\nTransfer-Encoding: chunked\r\n\r\n"
            let answer = try await api.exchange(head + "3e9\r\n" + String(repeating: " ", count: 1001) + "\r\n")
            #expect(answer.hasPrefix("HTTP/1.1 413 "), "the server closes although the body goes on")
        }
    }

    @Test func `heads that are too large are 431, what is no HTTP is 400, and both close`() async throws {
        try await Api.serve { api async throws in
            let (long, many) = (String(repeating: "x", count: 20_000), String(repeating: "X: 1\r\n", count: 101))
            for (request, status) in [
                ("GET / HTTP/1.1\r\nHost: a\r\nX: \(long)\r\n\r\n", 431),
                ("GET /\(long) HTTP/1.1\r\nHost: a\r\n\r\n", 431),
                ("GET / HTTP/1.1\r\nHost: a\r\n\(many)\r\n", 431), ("\u{16}\u{3}\u{1}\r\n\r\n", 400),
                ("GET \r\n\r\n", 400),
            ] {
                #expect(try await api.exchange(request).hasPrefix("HTTP/1.1 \(status) "))
            }
        }
    }

    @Test func `silent connections, half heads and bodies that do not come are closed`() async throws {
        try await Api.serve(headTimeout: .milliseconds(50), bodyTimeout: .milliseconds(50)) { api async throws in
            #expect(try await api.exchange("") == "")
            #expect(try await api.exchange("GET /healthz HTTP/1.1\r\nHost:") == "")
            let head =
                "POST /v1/broadcast HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \(Api.key)\r\nContent-Length: 9\r\n\r\n{"
            _ = try await api.exchange(head)
            #expect(api.log.submitted.isEmpty)
        }
    }

    @Test func `a request under way is answered although the server is told to end`() async throws {
        try await Api.serve { api async throws in
            api.directory.meanwhile.withLock { $0 = { await api.shutDown() } }
            #expect(try await api.send(.GET, "/v1/nodes").text == #"{"nodes":[],"total":0}"#)
        }
    }

    @Test func `keys and payloads never reach the log`() async throws {
        try await Api.serve { api async throws in
            api.log.fail("r", with: .unavailable(reason: "away"))
            _ = try await api.send(.POST, "/v1/broadcast", #"{"to":{"rooms":["r"]},"payload":"p-secret"}"#)
            _ = try await api.send(.POST, "/v1/broadcast", #"{"p-secret"#)
            _ = try await api.send(.GET, "/v1/nodes", key: "k-wrong")
            _ = try await api.exchange(
                "GET /v1/nodes HTTP/1.1\r\nAuthorization: Bearer \(Api.key)\r\nBad Header\r\n\r\n")
            for secret in ["p-secret", Api.key, "k-wrong"] { #expect(!api.lines.text.contains(secret)) }
        }
    }
}
