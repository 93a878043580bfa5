import MartletClient
import NIOCore
import NIOPosix
import NIOSSL
import Testing

/// `wss` against a listener with a certificate for `localhost` that nobody else trusts.
@Suite struct TLSTests {
    private func gateway(
        response: String = FakeGateway.upgrade, certificate: String = TLSTests.certificate, key: String = TLSTests.key
    ) async throws -> FakeGateway {
        let certificate = try NIOSSLCertificate(bytes: Array(certificate.utf8), format: .pem)
        let key = try NIOSSLPrivateKey(bytes: Array(key.utf8), format: .pem)
        let tls = TLSConfiguration.makeServerConfiguration(
            certificateChain: [.certificate(certificate)], privateKey: .privateKey(key))
        return try await FakeGateway.start(response: response, tls: NIOSSLContext(configuration: tls))
    }

    private func configuration(
        _ gateway: FakeGateway, trusts: Bool, certificate: String = TLSTests.certificate, host: String = "localhost"
    ) throws -> WebSocketConfiguration {
        var configuration = WebSocketConfiguration(host: host, port: gateway.port, path: "/ws")
        var tls = TLSConfiguration.makeClientConfiguration()
        if trusts {
            let certificate = try NIOSSLCertificate(bytes: Array(certificate.utf8), format: .pem)
            tls.trustRoots = .certificates([certificate])
        }
        configuration.tls = tls
        return configuration
    }

    @Test func `a trusted gateway is greeted under TLS`() async throws {
        let gateway = try await gateway()
        let socket = try await WebSocketConnection.connect(
            try configuration(gateway, trusts: true), on: MultiThreadedEventLoopGroup.singleton)
        let peer = try await gateway.accept()
        _ = try await peer.handshake()
        socket.send(text: "hi")
        #expect(try await peer.frame() == .text(ByteBuffer(string: "hi")))
        socket.close()
        #expect(await socket.ended().code == 1000)
        await gateway.stop()
    }

    @Test func `an untrusted gateway, and one that refuses, are errors`() async throws {
        let gateway = try await gateway(response: "HTTP/1.1 503 Away\r\nContent-Length: 0\r\n\r\n")
        let group = MultiThreadedEventLoopGroup.singleton
        let wary = try configuration(gateway, trusts: false)
        let error = await #expect(throws: WebSocketConnectError.self) {
            try await WebSocketConnection.connect(wary, on: group)
        }
        if case .refused = error { Issue.record("the certificate was not checked") }
        let trusting = try configuration(gateway, trusts: true)
        await #expect(throws: WebSocketConnectError.refused(status: 503, retryAfter: nil)) {
            try await WebSocketConnection.connect(trusting, on: group)
        }
        await gateway.stop()
    }

    @Test func `a certificate for an address is none for a name that leads there, unless names are not to be checked`()
        async throws
    {
        let (certificate, key) = TLSTests.numbered
        let gateway = try await gateway(certificate: certificate, key: key)
        let group = MultiThreadedEventLoopGroup.singleton
        let named = try configuration(gateway, trusts: true, certificate: certificate)
        let error = await #expect(throws: WebSocketConnectError.self) {
            try await WebSocketConnection.connect(named, on: group).close()
        }
        guard case .badHandshake = error else {
            Issue.record("not refused for its certificate")
            return
        }
        var lax = named
        lax.tls?.certificateVerification = .noHostnameVerification
        let numbered = try configuration(gateway, trusts: true, certificate: certificate, host: "127.0.0.1")
        for good in [lax, numbered] {
            let socket = try await WebSocketConnection.connect(good, on: group)
            let peer = try await gateway.accept()
            _ = try await peer.handshake()
            socket.close()
            #expect(await socket.ended().code == 1000)
        }
        await gateway.stop()
    }

    private static let certificate = """
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

    /// Made for this test, and good for nothing else.
    private static let key = """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgLLc+C979XITzxc8s
        bvUjaJZryh1s8tELXP6/H6wO3EyhRANCAAQpQiTGPrIlS1JbnNdCEHH1l78lhyyk
        PR8ms+4lNFdsbd+16++DdmcTA1dB264pP2aubQ1mkGtFiuu4NSkYtL/h
        -----END PRIVATE KEY-----
        """

    /// The same for the addresses 127.0.0.1 and ::1 alone, whatever its common name says.
    private static let numbered = (
        certificate: """
        -----BEGIN CERTIFICATE-----
        MIIBojCCAUigAwIBAgIUXGAIXF/kAVvD9NWzWLi9Zkn8BcEwCgYIKoZIzj0EAwIw
        FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTIwMTAzMTMwNloYDzIxMjYxMTA3
        MDMxMzA2WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
        PQMBBwNCAAQ1Dn+Ta19ymjyU3Ek86lFPwi+kgiebyUb6zFRFKAkpGnF8oO9FIl50
        amPDgbE4swp8bJ9rrHDl0jtXBucSJcPEo3YwdDAdBgNVHQ4EFgQULPedoXBEeMlH
        WtyvG5/XDlaalhUwHwYDVR0jBBgwFoAULPedoXBEeMlHWtyvG5/XDlaalhUwDwYD
        VR0TAQH/BAUwAwEB/zAhBgNVHREEGjAYhwR/AAABhxAAAAAAAAAAAAAAAAAAAAAB
        MAoGCCqGSM49BAMCA0gAMEUCIQCfAPD5V7jLJveG09HArm+bczg8Q0asbACesnLw
        9R4lcQIgV8JsGYnF03D9Rb8tCRIWkcS1/kgV3/JaAqqOgK57Vcs=
        -----END CERTIFICATE-----
        """,
        key: """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgmeeew3bjIJ2yhR1V
        sS4ZV0q18lRiQhU2pAyb0kZFoaOhRANCAAQ1Dn+Ta19ymjyU3Ek86lFPwi+kgieb
        yUb6zFRFKAkpGnF8oO9FIl50amPDgbE4swp8bJ9rrHDl0jtXBucSJcPE
        -----END PRIVATE KEY-----
        """
    )
}
