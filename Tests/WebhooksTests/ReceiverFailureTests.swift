import Dispatch
import GatewayCore
import Metrics
import NIOCore
import NIOSSL
import ServiceLifecycle
import Synchronization
import TestKit
import Testing
import Webhooks
import TestSupport

@Suite("Receivers that fail")
struct ReceiverFailureTests {
    @Test(
        arguments: [
            (HookServer.Reply.status(500), "the receiver answered 500"),
            (.status(404), "the receiver answered 404"),
            (.redirect("/elsewhere"), "the receiver answered 302, and redirects are not followed"),
            (.reset, "Connection reset by peer"),
        ])
    func `an attempt that fails is made again until it is taken, and the reason is told`(
        reply: HookServer.Reply, reason: String
    ) async throws {
        let server = try await HookServer.start { number, _ in number < 2 ? reply : .status(200) }
        let ledger = FakeLedger(events: 25)
        try await serve(.brisk([WebhookReceiver(url: server.url, types: nil)]), ledger) {
            try await eventually("all events", within: .seconds(60)) { await ledger.isEmpty }
        }
        #expect(server.events.map(\.id) == (0..<25).map(String.init))
        #expect(server.requests.count == 5)
        // What is sent again is the same to the byte.
        #expect(server.requests[0].body == server.requests[2].body)
        let notes = await ledger.notes
        #expect(notes.count == 2 && notes.allSatisfy { $0.contains(reason) }, "\(notes)")
    }

    @Test func `a receiver that does not answer in time is asked again`() async throws {
        let server = try await HookServer.start { number, _ in number == 0 ? .never : .status(200) }
        var configuration = WebhookConfiguration.brisk([WebhookReceiver(url: server.url, types: nil)])
        configuration.timeout = .milliseconds(500)
        let ledger = FakeLedger(events: 5)
        try await serve(configuration, ledger) {
            try await eventually("all events", within: .seconds(60)) { await ledger.isEmpty }
        }
        // On a busy machine an answer in time may be too late as well.
        #expect(server.requests.count >= 2 && Set(server.requests.map(\.body)).count == 1)
        #expect(await ledger.notes.first == "the receiver did not answer within 0.5 seconds")
    }

    @Test func `an answer counts by its status, however its body ends`() async throws {
        let server = try await HookServer.start { _, _ in .broken }
        let ledger = FakeLedger(events: 15)
        try await serve(.brisk([WebhookReceiver(url: server.url, types: nil)]), ledger) {
            try await eventually("all events", within: .seconds(60)) { await ledger.isEmpty }
        }
        #expect(server.requests.count == 2)
        #expect(await ledger.notes == [])
    }

    @Test func `an answer whose body never ends holds nobody up`() async throws {
        let server = try await HookServer.start { _, _ in .drip(.milliseconds(100)) }
        var configuration = WebhookConfiguration.brisk([WebhookReceiver(url: server.url, types: nil)])
        configuration.timeout = .milliseconds(500)
        let ledger = FakeLedger(events: 15)
        try await serve(configuration, ledger) {
            try await eventually("all events", within: .seconds(30)) { await ledger.isEmpty }
        }
        #expect(Set(server.events.map(\.id)) == Set((0..<15).map(String.init)))
    }

    @Test func `a receiver that is down gets all when it is up, and one whose name does not resolve is said to`()
        async throws
    {
        let port = try ReservedPort()
        let receiver = WebhookReceiver(url: "http://127.0.0.1:\(port.number)/hooks", types: nil)
        let ledger = FakeLedger(events: 15)
        try await serve(.brisk([receiver]), ledger) {
            try await eventually("three failures", within: .seconds(60)) { await ledger.notes.count >= 3 }
            let back = try await HookServer.start(port: port.number)
            try await eventually("all events", within: .seconds(60)) { await ledger.isEmpty }
            #expect(back.events.map(\.id) == (0..<15).map(String.init))
        }
        let notes = await ledger.notes
        #expect(notes[0].contains("Connection refused"), "\(notes)")
        let problem = try await problem(of: "http://nobody.invalid/")
        #expect(problem.hasPrefix("the receiver's name does not resolve: correct webhooks.url"), "\(problem)")
    }

