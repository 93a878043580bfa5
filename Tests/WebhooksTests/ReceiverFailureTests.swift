import Foundation
import GatewayCore
import Metrics
import NIOCore
import NIOPosix
import NIOSSL
import ServiceLifecycle
import TestKit
import Testing
import Webhooks

@Suite("Receivers that fail")
struct ReceiverFailureTests {
    /// Runs the service on a ledger in memory until `body` returns.
    private func serve(
        _ configuration: WebhookConfiguration, _ ledger: FakeLedger, _ body: @Sendable () async throws -> Void
    ) async throws {
        let service = WebhookService(
            configuration: configuration, ledger: ledger, group: MultiThreadedEventLoopGroup.singleton,
            metrics: NOOPMetricsHandler.instance, logger: .silent, now: { 1_700_000_000 })
        let group = ServiceGroup(
            configuration: .init(services: [.init(service: service)], logger: .silent))
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            try await body()
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        }
    }

    @Test(
        "an attempt that fails is made again until it is taken, and the reason is told",
        arguments: [
            (HookServer.Reply.status(500), "the receiver answered 500"),
            (.status(404), "the receiver answered 404"),
            (.redirect("/elsewhere"), "the receiver answered 302, and redirects are not followed"),
            (.reset, "Connection reset by peer"),
            (.never, "did not answer within"),
        ])
    func retries(reply: HookServer.Reply, reason: String) async throws {
        let server = try await HookServer.start { number, _ in number < 2 ? reply : .status(200) }
        var configuration = WebhookConfiguration.brisk([WebhookReceiver(url: server.url, types: nil)])
        configuration.timeout = .milliseconds(500)
        let ledger = FakeLedger(events: 25)
        try await serve(configuration, ledger) {
            try await eventually("all events") { await ledger.isEmpty }
        }
        #expect(server.events.map(\.id) == (0..<25).map(String.init))
        #expect(server.requests.count == 5)
        // What is sent again is the same to the byte.
        #expect(server.requests[0].body == server.requests[2].body)
        let notes = await ledger.notes
        #expect(notes.count == 2 && notes.allSatisfy { $0.contains(reason) }, "\(notes)")
    }

    @Test("a receiver that is down gets all when it is up, and one whose name does not resolve is said to")
    func unreachable() async throws {
        let port = try ReservedPort()
        let receiver = WebhookReceiver(url: "http://127.0.0.1:\(port.number)/hooks", types: nil)
        let ledger = FakeLedger(events: 15)
        try await serve(.brisk([receiver]), ledger) {
            try await eventually("three failures") { await ledger.notes.count >= 3 }
            let back = try await HookServer.start(port: port.number)
            try await eventually("all events") { await ledger.isEmpty }
            #expect(back.events.map(\.id) == (0..<15).map(String.init))
        }
        let notes = await ledger.notes
        #expect(notes[0].contains("Connection refused"), "\(notes)")

        let lost = FakeLedger(events: 1)
        try await serve(.brisk([WebhookReceiver(url: "http://nobody.invalid/", types: nil)]), lost) {
            try await eventually("a failure") { await !lost.notes.isEmpty }
        }
        #expect(await lost.notes[0] == "the receiver's name does not resolve")
    }

    @Test("a certificate that nobody vouches for is refused, one whose authority is given is not")
    func certificates() async throws {
        let context = try TestCertificate.context()
        let server = try await HookServer.start(tls: context)
        let receiver = WebhookReceiver(url: "https://localhost:\(server.port)/", types: nil)
        var configuration = WebhookConfiguration.brisk([receiver])
        let ledger = FakeLedger(events: 1)
        try await serve(configuration, ledger) {
            try await eventually("a failure") { await !ledger.notes.isEmpty }
        }
        #expect(await ledger.notes[0].hasPrefix("TLS with the receiver failed"))
        #expect(server.requests.isEmpty)

        let file = FileManager.default.temporaryDirectory.path + "/hook-ca-\(UUID().uuidString).pem"
        try TestCertificate.pem.write(toFile: file, atomically: true, encoding: .utf8)
        configuration.certificateAuthorityFile = file
        try await serve(configuration, ledger) {
            try await eventually("the event") { await ledger.isEmpty }
        }
        #expect(server.events.count == 1)
        try FileManager.default.removeItem(atPath: file)
    }

    @Test("a private address is refused before anything is sent, and the way out is named")
    func privateAddress() async throws {
        let server = try await HookServer.start()
        for host in ["127.0.0.1", "localhost"] {
            var configuration = WebhookConfiguration.brisk([
                WebhookReceiver(url: "http://\(host):\(server.port)/", types: nil)
            ])
            configuration.allowsPrivate = false
            let ledger = FakeLedger(events: 1)
            try await serve(configuration, ledger) {
                try await eventually("a failure") { await !ledger.notes.isEmpty }
            }
            #expect(await ledger.notes[0].contains("webhooks.allowPrivate"))
        }
        #expect(server.requests.isEmpty)
    }

    @Test("old events that nobody takes are given up after some attempts")
    func givesUp() async throws {
        let server = try await HookServer.start { _, _ in .status(503) }
        var configuration = WebhookConfiguration.brisk([WebhookReceiver(url: server.url, types: nil)])
        configuration.giveUpAfter = .zero
        configuration.pace.leastAttempts = 3
        let ledger = FakeLedger(events: 15)
        try await serve(configuration, ledger) {
            try await eventually("all to be given up") { await ledger.isEmpty }
        }
        #expect(await ledger.givenUp == (0..<15).map(String.init))
        #expect(server.requests.count == 6)
    }

    @Test("a node that ends sends what is there first")
    func drains() async throws {
        let server = try await HookServer.start { _, _ in .late(.milliseconds(100)) }
        let ledger = FakeLedger(events: 35)
        try await serve(.brisk([WebhookReceiver(url: server.url, types: nil)]), ledger) {
            try await eventually("a request") { !server.requests.isEmpty }
        }
        #expect(await ledger.isEmpty)
        #expect(server.events.count == 35)
    }
}

