import GatewayCore
import NIOCore
import SocketServer
import Testing

/// Which connections are taken, from the accept on.
@Suite
struct AcceptTests {
    private static let tooMany = "HTTP/1.1 429 "
    private static let proxy = "10.0.0.1"

    private func half(_ embedded: EmbeddedHub, from peer: String) throws -> EmbeddedSocket {
        let socket = try embedded.accept(from: peer)
        try socket.send(ByteBuffer(string: "GET /ws HT"))
        return socket
    }

    // MARK: Addresses

    @Test
    func `half-open handshakes count for their address; one too many is told so before it asks, not to try elsewhere`()
        throws
    {
        let metrics = CountingMetrics()
        let embedded = EmbeddedHub(metrics: metrics) { $0.maxConnectionsPerAddress = 2 }
        let half = try half(embedded, from: "192.0.2.1")
        _ = try embedded.enter(from: "192.0.2.1")
        let refused = try embedded.accept(from: "192.0.2.1")
        let answer = try #require(refused.takeHead())
        #expect(answer.hasPrefix(Self.tooMany))
        #expect(answer.contains("\r\nRetry-After: "))
        #expect(metrics["martlet_handshakes_refused_total{reason=address_limit}"] == 1)
        _ = try embedded.enter(from: "192.0.2.2")
        try half.channel.close().wait()
        _ = try embedded.enter(from: "192.0.2.1")
    }

    @Test func `behind a trusted proxy the address that it names counts, and the proxy's own does not`() throws {
        let range = try #require(AddressRange("10.0.0.0/8"))
        let embedded = EmbeddedHub {
            $0.maxConnectionsPerAddress = 1
            $0.trustedProxies = [range]
        }
        func ask(_ forwarded: String) throws -> (socket: EmbeddedSocket, head: String) {
            try embedded.ask(headers: [("X-Forwarded-For", forwarded)], from: Self.proxy)
        }
        let first = try ask("1.2.3.4")
        #expect(first.head.hasPrefix("HTTP/1.1 101 "))
        #expect(try ask("6.6.6.6, 1.2.3.4").head.hasPrefix(Self.tooMany))
        #expect(try ask("1.2.3.5").head.hasPrefix("HTTP/1.1 101 "))
        #expect(try ask("2001:db8::1").head.hasPrefix("HTTP/1.1 101 "))
        #expect(try ask("2001:db8::2").head.hasPrefix(Self.tooMany))
        for _ in 1...3 {
            #expect(try embedded.ask(from: Self.proxy).head.hasPrefix("HTTP/1.1 101 "))
            #expect(try ask("127.0.0.1").head.hasPrefix("HTTP/1.1 101 "))
            #expect(try ask("10.0.0.9").head.hasPrefix("HTTP/1.1 101 "))
        }
        try first.socket.channel.close().wait()
        #expect(try ask("1.2.3.4").head.hasPrefix("HTTP/1.1 101 "))
    }

    @Test func `500 people behind one address, and any number on this machine, are within the defaults`() throws {
        let embedded = EmbeddedHub()
        for _ in 1...500 { _ = try embedded.enter(from: "192.0.2.1") }
        for _ in 1...1100 { _ = try embedded.enter() }
    }

    @Test func `the first refusal by address is logged with the name of the setting, the next ones are not`() throws {
        let log = LogCollector()
        let embedded = EmbeddedHub(logger: log.logger) { $0.maxConnectionsPerAddress = 1 }
        _ = try embedded.enter(from: "192.0.2.1")
        for _ in 1...3 { _ = try embedded.accept(from: "192.0.2.1") }
        let lines = log.lines.filter { $0.contains("client.maxConnectionsPerAddress") }
        #expect(lines.count == 1)
        #expect(lines.first?.contains("192.0.2.1") == true)
    }

    // MARK: Bans