    @Test
    func `a certificate that nobody vouches for, or for another name, is refused, one of a known authority is not`()
        async throws
    {
        let made = try TestCertificates()
        let server = try await HookServer.start(tls: try made.selfSigned(for: "localhost"))
        var configuration = WebhookConfiguration.brisk([
            WebhookReceiver(url: "https://localhost:\(server.port)/", types: nil)
        ])
        configuration.authorityFile = made.authorityFile
        let ledger = FakeLedger(events: 1)
        try await serve(configuration, ledger) {
            try await eventually("a failure", within: .seconds(60)) { await !ledger.notes.isEmpty }
            #expect(await ledger.notes[0].contains("name its authority's file in webhooks.caFile"))
            server.show(try made.vouched(for: "other.example"))
            try await eventually("another failure", within: .seconds(60)) {
                await ledger.notes.last?.contains("its certificate is for another name") ?? false
            }
            server.show(try made.vouched(for: "localhost") { $0.maximumTLSVersion = .tlsv11 })
            try await eventually("a third failure", within: .seconds(60)) {
                await ledger.notes.last?.contains("it speaks nothing newer than TLS 1.1") ?? false
            }
            #expect(server.requests.isEmpty)
            server.show(try made.vouched(for: "localhost"))
            try await eventually("the event", within: .seconds(60)) { await ledger.isEmpty }
        }
        #expect(server.events.count == 1)
    }

    @Test func `a private address is refused before anything is sent, however it is written, and the way out is named`()
        async throws
    {
        let server = try await HookServer.start()
        for host in ["127.0.0.1", "localhost", "0x7f.1"] {
            let problem = try await problem(of: "http://\(host):\(server.port)/", allowsPrivate: false)
            #expect(problem.contains("webhooks.allowPrivate"), "\(problem)")
        }
        #expect(server.requests.isEmpty)
    }

