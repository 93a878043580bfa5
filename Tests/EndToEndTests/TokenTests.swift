import Foundation
import MartletClient
import TestKit
import TestSupport
import Testing

@Suite("Tokens of an issuer with keys at a URL")
struct TokenTests {
    private static func claims(_ user: String) -> String {
        let now = Int(Date().timeIntervalSince1970)
        return
            #"{"iss":"https://ours.example/","aud":["gateway"],"sub":"\#(user)","iat":\#(now),"exp":\#(now + 600).5}"#
    }

    private static func start(_ url: String, _ certificates: TestCertificates) async throws -> NodeProcess {
        try await NodeProcess.start(
            nodeId: "a", redisURL: nil,
            environment: [
                "MARTLET_AUTH_MODE": "jwt", "MARTLET_AUTH_JWKS": url,
                "MARTLET_AUTH_CA_FILE": certificates.authorityFile,
                "MARTLET_AUTH_ISSUER": "https://ours.example/", "MARTLET_AUTH_AUDIENCE": "gateway",
            ])
    }

    private static func connect(_ node: NodeProcess, _ token: String) async throws -> Participant {
        try await Participant.connect(to: node.clientURL, as: "") { $0.credentials = .token { token } }
    }

    @Test func `a key that rotates under load opens at once, and a dead URL closes nothing`() async throws {
        let certificates = try TestCertificates()
        let (old, new) = (try TokenSigner.rsa(id: "old"), try TokenSigner.rsa(id: "new"))
        let server = try await KeyServer.start(
            certificates.vouched(for: "localhost"), body: TokenSigner.jwks([old]))
        let node = try await Self.start(server.url, certificates)
        try await eventually("readiness") { try await node.request("GET", "/readyz").status == 200 }
        let alice = try await Self.connect(node, try old.token(Self.claims("alice"), by: "RS256"))
        try await alice.join("lesson")
        #expect(server.requests == 1)

        server.show(try TokenSigner.jwks([new]))
        kill(node.pid, SIGHUP)
        try await eventually("the new keys") { server.requests == 2 }
        let users = try await withThrowingTaskGroup(of: Participant.self) { group in
            for number in 0..<100 {
                group.addTask { try await Self.connect(node, try new.token(Self.claims("u\(number)"), by: "RS256")) }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(users.allSatisfy { $0.connections.count == 1 })
        #expect(alice.connections.count == 1)

        try await server.stop()
        for number in 0..<200 {
            let stray = TokenSigner.p256(id: "stray-\(number)")
            let token = try stray.token(Self.claims("eve"), by: "ES256")
            let socket = try await HostileSocket.open(port: node.clientPort, path: "/ws?token=\(token)")
            try await eventually("a refusal") { socket.closeCode != nil || !socket.isOpen }
            // Once a minute at most the keys are asked for, and then nobody can say.
            #expect([4401, 4503].contains(socket.closeCode))
        }
        let bob = try await Self.connect(node, try new.token(Self.claims("bob"), by: "RS256"))
        try await bob.join("lesson")
        #expect(try await node.request("GET", "/readyz").status == 200)
        let metrics = try await HTTPAnswer.fetch(port: node.apiPort, path: "/metrics").body
        #expect(metrics.contains(#"martlet_tokens_checked_total{result="accepted"} 102"#))
    }

    @Test func `a node that has never had any keys is not ready, and says why`() async throws {
        let certificates = try TestCertificates()
        let old = try TokenSigner.rsa(id: "old")
        let strangers = try TestCertificates()
        let server = try await KeyServer.start(strangers.vouched(for: "localhost"), body: TokenSigner.jwks([old]))
        let node = try await Self.start(server.url, certificates)
        try await eventually("a reason") {
            try await node.request("GET", "/readyz").body.contains("auth.jwks is not trusted")
        }
        #expect(try await node.request("GET", "/readyz").status == 503)
        #expect(try await node.request("GET", "/healthz").status == 200)
        let token = try old.token(Self.claims("alice"), by: "RS256")
        let socket = try await HostileSocket.open(port: node.clientPort, path: "/ws?token=\(token)")
        // 4503, to be tried again, and not 4401.
        try await eventually("an end") { socket.closeCode != nil || !socket.isOpen }
        #expect(socket.closeCode == 4503)
    }
}