    @Test func `a banned address is told 403 before it asks, until its ban ends, by a trusted proxy's word too`() throws
    {
        let bans = BannedAddresses()
        let metrics = CountingMetrics()
        let proxies = try #require(AddressRange("10.0.0.0/8"))
        let embedded = EmbeddedHub(metrics: metrics) {
            $0.bannedAddresses = bans
            $0.trustedProxies = [proxies]
        }
        let before = try embedded.enter(from: "192.0.2.1")
        bans.replace(with: [BannedAddresses.Ban(range: try #require(AddressRange("192.0.2.0/24")), until: 2000)])
        #expect(try embedded.accept(from: "192.0.2.1").takeHead()?.hasPrefix("HTTP/1.1 403 ") == true)
        let forwarded = try embedded.ask(headers: [("X-Forwarded-For", "192.0.2.9")], from: Self.proxy)
        #expect(forwarded.head.hasPrefix("HTTP/1.1 403 "))
        #expect(metrics["martlet_handshakes_refused_total{reason=banned}"] == 2)
        _ = try embedded.enter(from: "192.0.3.1")
        embedded.advance(.seconds(2))
        _ = try embedded.enter(from: "192.0.2.1")
        #expect(before.channel.isActive)
    }

    // MARK: Strangers

    @Test func `where strangers fill their quarter, the oldest of the address with most gives way; who is in stays`()
        throws
    {
        let metrics = CountingMetrics()
        let embedded = EmbeddedHub(metrics: metrics) {
            $0.authentication = .jwt(TableVerifier([:]))
            $0.maxConnections = 12
        }
        let half = try half(embedded, from: "192.0.2.1")
        let waiting = try embedded.upgrade("/ws", from: "192.0.2.1")
        let other = try embedded.upgrade("/ws", from: "192.0.2.2")
        let fourth = try embedded.upgrade("/ws", from: "192.0.2.2")
        #expect(!half.channel.isActive)
        #expect(metrics["martlet_handshakes_refused_total{reason=strangers}"] == 1)
        _ = try embedded.upgrade("/ws", from: "192.0.2.3")
        #expect(try other.take() == ["close 4503"])
        #expect(!other.channel.isActive, "its place is free without a word from it")
        #expect(waiting.channel.isActive && fourth.channel.isActive)
    }

    /// A backend that does not answer.
    private struct SilentBackend: Authorizer {
        var headerNames: [String] { [] }

        func ruling(on question: Question) async -> Ruling {
            let (answers, answered) = AsyncStream.makeStream(of: Ruling.self)
            defer { answered.finish() }
            for await answer in answers { return answer }
            return .failed(isPassed: false)
        }

        func mustAskAgain(about user: UserID, since moment: MonotonicTime) -> Bool { false }
    }

    @Test func `who waits for its address to pay for a question gives way like any other stranger`() throws {
        let embedded = EmbeddedHub {
            $0.authentication = .jwt(TableVerifier([:]))
            $0.authorizer = SilentBackend()
            $0.maxConnections = 12
            $0.budgets = BudgetSettings(stranger: Allowance(perSecond: .microseconds(1)))
        }
        let flood = try (1...3).map { _ in try embedded.upgrade("/ws", from: "192.0.2.1") }
        // Nothing is shown: the backend would be asked about each, and the address can pay for one.
        embedded.advance(.seconds(1))
        #expect(flood.allSatisfy { $0.channel.isActive })
        let newcomer = try embedded.upgrade("/ws", from: "192.0.2.2")
        #expect(newcomer.channel.isActive)
        let told = try flood.map { try $0.take() }
        #expect(told.count { $0.last == "close 4503" } == 1, "\(told)")
    }

    @Test func `whoever has said who it is is no stranger`() throws {
        let embedded = EmbeddedHub { $0.maxConnections = 8 }
        let members = try (1...6).map { try embedded.enter("u\($0)", from: "192.0.2.1") }
        for _ in 1...6 { _ = try half(embedded, from: "192.0.2.1") }
        #expect(members.allSatisfy { $0.channel.isActive })
        _ = try embedded.enter("late", from: "192.0.2.2")
    }

    @Test func `a flood of half-open handshakes keeps out nobody who finishes theirs`() throws {
        let embedded = EmbeddedHub { $0.maxConnections = 100 }
        for round in 1...10 {
            for _ in 1...50 { _ = try half(embedded, from: "192.0.2.1") }
            _ = try embedded.enter("u\(round)", from: "192.0.2.2")
        }
        #expect(embedded.dependencies.census.status.connections == 10)
    }
}

/// The same where tokens are checked by tasks of their own.
@Suite(.timeLimit(.minutes(1)))
struct StrangersWithTokensTests {
    /// Waits until it is told to go on.
    private final class HeldVerifier: TokenVerifier {
        private let gate = AsyncStream<Void>.makeStream()

        func release() { gate.continuation.finish() }

        func verify(_ token: String) async throws(TokenError) -> Identity {
            for await _ in gate.stream {}
            return Identity(userId: UserID(unchecked: token))
        }
    }

    @Test func `one that has shown a token gives way to nobody while that is checked, and is in when it was good`()
        async throws
    {
        let verifier = HeldVerifier()
        try await TestServer.run {
            $0.authentication = .jwt(verifier)
            $0.maxConnections = 8
            $0.limits.authTimeout = .seconds(50)
        } _: { server in
            let bearer = try await server.connect("/ws?token=alice")
            for _ in 1...4 { _ = try await server.connect("/ws") }
            verifier.release()
            #expect(try await bearer.text().contains(#""userId":"alice""#))
        }
    }

    @Test func `while Redis is away nobody with a token gives way`() async throws {
        let verifier = TableVerifier(["alice": Identity(userId: UserID(unchecked: "alice"))])
        try await TestServer.run {
            $0.authentication = .jwt(verifier)
            $0.maxConnections = 8
            $0.limits.authTimeout = .seconds(50)
        } _: { server in
            server.backend.goAway(true)
            var bearers: [TestClient] = []
            for _ in 1...5 { bearers.append(try await server.connect("/ws?token=alice")) }
            for _ in 1...4 { _ = try await server.connect("/ws") }
            server.backend.goAway(false)
            for bearer in bearers { #expect(try await bearer.text().contains(#""userId":"alice""#)) }
        }
    }

    @Test func `a token of 16 KiB fits in the address and in a header, and beside an empty one in the address`()
        async throws
    {
        let token = String(repeating: "t", count: 16 << 10)
        let verifier = TableVerifier([token: Identity(userId: UserID(unchecked: "alice"))])
        try await TestServer.run {
            $0.authentication = .jwt(verifier)
            $0.limits.authTimeout = .seconds(50)
        } _: { server in
            let inAddress = try await server.connect("/ws?token=\(token)")
            #expect(try await inAddress.text().contains(#""userId":"alice""#))
            for target in ["/ws", "/ws?token=", "/ws?token"] {
                let client = try await server.connect(target, headers: [("Authorization", "Bearer \(token) \t")])
                #expect(try await client.text().contains(#""userId":"alice""#))
            }
        }
    }

    @Test func `whoever sends more than fits is told another way for its token`() async throws {
        try await TestServer.run { server in
            let client = try await TestClient.connect(port: server.port)
            let token = String(repeating: "t", count: 25 << 10)
            try await client.send(raw: TestClient.request("/ws", headers: [("Authorization", "Bearer \(token)")]))
            let answer = await client.rest()
            #expect(answer.hasPrefix("HTTP/1.1 431 "))
            #expect(answer.contains("auth"))
        }
    }
}