    @Test func `the address that was looked at is the one that is dialled, under the receiver's name`() async throws {
        let server = try await HookServer.start()
        // The system knows no such name: whoever asked it again would reach nobody.
        let receiver = WebhookReceiver(url: "http://receiver.invalid:\(server.port)/", types: nil)
        let looks = Mutex(0)
        let sender = WebhookSender(to: receiver, configuration: .brisk([receiver]), now: { 0 }) { host in
            looks.withLock { $0 += 1 }
            return host == "receiver.invalid" ? [try #require(IPAddress("127.0.0.1"))] : []
        }
        for _ in 0..<3 { #expect(await sender.send(Array("{}".utf8)) == .taken) }
        #expect(looks.withLock { $0 } == 1)
        #expect(server.requests.map(\.host) == Array(repeating: "receiver.invalid:\(server.port)", count: 3))
        #expect(server.connections == 1)
        try await sender.shutdown()
    }

    @Test func `a name that turns private is not even connected to, and of several addresses only public ones count`()
        async throws
    {
        let server = try await HookServer.start()
        let receiver = WebhookReceiver(url: "http://receiver.invalid:\(server.port)/", types: nil)
        var configuration = WebhookConfiguration.brisk([receiver])
        configuration.allowsPrivate = false
        let sender = WebhookSender(to: receiver, configuration: configuration, now: { 0 }) { _ in
            ["127.0.0.1", "::1", "10.0.0.1"].compactMap { IPAddress($0) }
        }
        let answer = await sender.send(Array("{}".utf8))
        guard case .failed(let reason) = answer else {
            Issue.record("it was taken")
            return
        }
        #expect(reason.hasPrefix("127.0.0.1 is a private address"), "\(reason)")
        #expect(server.connections == 0)
        try await sender.shutdown()
    }

    @Test func `what is for networks of one's own is not dialled in public, whatever the name says by then`()
        async throws
    {
        let server = try await HookServer.start()
        let answers = Mutex(["127.0.0.1"])
        let configuration = HookCaller.Configuration(
            url: "http://backend.invalid:\(server.port)/", secrets: [], timeout: .seconds(5), concurrency: 2,
            reach: .privateAlone)
        let caller = HookCaller(configuration, now: { 0 }) { _ in
            answers.withLock { $0 }.compactMap { IPAddress($0) }
        }
        let reply = try await caller.post(Array("{}".utf8), path: "more", fields: [("X-One", "1")])
        #expect(reply.status == 200 && reply.body == [])
        #expect(server.requests.first?.path == "/more" && server.requests.first?.headers["X-One"] == "1")
        try await caller.shutdown()
        let strayed = HookCaller(configuration, now: { 0 }) { _ in [try #require(IPAddress("93.184.216.34"))] }
        await #expect(throws: AddressGuard.Refusal.self) { try await strayed.post(Array("{}".utf8)) }
        try await strayed.shutdown()
    }

    @Test func `a certificate for an address is none for a name that leads there`() async throws {
        let made = try TestCertificates()
        let server = try await HookServer.start(tls: made.vouched(for: "127.0.0.1"))
        func answer(_ host: String) async throws -> UInt {
            let caller = HookCaller(
                HookCaller.Configuration(
                    url: "https://\(host):\(server.port)/", secrets: [], timeout: .seconds(10), concurrency: 1,
                    reach: .anywhere, authorities: try made.authorities),
                now: { 0 }
            ) { _ in [IPAddress("127.0.0.1")].compactMap(\.self) }
            let answer: Result<UInt, any Error>
            do {
                answer = .success(try await caller.post(Array("{}".utf8)).status)
            } catch {
                answer = .failure(error)
            }
            try await caller.shutdown()
            return try answer.get()
        }
        #expect(try await answer("127.0.0.1") == 200)
        for name in ["localhost", "receiver.example"] {
            let error = await #expect(throws: NIOSSLExtraError.self) { try await answer(name) }
            #expect(error == .failedToValidateHostname)
        }
        #expect(server.requests.count == 1)
        // By its end no connection is left that nobody would close.
        server.show(try made.vouched(for: "receiver.example"))
        #expect(try await answer("receiver.example") == 200)
    }

    @Test func `an answer is read so far and no further`() async throws {
        let replies: [HookServer.Reply] = [
            .text(String(repeating: "x", count: HookCaller.maxBytes)),
            .text(String(repeating: "x", count: HookCaller.maxBytes + 1)), .broken, .text("{}"),
        ]
        let server = try await HookServer.start { number, _ in replies[number] }
        let caller = HookCaller(
            HookCaller.Configuration(
                url: server.url, secrets: [], timeout: .seconds(10), concurrency: 1, reach: .anywhere),
            now: { 0 })
        var sizes: [Int?] = []
        for _ in replies { sizes.append(try await caller.post([]).body?.count) }
        #expect(sizes == [HookCaller.maxBytes, nil, nil, 2])
        try await caller.shutdown()
    }

    @Test func `where the first of several addresses does not answer the next is tried`() async throws {
        let server = try await HookServer.start()
        let receiver = WebhookReceiver(url: "http://receiver.invalid:\(server.port)/", types: nil)
        let sender = WebhookSender(to: receiver, configuration: .brisk([receiver]), now: { 0 }) { _ in
            // The server listens on the second of them alone.
            ["127.0.0.9", "127.0.0.1"].compactMap { IPAddress($0) }
        }
        guard case .failed = await sender.send(Array("{}".utf8)) else {
            Issue.record("nobody listens there")
            return
        }
        #expect(await sender.send(Array("{}".utf8)) == .taken)
        #expect(server.requests.count == 1)
        try await sender.shutdown()
    }

    @Test func `a name that takes for ever to resolve holds up neither the end nor another receiver`() async throws {
        let server = try await HookServer.start()
        let receiver = WebhookReceiver(url: server.url, types: nil)
        let (asked, hangs) = (AsyncStream.makeStream(of: Void.self), DispatchSemaphore(value: 0))
        let named = WebhookReceiver(url: "http://receiver.invalid/", types: nil)
        let hanging = WebhookSender(to: named, configuration: .brisk([named]), now: { 0 }) { _ in
            asked.continuation.yield()
            hangs.wait()
            return []
        }
        let sending = Task { await hanging.send(Array("{}".utf8)) }
        for await _ in asked.stream { break }
        let other = WebhookSender(to: receiver, configuration: .brisk([receiver]), now: { 0 })
        #expect(await other.send(Array("{}".utf8)) == .taken)
        sending.cancel()
        #expect(await sending.value == .failed(reason: "this node ends"))
        hangs.signal()
        try await hanging.shutdown()
        try await other.shutdown()
    }

    @Test func `user and password of a URL are sent as HTTP's basic authentication`() async throws {
        let server = try await HookServer.start()
        let receiver = WebhookReceiver(url: "http://us%40er:pa:ss@127.0.0.1:\(server.port)/", types: nil)
        let sender = WebhookSender(to: receiver, configuration: .brisk([receiver]), now: { 0 })
        #expect(await sender.send(Array("{}".utf8)) == .taken)
        // `us@er:pa:ss`.
        #expect(server.requests.first?.authorization == "Basic dXNAZXI6cGE6c3M=")
        try await sender.shutdown()
    }

    @Test func `old events that nobody takes are given up after some attempts`() async throws {
        let server = try await HookServer.start { _, _ in .status(503) }
        var configuration = WebhookConfiguration.brisk([WebhookReceiver(url: server.url, types: nil)])
        configuration.giveUpAfter = .zero
        configuration.pace.leastAttempts = 3
        let ledger = FakeLedger(events: 15)
        try await serve(configuration, ledger) {
            try await eventually("all to be given up", within: .seconds(60)) { await ledger.isEmpty }
        }
        #expect(await ledger.givenUp == (0..<15).map(String.init))
        #expect(server.requests.count == 6)
    }

    @Test func `a node that ends sends what is there first`() async throws {
        let server = try await HookServer.start { _, _ in .late(.milliseconds(100)) }
        var configuration = WebhookConfiguration.brisk([WebhookReceiver(url: server.url, types: nil)])
        configuration.drainTimeout = .seconds(60)
        let ledger = FakeLedger(events: 35)
        try await serve(configuration, ledger) {
            try await eventually("a request", within: .seconds(60)) { !server.requests.isEmpty }
        }
        #expect(await ledger.isEmpty)
        #expect(server.events.count == 35)
    }

    /// Runs the service on a ledger in memory until `body` returns.
    private func serve(
        _ configuration: WebhookConfiguration, _ ledger: FakeLedger, _ body: @Sendable () async throws -> Void
    ) async throws {
        let service = WebhookService(
            configuration: configuration, ledger: ledger, metrics: NOOPMetricsHandler.instance, logger: .silent,
            now: { 1_700_000_000 })
        let group = ServiceGroup(
            configuration: .init(services: [.init(service: service)], logger: .silent))
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            try await body()
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        }
    }

    /// What is first said of a receiver that is sent one event.
    private func problem(of url: String, allowsPrivate: Bool = true) async throws -> String {
        var configuration = WebhookConfiguration.brisk([WebhookReceiver(url: url, types: nil)])
        configuration.allowsPrivate = allowsPrivate
        configuration.drainTimeout = .zero
        let ledger = FakeLedger(events: 1)
        try await serve(configuration, ledger) {
            try await eventually("a failure", within: .seconds(60)) { await !ledger.notes.isEmpty }
        }
        return await ledger.notes[0]
    }
}
