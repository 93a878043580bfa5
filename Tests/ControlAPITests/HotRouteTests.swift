import GatewayCore
import NIOHTTP1
import Testing

/// The routes that are answered before the library: nobody is to see which way a request went.
@Suite struct HotRouteTests {
    private static let key = "Authorization: Bearer \(Api.key)\r\n"
    private static let json = "Content-Type: application/json\r\n"

    private static func request(
        _ method: String, _ path: String, _ fields: String = key + json, _ body: String? = nil
    ) -> String {
        let length = body.map { "Content-Length: \($0.utf8.count)\r\n" } ?? ""
        return "\(method) \(path) HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\(fields)\(length)\r\n\(body ?? "")"
    }

    /// Without what differs from one answer to the next.
    private static func comparable(_ answer: String) -> String {
        var text = answer.replacing(/\r\nDate: [^\r]*/, with: "")
        text.replace(/"id":"[0-9a-f]{32}"/, with: "id")
        text.replace(/"(timestamp|seq)":\d+/, with: "number")
        // In the order of their names: that of fields of different names means nothing (RFC 9110, section 5.3).
        let parts = text.split(separator: "\r\n\r\n", maxSplits: 1)
        let lines = (parts.first ?? "").split(separator: "\r\n").map(String.init).sorted()
        return (lines + parts.dropFirst().map(String.init)).joined(separator: "\n")
    }

