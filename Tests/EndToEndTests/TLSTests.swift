import Foundation
import MartletClient
import NIOCore
import NIOSSL
import TestKit
import TestSupport
import Testing

/// A node that speaks TLS on both ports, by certificates in files of its own that a test may change.
private struct SecureNode {
    let certificates: TestCertificates
    let scratch: URL
    let node: NodeProcess

    static func start(
        certificates: TestCertificates, clientAuthority: String? = nil, environment: [String: String] = [:]
    ) async throws -> SecureNode {
        let scratch = FileManager.default.temporaryDirectory.appendingPathComponent("tls-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: scratch, withIntermediateDirectories: false)
        try put(certificates.files(for: "localhost"), into: scratch)
        var variables = [
            "MARTLET_CLIENT_TLS_CERTIFICATE_FILE": "\(scratch.path)/tls.pem",
            "MARTLET_CLIENT_TLS_KEY_FILE": "\(scratch.path)/tls.key",
            "MARTLET_API_TLS_CERTIFICATE_FILE": "\(scratch.path)/tls.pem",
            "MARTLET_API_TLS_KEY_FILE": "\(scratch.path)/tls.key",
        ]
        variables["MARTLET_API_TLS_CLIENT_CA_FILE"] = clientAuthority
        let node = try await NodeProcess.start(
            nodeId: "a", redisURL: nil, environment: variables.merging(environment) { $1 })
        return SecureNode(certificates: certificates, scratch: scratch, node: node)
    }

    static func put(_ files: TestCertificates.Files, into folder: URL) throws {
        for (from, to) in [(files.certificate, "tls.pem"), (files.key, "tls.key")] {
            try Data(contentsOf: URL(fileURLWithPath: from)).write(to: folder.appendingPathComponent(to))
        }
    }

    func connect(as user: String, _ tls: TLSConfiguration) async throws -> Participant {
        try await Participant.connect(to: node.securedURL, as: user) {
            $0.tls = tls
            $0.connectTimeout = .seconds(30)
        }
    }

    func call(
        _ path: String, method: String = "GET", body: String? = nil, _ tls: TLSConfiguration?
    ) async throws -> HTTPAnswer {
        let headers = [
            ("Authorization", "Bearer \(NodeProcess.apiKey)"), ("Content-Type", "application/json"),
        ]
        return try await HTTPAnswer.fetch(
            port: node.apiPort, method: method, path: path, body: body, headers: headers, tls: tls)
    }

    /// Whether a client with this configuration gets through the handshake and an answer.
    func takes(_ tls: TLSConfiguration?) async -> Bool {
        // How it is refused is the library's to say.
        (try? await call("/healthz", tls))?.status == 200
    }
}

@Suite("TLS on both ports")
struct TLSTests {
    @Test func `sockets and calls go over TLS 1.2 and 1.3, and over nothing else`() async throws {
        let secure = try await SecureNode.start(certificates: TestCertificates())
        let trusting = try secure.certificates.client()
        let (alice, bob) = (
            try await secure.connect(as: "alice", trusting), try await secure.connect(as: "bob", trusting)
        )
        for one in [alice, bob] { try await one.join("lesson") }
        // More than one record each, and more together than sockets hold.
        let text = "\"\(String(repeating: "x", count: 50_000))\""
        for _ in 0..<200 { _ = try await alice.client.publish(Array(text.utf8), to: "lesson") }
        for one in [alice, bob] {
            try await eventually("delivery") { one.latest(of: "lesson") == 200 }
            #expect(one.faults(of: "lesson", upTo: 200) == [])
            #expect(one.payloads(of: "lesson").allSatisfy { $0 == text })
        }
        let answer = try await secure.call(
            "/v1/broadcast", method: "POST", body: #"{"to":{"rooms":["lesson"]},"payload":1}"#, trusting)
        #expect(answer.status == 200)
        try await eventually("delivery") { bob.latest(of: "lesson") == 201 }

        for version in [TLSVersion.tlsv12, .tlsv13, .tlsv11, .tlsv1] {
            var tls = trusting
            (tls.minimumTLSVersion, tls.maximumTLSVersion) = (version, version)
            #expect(await secure.takes(tls) == (version == .tlsv12 || version == .tlsv13), "\(version)")
        }
        #expect(await !secure.takes(nil))
        #expect(await !secure.takes(.makeClientConfiguration()))
        var weak = trusting
        weak.maximumTLSVersion = .tlsv12
        weak.cipherSuites = "AES128-SHA:ECDHE-ECDSA-AES128-SHA"
        #expect(await !secure.takes(weak))
        // A plain handshake for a WebSocket, sent to the port all the same.
        let plain = try await HostileSocket.connect(port: secure.node.clientPort)
        plain.send(HostileSocket.handshake(path: "/ws?userId=eve"))
        try await eventually("the end of a plain connection") { !plain.isOpen }
        #expect(plain.status == nil)

        let health = try await NodeProcess.run(
            ["health"],
            environment: [
                "MARTLET_API_PORT": "\(secure.node.apiPort)", "MARTLET_API_TLS_CERTIFICATE_FILE": "/any.pem",
            ])
        #expect(health.status == 0, "\(health.output)")
        let metrics = try await secure.call("/metrics", trusting).body
        #expect(metrics.contains(#"martlet_handshakes_refused_total{reason="tls"}"#))
        #expect(metrics.contains(#"martlet_certificate_expiry_timestamp_seconds{port="client.tls"}"#))
    }

    @Test func `a new certificate serves who comes from then on, and a broken one changes nothing`() async throws {
        let secure = try await SecureNode.start(certificates: TestCertificates())
        let before = try secure.certificates.client()
        let alice = try await secure.connect(as: "alice", before)
        try await alice.join("lesson")

        try Data("-----BEGIN CERTIFICATE-----\nAAAA\n".utf8).write(to: secure.scratch.appendingPathComponent("tls.pem"))
        kill(secure.node.pid, SIGHUP)
        try await secure.node.logged("certificate not replaced; the one of before serves")
        #expect(await secure.takes(before))

        let others = try TestCertificates()
        try SecureNode.put(others.files(for: "localhost"), into: secure.scratch)
        kill(secure.node.pid, SIGHUP)
        try await secure.node.logged("certificate replaced")
        let after = try others.client()
        try await eventually("the new certificate on the api port") { await secure.takes(after) }
        #expect(await !secure.takes(before))
        let bob = try await secure.connect(as: "bob", after)
        try await bob.join("lesson")
        _ = try await bob.client.publish(Array("1".utf8), to: "lesson")
        // The connection of before goes on.
        try await eventually("delivery") { alice.latest(of: "lesson") == 1 }
        #expect(alice.connections.count == 1)
    }

    @Test func `calls and console take a client's certificate by the right authority, probes none`() async throws {
        let certificates = try TestCertificates()
        let clients = try TestCertificates()
        let secure = try await SecureNode.start(
            certificates: certificates, clientAuthority: clients.authorityFile)
        func showing(_ files: TestCertificates.Files) throws -> TLSConfiguration {
            var tls = try certificates.client()
            let shown = try clients.client(showing: files)
            (tls.certificateChain, tls.privateKey) = (shown.certificateChain, shown.privateKey)
            return tls
        }
        let (none, good) = (try certificates.client(), try showing(clients.files(for: "backend")))
        for path in [
            "/v1/nodes", "/console", "/v1/", "/", "//healthz", "/healthz/../v1/nodes", "/v1/nodes?x=://y/healthz",
        ] {
            #expect(try await secure.call(path, none).status == 403, "\(path)")
        }
        for path in ["/healthz", "/metrics"] { #expect(try await secure.call(path, none).status == 200) }
        for _ in 0..<2 { #expect(try await secure.call("/v1/nodes", good).status == 200) }
        #expect(try await secure.call("/console", good).status == 200)
        let bad = [
            try certificates.files(for: "backend"), try clients.files(for: "backend", off: .seconds(-10 * 86_400)),
            try clients.files(for: "backend", off: .seconds(10 * 86_400)),
        ]
        for files in bad { #expect(await !secure.takes(try showing(files))) }
        // The client port asks for none.
        let alice = try await secure.connect(as: "alice", none)
        try await alice.join("lesson")
    }

    @Test func `half-open handshakes hold nobody up`() async throws {
        let secure = try await SecureNode.start(
            certificates: TestCertificates(), environment: ["MARTLET_CLIENT_MAX_CONNECTIONS": "400"])
        var half: [HostileSocket] = []
        for number in 0..<300 {
            let socket = try await HostileSocket.connect(port: secure.node.clientPort)
            // The beginning of a ClientHello, or nothing at all.
            if number.isMultiple(of: 2) { socket.send(ByteBuffer(bytes: [0x16, 0x03, 0x01, 0x02, 0x00, 0x01])) }
            half.append(socket)
        }
        let alice = try await secure.connect(as: "alice", try secure.certificates.client())
        try await alice.join("lesson")
        try await eventually("their end") { [half] in half.allSatisfy { !$0.isOpen } }
        #expect(try await alice.client.publish(Array("1".utf8), to: "lesson").seq == 1)
    }
}
