import GatewayCore
import NIOCore
import SocketServer
import Synchronization
import TestSupport
import Testing

/// Calls that are answered with what they say, for paths under `/apps/known`.
private final class EchoedCalls: SignedCalls {
    let heads = Mutex<[SignedCallHead]>([])

    func admit(_ head: SignedCallHead) -> SignedCallVerdict {
        guard head.path.hasPrefix("/apps/known") else { return .absent }
        heads.withLock { $0.append(head) }
        guard head.query != "unsigned" else {
            return .refused(CallAnswer(status: 401, contentType: "text/plain", body: Array("no".utf8)))
        }
        guard head.query != "spent" else {
            return .refused(CallAnswer(status: 429, contentType: "text/plain", body: [], retryAfter: "7"))
        }
        guard head.method != "PUT" else {
            return .refused(CallAnswer(status: 405, contentType: "text/plain", body: [], allow: "POST"))
        }
        return .admitted(maxBodyBytes: head.method == "POST" ? 100_000 : 0) { body in
            await Task.yield()
            return CallAnswer(status: 200, contentType: "application/json", body: Array("<".utf8) + body)
        }
    }
}

/// Calls that are answered when they are let go.
private final class HeldCalls: SignedCalls {
    private let waiting = Mutex<[CheckedContinuation<Void, Never>]>([])

    var underWay: Int { waiting.withLock { $0.count } }

    func admit(_ head: SignedCallHead) -> SignedCallVerdict {
        .admitted(maxBodyBytes: 8 << 20) { [self] body in
            await withCheckedContinuation { call in waiting.withLock { $0.append(call) } }
            return CallAnswer(status: 200, contentType: "text/plain", body: Array("\(body.count) bytes".utf8))
        }
    }

    func letGo() {
        let calls = waiting.withLock { calls in
            defer { calls = [] }
            return calls
        }
        for call in calls { call.resume() }
    }
}

/// Each call goes on until it is cancelled.
private final class EndlessCalls: SignedCalls {
    private let counts = Mutex((begun: 0, ended: 0))
    private let (nothing, keeping) = AsyncStream.makeStream(of: Void.self)

    var begun: Int { counts.withLock { $0.begun } }
    var ended: Int { counts.withLock { $0.ended } }

    func admit(_ head: SignedCallHead) -> SignedCallVerdict {
        .admitted(maxBodyBytes: 0) { [self] _ in
            counts.withLock { $0.begun += 1 }
            for await _ in nothing {}
            counts.withLock { $0.ended += 1 }
            return CallAnswer(status: 200, contentType: "text/plain", body: [])
        }
    }

    deinit { keeping.finish() }
}

@Suite("Calls of backends on the port for clients", .timeLimit(.minutes(1)))
struct CallTests {
    private func ask(_ calls: EchoedCalls, _ parts: String...) async throws -> String {
        try await TestServer.run {
            $0.calls = calls
        } _: { server in
            let client = try await TestClient.connect(port: server.port)
            for part in parts { try await client.send(raw: part) }
            return await client.rest()
        }
    }

    @Test func `a call is answered once its body has come, in whatever parts, and that ends its connection`()
        async throws
    {
        let calls = EchoedCalls()
        let large = String(repeating: "x", count: 100_000)
        for body in ["{}", large] {
            let head = """
                POST /apps/known/%41?a=b%2Fc HTTP/1.1\r\nHost: x\r\nidempotency-key: k\r\nContent-Length: \(body.utf8.count)\
                \r\n\r\n
                """
            let middle = body.utf8.count / 2
            let answer = try await ask(calls, head + body.prefix(middle), String(body.dropFirst(middle)))
            #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n") && answer.hasSuffix("\r\n\r\n<\(body)"))
            #expect(answer.contains("\r\nContent-Type: application/json\r\n"))
            #expect(answer.contains("\r\nCache-Control: no-store\r\n") && answer.contains("\r\nConnection: close\r\n"))
        }
        let head = SignedCallHead(method: "POST", path: "/apps/known/%41", query: "a=b%2Fc", idempotencyKey: "k")
        #expect(calls.heads.withLock { $0 } == [head, head])
    }

