import GatewayCore
import GatewayNode
import Logging
import NIOPosix
import Synchronization
import TestKit
import TestSupport
import Testing

private let claims = #"{"sub":"a","exp":1700000060}"#

/// A clock that a test moves.
private final class HandClock: Sendable {
    private let seconds = Mutex(1000)

    func advance(_ count: Int) { seconds.withLock { $0 += count } }

    var now: @Sendable () -> MonotonicTime {
        { MonotonicTime(nanoseconds: Int64(self.seconds.withLock { $0 }) * 1_000_000_000) }
    }
}

/// An issuer's URL that shows what a test puts there.
private final class FakeURL: Sendable {
    private struct State {
        var keys: Result<KeySet, KeyProblem>
        var readings = 0
        var isHeld = false
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state: Mutex<State>

    init(_ signers: TokenSigner...) throws {
        state = Mutex(State(keys: .success(try KeySet(jwks: TokenSigner.jwks(signers).utf8))))
    }

    var readings: Int { state.withLock { $0.readings } }

    func show(_ signers: TokenSigner...) throws {
        let keys = try KeySet(jwks: TokenSigner.jwks(signers).utf8)
        state.withLock { $0.keys = .success(keys) }
    }

    func fail() { state.withLock { $0.keys = .failure(KeyProblem("is away")) } }

    /// Readings do not end before `release`.
    func hold() { state.withLock { $0.isHeld = true } }

    func release() {
        let waiting = state.withLock { state in
            state.isHeld = false
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }

    func read() async throws(KeyProblem) -> KeySet {
        await withCheckedContinuation { continuation in
            let isHeld = state.withLock { state in
                state.readings += 1
                if state.isHeld { state.waiting.append(continuation) }
                return state.isHeld
            }
            if !isHeld { continuation.resume() }
        }
        return try state.withLock { $0.keys }.get()
    }
}

/// A source that runs for as long as `body` does.
private func withSource<Value: Sendable>(
    _ url: FakeURL, _ clock: HandClock, _ body: @Sendable (KeySource, JWTVerifier) async throws -> Value
) async throws -> Value {
    let source = KeySource(name: "auth.jwks", rules: .remote, now: clock.now) { () throws(KeyProblem) in
        try await url.read()
    }
    let issuer = TokenIssuer(algorithms: [.edDSA], keys: source)
    let verifier = JWTVerifier(issuers: [issuer], now: { 1_700_000_000_000 })
    return try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { await source.run(logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })) }
        defer { group.cancelAll() }
        return try await body(source, verifier)
    }
}

private func outcome(_ verifier: JWTVerifier, _ token: String) async -> String {
    do {
        _ = try await verifier.verify(token)
        return "good"
    } catch {
        return error.isTemporary ? "later" : error.message
    }
}

@Suite("Keys that are read anew")
struct KeySourceTests {
    private let old = TokenSigner.ed25519(id: "old")
    private let new = TokenSigner.ed25519(id: "new")

    @Test func `a URL is read at the start, and again ten minutes after`() async throws {
        let (url, clock) = (try FakeURL(old), HandClock())
        try await withSource(url, clock) { source, _ in
            try await eventually { source.areKnown }
            clock.advance(599)
            source.tick()
            #expect(await source.renewed() == .renewed)
            #expect(url.readings == 2)
            clock.advance(600)
            source.tick()
            try await eventually { url.readings == 3 }
        }
    }

    @Test func `a key that rotates under a thousand tokens costs one reading and refuses none`() async throws {
        let (url, clock) = (try FakeURL(old), HandClock())
        let token = try new.token(claims, by: "EdDSA")
        try await withSource(url, clock) { source, verifier in
            #expect(await outcome(verifier, try old.token(claims, by: "EdDSA")) == "good")
            clock.advance(61)
            try url.show(old, new)
            let outcomes = await withTaskGroup(of: String.self) { group in
                for _ in 0..<1000 { group.addTask { await outcome(verifier, token) } }
                return await group.reduce(into: [:]) { $0[$1, default: 0] += 1 }
            }
            #expect(outcomes == ["good": 1000])
            #expect(url.readings == 2)
        }
    }

