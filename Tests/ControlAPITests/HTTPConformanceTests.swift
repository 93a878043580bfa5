import ControlAPI
import GatewayCore
import NIOHTTP1
import Synchronization
import Testing

/// HTTP as the api port speaks it, byte by byte.
@Suite struct HTTPConformanceTests {
    private static let key = "Authorization: Bearer \(Api.key)\r\n"
    private static let broadcast = #"{"to":{"rooms":["r"]},"payload":1}"#

    private static func post(_ fields: String, _ body: String = broadcast) -> String {
        "POST /v1/broadcast HTTP/1.1\r\nHost: a\r\n\(fields)Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
    }

    private static func statuses(_ answers: String) -> [Substring] {
        answers.ranges(of: "HTTP/1.1 ").map { answers[$0.upperBound...].prefix(3) }.filter { $0.allSatisfy(\.isNumber) }
    }

    @Test func `a client that waits for 100 Continue gets it at once, and then its answer`() async throws {
        try await Api.serve { api async throws in
            let talk = try await api.talk()
            try await talk.write(
                "POST /v1/broadcast HTTP/1.1\r\nHost: a\r\n\(HTTPConformanceTests.key)Expect: 100-continue\r\n"
                    + "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n")
            #expect(try await talk.read(until: "\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n")
            let body = HTTPConformanceTests.broadcast
            try await talk.write("\(String(body.utf8.count, radix: 16))\r\n\(body)\r\n0\r\n\r\n")
            #expect(try await talk.read(until: nil).hasPrefix("HTTP/1.1 200 OK\r\n"))
            #expect(api.log.submitted.count == 1)
        }
    }

    @Test func `what its head refuses already is answered without 100 Continue`() async throws {
        try await Api.serve { api async throws in
            let head = "POST /v1/broadcast HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n"
            let unauthorized = try await api.exchange(head + "Expect: 100-continue\r\n\r\n")
            #expect(unauthorized.hasPrefix("HTTP/1.1 401 "))
            let tooLarge = try await api.exchange(
                "POST /v1/broadcast HTTP/1.1\r\nHost: a\r\n\(HTTPConformanceTests.key)"
                    + "Expect: 100-continue\r\nContent-Length: 99999999\r\n\r\n")
            #expect(tooLarge.hasPrefix("HTTP/1.1 413 "))
            let other = try await api.exchange(head + "\(HTTPConformanceTests.key)Expect: a-miracle\r\n\r\n")
            #expect(other.hasPrefix("HTTP/1.1 417 "))
        }
    }