    @Test func `chunks are a body too, GET needs none, and HEAD is told without one`() async throws {
        let calls = EchoedCalls()
        let chunks = "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"
        #expect(try await ask(calls, "POST /apps/known HTTP/1.1\r\nHost: x\r\n" + chunks).hasSuffix("\r\n\r\n<abc"))
        #expect(try await ask(calls, "GET /apps/known HTTP/1.1\r\nHost: x\r\n\r\n").hasSuffix("\r\n\r\n<"))
        let head = try await ask(calls, "HEAD /apps/known HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(head.contains("\r\nContent-Length: 1\r\n") && head.hasSuffix("\r\n\r\n"))
    }

    @Test func `who waits to be asked for the body is asked`() async throws {
        let asked = try await ask(
            EchoedCalls(), "POST /apps/known HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n",
            "y")
        #expect(asked.hasPrefix("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n") && asked.hasSuffix("<y"))
    }

    @Test func `what is not signed, too long or of another path is answered at once`() async throws {
        let calls = EchoedCalls()
        let fields = "HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n"
        let unsigned = try await ask(calls, "POST /apps/known?unsigned \(fields)")
        #expect(unsigned.hasPrefix("HTTP/1.1 401 ") && unsigned.hasSuffix("\r\n\r\nno"))
        let wrong = try await ask(calls, "PUT /apps/known \(fields)")
        #expect(wrong.hasPrefix("HTTP/1.1 405 ") && wrong.contains("\r\nAllow: POST\r\n"))
        // Said beforehand, or not.
        #expect(try await ask(calls, "POST /apps/known \(fields)").hasPrefix("HTTP/1.1 413 "))
        let chunked = "POST /apps/known HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n186a1\r\n"
        let long = try await ask(calls, chunked, String(repeating: "x", count: 100_001))
        #expect(long.hasPrefix("HTTP/1.1 413 "))
        let body = try await ask(calls, "GET /apps/known HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\ny")
        #expect(body.hasPrefix("HTTP/1.1 413 "))
        for path in ["/apps/other", "/users/u", "/apps"] {
            #expect(try await ask(calls, "POST \(path) \(fields)").hasPrefix("HTTP/1.1 404 "), "\(path)")
        }
        #expect(calls.heads.withLock { $0.count } == 5)
        let closed = try await TestServer.run { server in
            let client = try await TestClient.connect(port: server.port)
            try await client.send(raw: "POST /apps/known HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
            return await client.rest()
        }
        #expect(closed.hasPrefix("HTTP/1.1 404 "))
    }

    @Test func `what is told of when to come again is passed on, and bodies above the loop's bound are 503`()
        async throws
    {
        let calls = EchoedCalls()
        let spent = try await ask(calls, "GET /apps/known?spent HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(spent.hasPrefix("HTTP/1.1 429 ") && spent.contains("\r\nRetry-After: 7\r\n"))
        let crowded = try await TestServer.run {
            $0.calls = calls
            // A call counts 4 KiB without its body.
            $0.maxCallBytes = 4096 + 1000
        } _: { server in
            let client = try await TestClient.connect(port: server.port)
            try await client.send(raw: "POST /apps/known HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n")
            try await client.send(raw: String(repeating: "x", count: 1001))
            return await client.rest()
        }
        #expect(crowded.hasPrefix("HTTP/1.1 503 ") && crowded.contains("\r\nRetry-After: 2\r\n"))
    }

    @Test func `a host that the port is not for is refused first`() async throws {
        let calls = EchoedCalls()
        let answer = try await TestServer.run {
            $0.calls = calls
            $0.fence = LoopbackFence(boundHost: "127.0.0.1", isWeak: true, origins: [])
        } _: { server in
            let client = try await TestClient.connect(port: server.port)
            try await client.send(raw: "GET /apps/known HTTP/1.1\r\nHost: evil.example\r\n\r\n")
            return await client.rest()
        }
        #expect(answer.hasPrefix("HTTP/1.1 421 ") && calls.heads.withLock { $0.isEmpty })
    }

    @Test func `a call counts for the client that a proxy names until it is answered, also where that one has gone`()
        async throws
    {
        let calls = HeldCalls()
        try await TestServer.run {
            $0.calls = calls
            $0.trustedProxies = [AddressRange("127.0.0.0/8")].compactMap(\.self)
            $0.maxConnectionsPerAddress = 1
        } _: { server in
            let port = server.port
            @Sendable func call(for client: String) async throws -> TestClient {
                let socket = try await TestClient.connect(port: port)
                try await socket.send(
                    raw: "GET /apps/known HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: \(client)\r\n\r\n")
                return socket
            }
            let first = try await call(for: "1.2.3.4")
            try await eventually("the call") { calls.underWay == 1 }
            #expect(try await call(for: "1.2.3.4").rest().hasPrefix("HTTP/1.1 429 "))
            let other = try await call(for: "1.2.3.5")
            try await eventually("another's call") { calls.underWay == 2 }
            try await first.channel.close().get()
            for _ in 0..<20 { #expect(try await call(for: "1.2.3.4").rest().hasPrefix("HTTP/1.1 429 ")) }
            calls.letGo()
            #expect(await other.rest().hasPrefix("HTTP/1.1 200 "))
            try await eventually("a place for the next one") {
                let next = try await call(for: "1.2.3.4")
                // It is answered at once where it is refused.
                let channel = next.channel
                try await eventually("an answer, or a call") { calls.underWay == 1 || !channel.isActive }
                calls.letGo()
                return await next.rest().hasPrefix("HTTP/1.1 200 ")
            }
        }
    }

    @Test func `a call whose client has gone is cancelled, so that what goes on for long ends early`() async throws {
        let calls = EndlessCalls()
        try await TestServer.run {
            $0.calls = calls
        } _: { server in
            let client = try await TestClient.connect(port: server.port)
            try await client.send(raw: "GET /apps/known HTTP/1.1\r\nHost: x\r\n\r\n")
            try await eventually("the call") { calls.begun == 1 }
            #expect(calls.ended == 0)
            try await client.channel.close().get()
            try await eventually("its end") { calls.ended == 1 }
        }
    }

    @Test func `a body of many small parts is taken in time that grows with its length alone`() async throws {
        let calls = HeldCalls()
        try await TestServer.run {
            $0.calls = calls
            $0.callTimeout = .seconds(60)
        } _: { server in
            let client = try await TestClient.connect(port: server.port)
            try await client.send(raw: "POST /apps/known HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
            let chunk = "20\r\n" + String(repeating: "x", count: 32) + "\r\n"
            for _ in 0..<64 { try await client.send(raw: String(repeating: chunk, count: 2048)) }
            try await client.send(raw: "0\r\n\r\n")
            try await eventually("all of it") { calls.underWay == 1 }
            calls.letGo()
            #expect(await client.rest().hasSuffix("\r\n\r\n\(32 * 2048 * 64) bytes"))
        }
    }
}