    @Test func `a flood of unknown keys asks a dead URL once a minute, and the old keys serve`() async throws {
        let (url, clock) = (try FakeURL(old), HandClock())
        let good = try old.token(claims, by: "EdDSA")
        try await withSource(url, clock) { source, verifier in
            #expect(await outcome(verifier, good) == "good")
            url.fail()
            for minute in 1...3 {
                clock.advance(60)
                for number in 0..<500 {
                    let stray = try TokenSigner.ed25519(id: "stray-\(number)").token(claims, by: "EdDSA")
                    // Who waited for the reading that failed may come again; all others are told at once.
                    let expected = number == 0 ? "later" : "the token's key is not known"
                    #expect(await outcome(verifier, stray) == expected)
                }
                #expect(url.readings == 1 + minute)
                #expect(await outcome(verifier, good) == "good")
            }
            #expect(source.problem == nil)
        }
    }

    @Test func `a token that is newer than the keys that were read may come again, whoever has had them read`()
        async throws
    {
        let (url, clock) = (try FakeURL(old), HandClock())
        // The verifier's clock stands, so that the keys were read the earlier the farther the other goes.
        let token = { @Sendable (issued: Int) in
            try new.token(#"{"sub":"a","exp":1700000060,"iat":\#(issued)}"#, by: "EdDSA")
        }
        let stray = try TokenSigner.ed25519(id: "stray").token(claims, by: "EdDSA")
        try await withSource(url, clock) { _, verifier in
            #expect(await outcome(verifier, try old.token(claims, by: "EdDSA")) == "good")
            clock.advance(60)
            #expect(await outcome(verifier, stray) == "the token's key is not known")
            #expect(url.readings == 2)
            try url.show(old, new)
            clock.advance(30)
            #expect(await outcome(verifier, try token(1_699_999_990)) == "later")
            #expect(await outcome(verifier, try token(1_699_999_960)) == "the token's key is not known")
            #expect(await outcome(verifier, stray) == "the token's key is not known")
            #expect(url.readings == 2)
            clock.advance(30)
            #expect(await outcome(verifier, try token(1_699_999_990)) == "good")
        }
    }

    @Test func `without any keys a token is to be tried later, and the URL every five seconds`() async throws {
        let (url, clock) = (try FakeURL(old), HandClock())
        url.fail()
        let good = try old.token(claims, by: "EdDSA")
        try await withSource(url, clock) { source, verifier in
            #expect(await outcome(verifier, good) == "later")
            #expect(source.problem == "auth.jwks is away")
            clock.advance(4)
            #expect(await outcome(verifier, good) == "later")
            #expect(url.readings == 1)
            try url.show(old)
            clock.advance(1)
            #expect(await outcome(verifier, good) == "good")
            #expect(url.readings == 2 && source.problem == nil)
        }
    }

    @Test func `the operator's word has keys read at once, and a key that is gone is believed no longer`() async throws
    {
        let (url, clock) = (try FakeURL(old), HandClock())
        let byOld = try old.token(claims, by: "EdDSA")
        try await withSource(url, clock) { source, verifier in
            #expect(await outcome(verifier, byOld) == "good")
            try url.show(new)
            source.renew()
            try await eventually { url.readings == 2 }
            #expect(await outcome(verifier, try new.token(claims, by: "EdDSA")) == "good")
            #expect(await outcome(verifier, byOld) == "the token's key is not known")
        }
    }

    @Test func `whoever waits for a reading when the node ends is told so`() async throws {
        let (url, clock) = (try FakeURL(old), HandClock())
        url.hold()
        let source = KeySource(name: "auth.jwks", rules: .remote, now: clock.now) { () throws(KeyProblem) in
            try await url.read()
        }
        let run = Task { await source.run(logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })) }
        let waiter = Task { await source.renewed() }
        try await eventually { url.readings == 1 }
        run.cancel()
        url.release()
        await run.value
        #expect([.renewed, .failed].contains(await waiter.value))
        #expect(await source.renewed() == .failed)
    }

    @Test func `an issuer without keys beside others is a restriction, none with keys keeps all out`()
        throws
    {
        let (url, clock) = (try FakeURL(old), HandClock())
        func source(_ name: String, keys: KeySet?) -> KeySource {
            KeySource(name: name, keys: keys, rules: .remote, now: clock.now) { () throws(KeyProblem) in
                try await url.read()
            }
        }
        let keys = try KeySet(jwks: TokenSigner.jwks([old]).utf8)
        let known = source("auth.issuers[0].jwks", keys: keys)
        let (b, c) = (source("auth.issuers[1].jwks", keys: nil), source("auth.issuers[2].jwks", keys: nil))
        let all = KeyStandings([known, known])
        #expect(all.problem == nil && all.restriction == nil && all.missing == 0)
        let one = KeyStandings([known, b])
        #expect(one.problem == nil && one.missing == 1)
        #expect(one.restriction == "the tokens of some issuers cannot be checked: auth.issuers[1].jwks is being read")
        let two = KeyStandings([b, known, c])
        #expect(two.missing == 2 && two.problem == nil)
        #expect(two.restriction?.hasSuffix("[1].jwks is being read, auth.issuers[2].jwks is being read") == true)
        let none = KeyStandings([b, c])
        #expect(none.problem == "auth.issuers[1].jwks is being read" && none.restriction == nil && none.missing == 2)
    }

    @Test func `keys are had over https from those whom one trusts, and from nobody else`() async throws {
        let certificates = try TestCertificates()
        let jwks = try TokenSigner.jwks([old, new])
        let server = try await KeyServer.start(certificates.vouched(for: "localhost"), body: jwks)
        let group = MultiThreadedEventLoopGroup.singleton
        let fetcher = KeyFetcher(authorities: try certificates.authorities, group: group)
        let stranger = KeyFetcher(group: group)
        func problem(_ fetcher: KeyFetcher, _ url: String) async -> String {
            do {
                return "\(try await fetcher.keys(at: url).count) keys"
            } catch {
                return error.description
            }
        }
        #expect(await problem(fetcher, server.url) == "2 keys")
        #expect(await problem(stranger, server.url).hasPrefix("is not trusted: "))
        server.show("no", status: 500)
        #expect(await problem(fetcher, server.url) == "answered 500")
        server.show("", status: 302, location: "https://localhost/")
        #expect(await problem(fetcher, server.url) == "answered 302")
        server.show("<html>")
        #expect(await problem(fetcher, server.url) == "is no JWKS: an object with a list \"keys\"")
        server.show(String(repeating: " ", count: 5 << 20) + jwks)
        #expect(await problem(fetcher, server.url) == "is longer than 262144 bytes")
        let endless = try await HookServer.start(tls: certificates.vouched(for: "localhost")) { _, _ in
            .drip(.milliseconds(500))
        }
        #expect(await problem(fetcher, "https://localhost:\(endless.port)/") == "did not answer within 5 s")
        let other = try await KeyServer.start(certificates.vouched(for: "other.example"), body: jwks)
        #expect(await problem(fetcher, other.url) == "is not trusted: its certificate is for another name")
        let numbered = try await KeyServer.start(certificates.vouched(for: "127.0.0.1"), body: jwks)
        #expect(await problem(fetcher, numbered.url) == "is not trusted: its certificate is for another name")
        let byNumber = numbered.url.replacing("localhost", with: "127.0.0.1")
        #expect(await problem(fetcher, byNumber) == "2 keys")
        let own = try await KeyServer.start(certificates.selfSigned(for: "localhost"), body: jwks)
        #expect(await problem(fetcher, own.url).hasPrefix("is not trusted: "))
        let url = server.url
        try await server.stop()
        #expect(await problem(fetcher, url) != "2 keys")
        try await fetcher.shutdown()
        try await stranger.shutdown()
    }
}