/// A port of 127.0.0.1 at which nobody listens, and which nobody else is given.
struct ReservedPort: ~Copyable {
    private let descriptor: Int32
    let number: Int

    struct Failure: Error {
        let code: Int32
    }

    init() throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var one: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let code = withUnsafeMutableBytes(of: &address) { bytes in
            let address = bytes.assumingMemoryBound(to: sockaddr.self).baseAddress
            guard let address, bind(descriptor, address, length) == 0 else { return errno }
            return getsockname(descriptor, address, &length) == 0 ? 0 : errno
        }
        self.descriptor = descriptor
        number = Int(UInt16(bigEndian: address.sin_port))
        guard code == 0 else { throw Failure(code: code) }
    }

    deinit {
        close(descriptor)
    }
}

/// A certificate for `localhost` that nobody trusts; good for tests and nothing else.
enum TestCertificate {
    static func context() throws -> NIOSSLContext {
        let certificate = try NIOSSLCertificate(bytes: Array(pem.utf8), format: .pem)
        let key = try NIOSSLPrivateKey(bytes: Array(self.key.utf8), format: .pem)
        return try NIOSSLContext(
            configuration: .makeServerConfiguration(
                certificateChain: [.certificate(certificate)], privateKey: .privateKey(key)))
    }

    static let pem = """
        -----BEGIN CERTIFICATE-----
        MIIBlTCCATugAwIBAgIUUbNtkQwLJqJRtTXJTucA8YFETJswCgYIKoZIzj0EAwIw
        FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMjEzMjQyMFoYDzIxMjYxMDI5
        MTMyNDIwWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
        PQMBBwNCAAQpQiTGPrIlS1JbnNdCEHH1l78lhyykPR8ms+4lNFdsbd+16++DdmcT
        A1dB264pP2aubQ1mkGtFiuu4NSkYtL/ho2kwZzAdBgNVHQ4EFgQUdkuq0LzsSCw5
        rQ7FDJbAzkn4iDswHwYDVR0jBBgwFoAUdkuq0LzsSCw5rQ7FDJbAzkn4iDswDwYD
        VR0TAQH/BAUwAwEB/zAUBgNVHREEDTALgglsb2NhbGhvc3QwCgYIKoZIzj0EAwID
        SAAwRQIhAK6bJRZ2Cl6ktHaQtqjZjOz1+rr5P4/+cBfcy+d6KEfjAiB29FS2S+0/
        Vzh8hjptxIC+ybldF6qncUvUjhr2dzKe0Q==
        -----END CERTIFICATE-----
        """

    private static let key = """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgLLc+C979XITzxc8s
        bvUjaJZryh1s8tELXP6/H6wO3EyhRANCAAQpQiTGPrIlS1JbnNdCEHH1l78lhyyk
        PR8ms+4lNFdsbd+16++DdmcTA1dB264pP2aubQ1mkGtFiuu4NSkYtL/h
        -----END PRIVATE KEY-----
        """
}
