import Dispatch
import Foundation
import GatewayCore
import GatewayNode
import Logging
import Metrics
import ServiceLifecycle
import Synchronization
import TestKit
import TestSupport
import Testing
import Webhooks

@Suite("Asking a backend", .timeLimit(.minutes(2)))
struct HookAuthorizerTests {
    private static let shown = Presented(headers: [], address: "192.0.2.7")

    private static func question(_ user: String = "alice", _ connection: String = "c1") -> Question {
        Question(.connect, of: UserID(unchecked: user), shown: shown, connectionId: connection)
    }

    /// By a clock that a test moves.
    private final class Clock: Sendable {
        let seconds = Mutex(0.0)

        var time: HookTime {
            let seconds = seconds.withLock { $0 }
            return HookTime(
                monotonic: MonotonicTime(nanoseconds: Int64(seconds * 1e9)),
                wall: 1_700_000_000_000 + Int64(seconds * 1000))
        }
    }

    private static func with(
        _ server: HookServer, clock: Clock = Clock(), _ change: (inout HookSettings) -> Void = { _ in },
        _ body: (HookAuthorizer) async throws -> Void
    ) async throws {
        var settings = HookSettings()
        settings.url = server.url
        // A busy machine may take its time.
        settings.timeout = .seconds(30)
        change(&settings)
        let made = HookAuthorizer(
            settings, authorities: [], metrics: NOOPMetricsHandler.instance,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, now: { clock.time })
        let authorizer = try #require(made)
        let services = ServiceGroup(
            services: [authorizer], logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        async let running: Void = services.run()
        try await body(authorizer)
        await services.triggerGracefulShutdown()
        try await running
    }

    @Test func `a question is signed by each secret, and a yes is kept by the clock that runs forward`() async throws {
        let server = try await HookServer.start { _, _ in .text(#"{"allow":true,"cacheSeconds":60,"expires":30}"#) }
        let (clock, secret) = (Clock(), "0123456789abcdef")
        try await Self.with(server, clock: clock) {
            $0.secrets = [secret]
        } _: { authorizer in
            for _ in 0..<3 { _ = await authorizer.ruling(on: Self.question()) }
            #expect(server.requests.count == 1 && server.requests.allSatisfy { $0.isSigned(by: secret) })
            clock.seconds.withLock { $0 = 29.9 }
            guard case .allowed(let grant) = await authorizer.ruling(on: Self.question("alice", "c2")) else {
                Issue.record("it was not let in")
                return
            }
            // What was granted at first ends when it ends, and not thirty seconds after it is used.
            #expect(grant.endsAt == MonotonicTime(nanoseconds: 30_000_000_000))
            #expect(server.requests.count == 1)
            clock.seconds.withLock { $0 = 30 }
            _ = await authorizer.ruling(on: Self.question())
            #expect(server.requests.count == 2)
        }
    }

    @Test func `a name server that is silent takes no more time than there is`() async throws {
        let server = try await HookServer.start()
        let silence = DispatchSemaphore(value: 0)
        var settings = HookSettings()
        settings.url = "http://backend.invalid:\(server.port)/"
        let caller = HookCaller(
            HookCaller.Configuration(
                url: "http://backend.invalid:\(server.port)/", secrets: [], timeout: .milliseconds(200), concurrency: 1,
                reach: .privateAlone), now: { 0 }
        ) { _ in
            silence.wait()
            return []
        }
        let began = ContinuousClock.now
        await #expect(throws: (any Error).self) {
            try await HookAuthorizer.post(Self.question(), by: caller, settings, within: .milliseconds(200))
        }
        #expect(began.duration(to: .now) < .seconds(5))
        #expect(server.requests.isEmpty)
        silence.signal()
        try await caller.shutdown()
    }

    /// How often a name was looked up; while it is shut, look-ups hang.
    private final class Names: Sendable {
        let asked = Mutex(0)
        let gate = DispatchSemaphore(value: 0)
    }

    private static func caller(_ server: HookServer, _ names: Names, timeout: Duration) -> HookCaller {
        HookCaller(
            HookCaller.Configuration(
                url: "http://backend.invalid:\(server.port)/", secrets: [], timeout: timeout, concurrency: 8,
                reach: .privateAlone), now: { 0 }
        ) { _ in
            names.asked.withLock { $0 += 1 }
            names.gate.wait()
            names.gate.signal()
            return [IPAddress("127.0.0.1") ?? .unspecified]
        }
    }

    @Test func `a name is looked up once for all who wait for it`() async throws {
        let server = try await HookServer.start { _, _ in .text("{}") }
        let names = Names()
        let caller = Self.caller(server, names, timeout: .seconds(30))
        try await withThrowingTaskGroup(of: UInt.self) { group in
            for _ in 0..<8 { group.addTask { try await caller.post([]).status } }
            try await eventually("a look-up") { names.asked.withLock { $0 } > 0 }
            // Those who give up leave nothing behind.
            for _ in 0..<8 {
                let impatient = Task { try await caller.post([]) }
                impatient.cancel()
                await #expect(throws: (any Error).self) { try await impatient.value }
            }
            names.gate.signal()
            for try await status in group { #expect(status == 200) }
        }
        #expect(names.asked.withLock { $0 } == 1)
        try await caller.shutdown()
    }

    @Test func `a backend that is slow to answer is where it was`() async throws {
        let server = try await HookServer.start { _, _ in .never }
        let names = Names()
        names.gate.signal()
        let caller = Self.caller(server, names, timeout: .milliseconds(200))
        for _ in 0..<3 { await #expect(throws: (any Error).self) { try await caller.post([]) } }
        #expect(names.asked.withLock { $0 } == 1)
        try await caller.shutdown()
    }

    @Test func `a connection that the backend ends between two questions costs nobody anything`() async throws {
        let server = try await HookServer.start { _, _ in .text(#"{"allow":true}"#) }
        try await Self.with(server) { authorizer in
            for number in 0..<20 {
                let ruling = await authorizer.ruling(on: Self.question("u\(number)"))
                #expect(ruling == .allowed(Grant()), "\(authorizer.restriction ?? "")")
                server.closeConnections()
            }
        }
    }

    @Test func `a failure is told with its reason, and forgotten once there is an answer`() async throws {
        let server = try await HookServer.start { number, _ in number == 0 ? .status(500) : .text(#"{"allow":false}"#) }
        try await Self.with(server) { authorizer in
            #expect(authorizer.restriction == nil)
            #expect(await authorizer.ruling(on: Self.question()) == .failed(isPassed: false))
            #expect(authorizer.restriction?.contains("500") == true)
            #expect(await authorizer.ruling(on: Self.question()) == .denied(Denial(.forbidden)))
            #expect(authorizer.restriction == nil)
        }
        let silent = try await HookServer.start { _, _ in .never }
        try await Self.with(silent) {
            $0.onFailure = .allow
            $0.timeout = .milliseconds(100)
        } _: { authorizer in
            #expect(authorizer.restriction?.contains("onFailure is allow") == true)
            #expect(await authorizer.ruling(on: Self.question()) == .failed(isPassed: true))
        }
    }

    @Test(arguments: [(431, true), (500, false)])
    func `what clients bring about is told for a while, what the backend does until it answers`(
        status: Int, lapses: Bool
    ) async throws {
        let server = try await HookServer.start { _, _ in .status(status) }
        let clock = Clock()
        try await Self.with(server, clock: clock) { authorizer in
            _ = await authorizer.ruling(on: Self.question())
            clock.seconds.withLock { $0 = 29 }
            #expect(authorizer.restriction != nil)
            clock.seconds.withLock { $0 = 30 }
            #expect((authorizer.restriction == nil) == lapses)
        }
    }

    @Test func `clients who show nothing share no answer, and none is kept for them`() async throws {
        let server = try await HookServer.start { number, _ in
            .text(#"{"allow":true,"userId":"guest-\#(number)","cacheSeconds":60}"#)
        }
        func question(_ connection: String, _ headers: [Presented.Header], token: String? = nil) -> Question {
            Question(
                .connect, of: nil, shown: Presented(token: token, headers: headers, address: "192.0.2.7"),
                connectionId: connection)
        }
        let origin = Presented.Header(name: "Origin", value: "https://a.example")
        try await Self.with(server) { authorizer in
            for connection in ["c1", "c2", "c2"] { _ = await authorizer.ruling(on: question(connection, [origin])) }
            #expect(server.requests.count == 3)
            let cookie = [origin, Presented.Header(name: "cookie", value: "sid=1")]
            for connection in ["c3", "c4"] { _ = await authorizer.ruling(on: question(connection, cookie)) }
            #expect(server.requests.count == 4)
            for connection in ["c5", "c6"] {
                _ = await authorizer.ruling(on: question(connection, [origin], token: "t"))
            }
            #expect(server.requests.count == 5)
        }
    }

    @Test(arguments: [
        (HookServer.Reply.status(500), true), (.status(408), true), (.status(429), true), (.status(400), false),
        (.status(431), false), (.redirect("/login"), false), (.text(#"{"allow":true,"userId":"bob"}"#), false),
    ]) func `what a client can bring about by itself lets nobody pass`(reply: HookServer.Reply, isPassed: Bool)
        async throws
    {
        let server = try await HookServer.start { _, _ in reply }
        try await Self.with(server) {
            $0.onFailure = .allow
        } _: { authorizer in
            #expect(await authorizer.ruling(on: Self.question()) == .failed(isPassed: isPassed))
        }
    }

    @Test(arguments: [(HookServer.Reply.text(#"{"allow":false}"#), false), (.status(400), false), (.status(500), true)])
    func `who finds no time in the line passes only where the backend answers nobody`(
        reply: HookServer.Reply, isPassed: Bool
    ) async throws {
        let (clock, gate) = (Clock(), DispatchSemaphore(value: 0))
        let server = try await HookServer.start { _, _ in
            gate.wait()
            clock.seconds.withLock { $0 += 31 }
            return reply
        }
        try await Self.with(server, clock: clock) {
            $0.onFailure = .allow
            $0.concurrency = 1
        } _: { authorizer in
            async let first = authorizer.ruling(on: Self.question("alice"))
            try await eventually("the call") { authorizer.underWay == 1 }
            async let second = authorizer.ruling(on: Self.question("bob"))
            try await eventually("the line") { authorizer.waiting == 1 }
            gate.signal()
            _ = await first
            #expect(await second == .failed(isPassed: isPassed))
        }
    }

    @Test func `what is replaced is asked no more, and what it said counts no longer`() async throws {
        let first = try await HookServer.start { _, _ in .text(#"{"allow":true,"cacheSeconds":60}"#) }
        let second = try await HookServer.start { _, _ in .text(#"{"allow":false}"#) }
        try await Self.with(first) { authorizer in
            #expect(await authorizer.ruling(on: Self.question()) == .allowed(Grant()))
            var settings = HookSettings()
            settings.url = second.url
            settings.headers = ["X-Session"]
            authorizer.replace(settings, authorities: [])
            #expect(authorizer.headerNames == ["X-Session"])
            #expect(await authorizer.ruling(on: Self.question()) == .denied(Denial(.forbidden)))
            #expect(first.requests.count == 1)
        }
    }
}