    @Test(arguments: [
        "GET /healthz HTTP/1.0\r\n\r\n", "GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: TE, close\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: TE\r\nConnection: Close\r\n\r\n",
        "GET http://a/healthz HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
        "HEAD /healthz HTTP/1.0\r\n\r\n",
    ])
    func `the connection ends with the answer where the client says or means so`(_ request: String) async throws {
        // Its own time for an idle connection is a minute, and the exchange ends with the connection.
        try await Api.serve { api async throws in
            let answer = try await api.exchange(request + "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(HTTPConformanceTests.statuses(answer) == ["200"])
            #expect(answer.contains("\r\nConnection: close\r\n"))
            #expect(answer.hasSuffix(request.hasPrefix("HEAD") ? "\r\n\r\n" : #"{"status":"ok"}"#))
        }
    }

    @Test func `HTTP 1_0 may stay, and is told so`() async throws {
        try await Api.serve { api async throws in
            let answer = try await api.exchange(
                "GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /healthz HTTP/1.0\r\n\r\n")
            #expect(HTTPConformanceTests.statuses(answer) == ["200", "200"])
            #expect(answer.contains("\r\nConnection: keep-alive\r\n"))
        }
    }

    @Test func `a request behind a refusal that closes is not carried out`() async throws {
        try await Api.serve { api async throws in
            let answer = try await api.exchange(
                HTTPConformanceTests.post("") + HTTPConformanceTests.post(HTTPConformanceTests.key))
            #expect(HTTPConformanceTests.statuses(answer) == ["401"])
            #expect(answer.contains("\r\nConnection: close\r\n"))
            #expect(api.log.submitted.isEmpty)
        }
    }

    @Test func `requests of one packet are answered in their order`() async throws {
        try await Api.serve { api async throws in
            let answer = try await api.exchange(
                HTTPConformanceTests.post(HTTPConformanceTests.key) + "GET /v1/nodes HTTP/1.1\r\nHost: a\r\n\r\n"
                    + "GET /nothing HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            #expect(HTTPConformanceTests.statuses(answer) == ["200", "401", "404"])
            #expect(api.log.submitted.count == 1)
        }
    }

    @Test(arguments: [
        "GET /healthz HTTP/1.1\r\n\r\n", "GET /healthz HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: a/b\r\n\r\n", "GET /healthz HTTP/1.1\r\nHost: a b\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n",
        "POST /v1/broadcast HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /v1/broadcast HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n12",
        "GET /healthz HTTP/1.1 \r\nHost: a\r\n\r\n", "GET /healthz HTTP/3.0\r\nHost: a\r\n\r\n",
    ])
    func `what is no request by RFC 9112 is 400 and ends the connection`(_ request: String) async throws {
        try await Api.serve { api async throws in
            let answer = try await api.exchange(request + HTTPConformanceTests.post(HTTPConformanceTests.key))
            #expect(HTTPConformanceTests.statuses(answer) == ["400"])
            #expect(answer.contains(#"{"error":{"code":"bad_request","message":""#))
            #expect(api.log.submitted.isEmpty)
        }
    }

    @Test func `HEAD with a body is answered without one, and the connection goes on`() async throws {
        try await Api.serve { api async throws in
            let answer = try await api.exchange(
                "HEAD /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhiGET /healthz HTTP/1.0\r\n\r\n")
            #expect(HTTPConformanceTests.statuses(answer) == ["200", "200"])
            #expect(answer.ranges(of: #"{"status":"ok"}"#).count == 1)
        }
    }

    @Test(arguments: [
        "/healthz", "/readyz", "/metrics", "/openapi.yaml", "/console", "/console/console.js", "/console/config.json",
        "/v1/users", "/v1/users/u", "/v1/rooms", "/v1/rooms/r", "/v1/rooms/r/members", "/v1/rooms/r/messages",
        "/v1/nodes", "/v1/stats", "/v1/webhooks", "/v1/top", "/v1/addresses/bans", "/nothing",
    ])
    func `HEAD has the status and the headers of GET and no body`(_ path: String) async throws {
        try await Api.serve { api async throws in
            let get = try await api.send(.GET, path)
            let head = try await api.exchange(
                "HEAD \(path) HTTP/1.1\r\nHost: a\r\n\(HTTPConformanceTests.key)Connection: close\r\n\r\n")
            #expect(HTTPConformanceTests.statuses(head) == ["\(get.status)"])
            #expect(head.hasSuffix("\r\n\r\n") && head.ranges(of: "\r\n\r\n").count == 1)
            for (name, value) in get.headers where name.lowercased() != "date" && path != "/metrics" {
                #expect(head.contains("\r\n\(name): \(value)\r\n"), "\(name)")
            }
        }
    }

    @Test func `a weak key on loopback answers loopback hosts alone, whatever the path`() async throws {
        let fence = LoopbackFence(boundHost: "127.0.0.1", isWeak: true, origins: [])
        try await Api.serve(fence: fence) { api async throws in
            for path in ["/healthz", "/v1/nodes", "/console", "/nothing"] {
                let answer = try await api.exchange(
                    "GET \(path) HTTP/1.1\r\nHost: evil.example\r\n\(HTTPConformanceTests.key)\r\n")
                #expect(HTTPConformanceTests.statuses(answer) == ["421"])
                #expect(answer.contains(#"{"error":{"code":"misdirected","#))
            }
            let own = "GET /v1/nodes HTTP/1.1\r\nHost: localhost:\(api.port)\r\n\(HTTPConformanceTests.key)"
            #expect(try await api.exchange(own + "Connection: close\r\n\r\n").hasPrefix("HTTP/1.1 200 "))
        }
    }

    @Test func `a thousand silent connections keep nobody from asking whether the node lives`() async throws {
        raiseDescriptorLimit()
        try await Api.serve { api async throws in
            var silent: [Talk] = []
            for _ in 0..<1000 { silent.append(try await api.talk()) }
            let began = ContinuousClock.now
            #expect(try await api.send(.GET, "/healthz", key: nil).status == 200)
            #expect(ContinuousClock.now - began < .seconds(1))
            #expect(try await api.send(.GET, "/v1/nodes").status == 200)
            for talk in silent { try await talk.close() }
        }
    }

    @Test func `requests that wait for their answers keep nobody from asking whether the node lives`() async throws {
        let (asked, asks) = AsyncStream.makeStream(of: Void.self)
        let held = Mutex<[CheckedContinuation<Void, Never>]>([])
        try await Api.serve(maxConnections: 10) { api async throws in
            api.directory.meanwhile.withLock {
                $0 = {
                    await withCheckedContinuation { request in
                        held.withLock { $0.append(request) }
                        asks.yield()
                    }
                }
            }
            let nodes = "GET /v1/nodes HTTP/1.1\r\nHost: a\r\n\(HTTPConformanceTests.key)\r\n"
            var waiting: [Talk] = []
            var hasAsked = asked.makeAsyncIterator()
            for _ in 0..<9 {
                let talk = try await api.talk()
                try await talk.write(nodes)
                _ = await hasAsked.next()
                waiting.append(talk)
            }
            #expect(try await api.exchange(nodes).hasPrefix("HTTP/1.1 503 "))
            #expect(try await api.send(.GET, "/healthz", key: nil).status == 200)
            #expect(try await api.send(.GET, "/metrics", key: nil).status == 200)
            for request in held.withLock({ $0 }) { request.resume() }
            for talk in waiting {
                #expect(try await talk.read(until: #""total":0}"#).hasPrefix("HTTP/1.1 200 "))
                try await talk.close()
            }
        }
    }
}