    @Test(arguments: [
        ("POST", "/v1/broadcast", key + json, #"{"to":{"rooms":["r"]},"payload":{"a":[1, 2]}}"#),
        ("POST", "/v1/broadcast", key, #"{"to":{"users":["u","v"]},"payload":"x"}"#),
        ("POST", "/v1/broadcast", json, #"{"to":{"everyone":true},"payload":1}"#),
        ("POST", "/v1/broadcast", "Authorization: Bearer wrong\r\n", #"{"to":{"everyone":true},"payload":1}"#),
        ("POST", "/v1/broadcast", key + key, #"{"to":{"everyone":true},"payload":1}"#),
        ("POST", "/v1/broadcast", key + json, #"{"to":{"rooms":["not a room"]},"payload":1}"#),
        ("POST", "/v1/broadcast", key + json, #"{"to":"#), ("POST", "/v1/broadcast", key + json, ""),
        ("POST", "/v1/broadcast", key + "Content-Type: text/plain\r\n", "{}"),
        ("POST", "/v1/broadcast", key + "Content-Encoding: gzip\r\n", "{}"),
        ("POST", "/v1/broadcast", key + json, String(repeating: " ", count: 2000)),
        ("POST", "/v1/broadcast/batch", key + json, #"{"broadcasts":[{"to":{"rooms":["r"]},"payload":1},{}]}"#),
        ("POST", "/v1/broadcast/batch", key + json, #"{"broadcasts":1}"#),
        ("POST", "/v1/users/query", key + json, #"{"users":["u","v"]}"#),
        ("POST", "/v1/users/query", key + json, #"{"users":[]}"#), ("POST", "/v1/users/query", json, "{}"),
    ])
    func `a request is answered as it is in another spelling of its path`(
        _ method: String, _ path: String, _ fields: String, _ body: String
    ) async throws {
        try await Api.serve(maxBodyBytes: 1000) { api async throws in
            let hot = try await api.exchange(HotRouteTests.request(method, path, fields, body))
            let other = try await api.exchange(HotRouteTests.request(method, path + "/", fields, body))
            #expect(HotRouteTests.comparable(hot) == HotRouteTests.comparable(other))
            #expect(hot.contains("\r\nDate: "))
        }
    }

    @Test(arguments: ["alice", "nobody", "system", "query", "a.b~c_d-e"])
    func `a user is answered as in another spelling of the name`(_ user: String) async throws {
        try await Api.serve { api async throws in
            let path = "/v1/users/\(user)"
            let hot = try await api.exchange(HotRouteTests.request("GET", path))
            let other = try await api.exchange(HotRouteTests.request("GET", path + "?"))
            #expect(hot.hasPrefix("HTTP/1.1 "))
            #expect(HotRouteTests.comparable(hot) == HotRouteTests.comparable(other))
        }
    }

    @Test func `a broadcast is published without leaving its loop, but for one large enough to hold that up`()
        async throws
    {
        try await Api.serve { api async throws in
            let small = #"{"to":{"rooms":["r"]},"payload":1}"#
            let large = #"{"to":{"rooms":["r"]},"payload":"\#(String(repeating: "x", count: 70_000))"}"#
            for body in [small, small, large] {
                #expect(try await api.send(.POST, "/v1/broadcast", body).status == 200)
            }
            let batch = #"{"broadcasts":[\#(small),\#(small)]}"#
            #expect(try await api.send(.POST, "/v1/broadcast/batch", batch).status == 200)
            #expect(api.log.submitted.count == 5)
            #expect(api.log.state.withLock { $0.publishedOnLoops } == 4)
        }
    }

    @Test func `both ways count under the same names`() async throws {
        try await Api.serve { api async throws in
            let body = #"{"to":{"everyone":true},"payload":1}"#
            for path in ["/v1/broadcast", "/v1/broadcast/", "/v1/broadcast"] {
                #expect(try await api.send(.POST, path, body).status == 200)
            }
            #expect(try await api.send(.POST, "/v1/broadcast", "{}").status == 400)
            let text = api.metrics.text()
            let name = #"martlet_api_requests_total{method="POST",route="/v1/broadcast""#
            #expect(text.contains(#"\#(name),status="200"} 3"#))
            #expect(text.contains(#"\#(name),status="400"} 1"#))
            #expect(text.contains(#"martlet_api_request_duration_seconds_count{route="/v1/broadcast"} 4"#))
        }
    }

    @Test func `a body may come in pieces, and requests in one piece`() async throws {
        try await Api.serve { api async throws in
            let talk = try await api.talk()
            let one = HotRouteTests.key + "Transfer-Encoding: chunked\r\n"
            try await talk.write("POST /v1/broadcast HTTP/1.1\r\nHost: a\r\n\(one)\r\n")
            for piece in [#"{"to":{"rooms":"#, #"["r"]},"#, #""payload":7}"#] {
                try await talk.write("\(String(piece.utf8.count, radix: 16))\r\n\(piece)\r\n")
            }
            try await talk.write("0\r\n\r\n")
            #expect(try await talk.read(until: "}]}").hasPrefix("HTTP/1.1 200 "))
            let body = #"{"to":{"rooms":["s"]},"payload":8}"#
            let next =
                "POST /v1/broadcast HTTP/1.1\r\nHost: a\r\n\(HotRouteTests.key)Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
            try await talk.write(next + next + HotRouteTests.request("GET", "/healthz"))
            let answers = try await talk.read(until: nil)
            #expect(answers.ranges(of: "HTTP/1.1 200 ").count == 3)
            #expect(answers.hasSuffix(#"{"status":"ok"}"#))
            #expect(api.log.payloads(of: "r") == ["7"])
            #expect(api.log.payloads(of: "s") == ["8", "8"])
        }
    }

    @Test func `a refusal of a request without a body leaves the connection to the next`() async throws {
        try await Api.serve { api async throws in
            let talk = try await api.talk()
            let wrong = "GET /v1/users/alice HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer wrong\r\n\r\n"
            let empty = "POST /v1/broadcast HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
            try await talk.write(wrong + empty + wrong + HotRouteTests.request("GET", "/healthz"))
            let answers = try await talk.read(until: nil)
            #expect(answers.ranges(of: "HTTP/1.1 401 ").count == 3)
            #expect(answers.hasSuffix(#"{"status":"ok"}"#))
        }
    }

    @Test func `every request is asked for its key, whatever the one before it had`() async throws {
        try await Api.serve { api async throws in
            let talk = try await api.talk()
            let keys = [Api.key, Api.key + "x", String(Api.key.dropLast()) + "?", "", Api.key]
            for key in keys {
                try await talk.write(
                    "GET /v1/users/nobody HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \(key)\r\n\r\n")
            }
            try await talk.write(HotRouteTests.request("GET", "/healthz"))
            let answers = try await talk.read(until: nil)
            let statuses = answers.matches(of: #/HTTP/1\.1 (\d+) /#).map { String($0.1) }
            #expect(statuses == ["404", "401", "401", "401", "404", "200"])
        }
    }

    @Test func `a client of HTTP 1.0 is told that its connection is kept`() async throws {
        try await Api.serve { api async throws in
            let talk = try await api.talk()
            let user = "GET /v1/users/nobody HTTP/1.0\r\nConnection: keep-alive\r\n\(HotRouteTests.key)\r\n"
            try await talk.write(user)
            let kept = try await talk.read(until: "}")
            #expect(kept.hasPrefix("HTTP/1.1 404 Not Found\r\n") && kept.contains("\r\nConnection: keep-alive\r\n"))
            try await talk.write(user.replacing("keep-alive", with: "close"))
            #expect(try await talk.read(until: nil).contains("\r\nConnection: close\r\n"))
        }
    }

    @Test func `a client that says no more after its request still gets the answer`() async throws {
        try await Api.serve { api async throws in
            api.log.state.withLock { $0.isSlow = true }
            let talk = try await api.talk()
            let body = #"{"to":{"rooms":["r"]},"payload":1}"#
            try await talk.write(
                "POST /v1/broadcast HTTP/1.1\r\nHost: a\r\n\(HotRouteTests.key)Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
            )
            try await talk.endInput()
            #expect(try await talk.read(until: nil).hasPrefix("HTTP/1.1 200 "))
            #expect(api.log.submitted == ["r"])
        }
    }

    @Test func `a request that ends in its midst publishes nothing`() async throws {
        try await Api.serve { api async throws in
            let talk = try await api.talk()
            let body = #"{"to":{"rooms":["r"]},"payload":1}"#
            try await talk.write(
                "POST /v1/broadcast HTTP/1.1\r\nHost: a\r\n\(HotRouteTests.key)Content-Length: 100\r\n\r\n\(body)")
            try await talk.endInput()
            let answer = try await talk.read(until: nil)
            #expect(answer.hasPrefix("HTTP/1.1 400 ") && answer.contains("the request ended in the middle"))
            #expect(api.log.submitted.isEmpty)
        }
    }

    @Test(arguments: [false, true])
    func `the call that caused a broadcast is told with it, whichever way it goes`(_ isSlow: Bool) async throws {
        let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"
        let field = [("traceparent", trace)]
        let cause = try #require(TraceContext(trace))
        let one = #"{"to":{"rooms":["r"]},"payload":1}"#
        let keyed = #"{"to":{"rooms":["r","s"]},"payload":1,"idempotencyKey":"k"}"#
        let large = #"{"to":{"rooms":["r"]},"payload":"\#(String(repeating: "x", count: 70_000))"}"#
        try await Api.serve { api async throws in
            api.log.state.withLock { $0.isSlow = isSlow }
            for path in ["/v1/broadcast", "/v1/broadcast/"] {
                for body in [one, keyed, large] {
                    #expect(try await api.send(.POST, path, body, headers: field).status == 200)
                }
            }
            let batch = #"{"broadcasts":[\#(one),\#(keyed)]}"#
            #expect(try await api.send(.POST, "/v1/broadcast/batch", batch, headers: field).status == 200)
            let causes = api.log.state.withLock { $0.published.map(\.cause) }
            #expect(causes == Array(repeating: cause, count: 2 * 4 + 3))
            // Two of them are none.
            for headers in [[], field + field] {
                #expect(try await api.send(.POST, "/v1/broadcast", one, headers: headers).status == 200)
                #expect(api.log.state.withLock { $0.published.last?.cause } == nil)
            }
        }
    }

    @Test(arguments: [false, true])
    func `what is more than is under way at once is sent turn by turn, in its order`(_ isSlow: Bool) async throws {
        let broadcasts = (0..<3).map { number in
            let rooms = (0..<900).map { "\"r\($0)\"" }.joined(separator: ",")
            return #"{"to":{"rooms":[\#(rooms)]},"payload":\#(number)}"#
        }
        try await Api.serve { api async throws in
            api.log.state.withLock { $0.isSlow = isSlow }
            let body = #"{"broadcasts":[\#(broadcasts.joined(separator: ","))]}"#
            let answer = try await api.send(.POST, "/v1/broadcast/batch", body)
            #expect(answer.status == 200 && answer.text.ranges(of: #""seq":"#).count == 2700)
            #expect(api.log.submitted == (0..<3).flatMap { _ in (0..<900).map { "r\($0)" } })
            #expect(api.log.payloads(of: "r899") == ["0", "1", "2"])
            #expect(api.log.state.withLock { $0.underWay.most } <= 1000)
        }
    }

    @Test func `what is answered on another thread goes out on the connection's own`() async throws {
        try await Api.serve { api async throws in
            api.log.state.withLock { ($0.isSlow, $0.answersElsewhere) = (true, true) }
            let talk = try await api.talk()
            let one = #"{"to":{"rooms":["r"]},"payload":1}"#
            for (path, body) in [("", one), ("/batch", #"{"broadcasts":[\#(one),\#(one)]}"#), ("", one)] {
                try await talk.write(
                    "POST /v1/broadcast\(path) HTTP/1.1\r\nHost: a\r\n\(HotRouteTests.key)Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
                )
            }
            try await talk.write(HotRouteTests.request("GET", "/healthz"))
            let answers = try await talk.read(until: nil)
            #expect(answers.ranges(of: "HTTP/1.1 200 ").count == 4)
            #expect(answers.matches(of: #/"seq":(\d)/#).map { String($0.1) } == ["1", "2", "3", "4"])
            #expect(api.log.state.withLock { $0.publishedOnLoops } == 4)
        }
    }
}
