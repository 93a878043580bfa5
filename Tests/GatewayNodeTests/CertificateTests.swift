import Foundation
import GatewayNode
import TestKit
import Testing

@Suite("Certificates of ports")
struct CertificateTests {
    private static let day: Int64 = 86_400

    private static func files(_ files: TestCertificates.Files, authority: String? = nil) -> TLSFiles {
        var tls = TLSFiles()
        (tls.certificateFile, tls.keyFile, tls.clientAuthorityFile) = (files.certificate, files.key, authority)
        return tls
    }

    private static func copy(_ from: String, to: String) throws {
        try Data(contentsOf: URL(fileURLWithPath: from)).write(to: URL(fileURLWithPath: to))
    }

    @Test func `files that changed are taken when they are good, and good now`() throws {
        let (certificates, scratch) = (try TestCertificates(), try Scratch())
        let first = try certificates.files(for: "localhost")
        let place = TestCertificates.Files(certificate: "\(scratch.path)/c.pem", key: "\(scratch.path)/k.pem")
        func put(_ files: TestCertificates.Files) throws {
            try Self.copy(files.certificate, to: place.certificate)
            try Self.copy(files.key, to: place.key)
        }
        try put(first)
        let keeper = try CertificateKeeper(Self.files(place), name: "client.tls")
        let context = keeper.context
        #expect(keeper.look() == .unchanged && keeper.context === context)

        let second = try certificates.files(for: "localhost")
        // The certificate first, then the key: what stands between the two is no reason to stop.
        try Self.copy(second.certificate, to: place.certificate)
        let problem = "client.tls.keyFile: \(place.key) does not belong to the certificate in \(place.certificate)"
        #expect(keeper.look() == .refused(problem) && keeper.context === context)
        try Self.copy(second.key, to: place.key)
        #expect(keeper.look() == .replaced && keeper.context !== context)
        #expect(keeper.look() == .unchanged)

        for off in [Duration.seconds(-10 * Self.day), .seconds(10 * Self.day)] {
            try put(certificates.files(for: "localhost", off: off))
            guard case .refused(let reason) = keeper.look() else {
                Issue.record("taken: \(off)")
                continue
            }
            #expect(reason.contains(off < .zero ? "expired on" : "is not valid before"))
        }
        try FileManager.default.removeItem(atPath: place.key)
        #expect(keeper.look() == .refused("client.tls.keyFile: \(place.key) cannot be read: No such file or directory"))
        try put(first)
        #expect(keeper.look() == .replaced)
    }

    @Test(
        arguments: [
            ("certificateFile: CERT", "client.tls.certificateFile and .keyFile are needed both"),
            ("keyFile: KEY", "client.tls.certificateFile and .keyFile are needed both"),
            (
                "certificateFile: /none, keyFile: KEY",
                "client.tls.certificateFile: /none cannot be read: No such file or directory"
            ),
            ("certificateFile: KEY, keyFile: KEY", "client.tls.certificateFile: KEY holds no certificate in PEM"),
            (
                "certificateFile: CERT, keyFile: CERT",
                "client.tls.keyFile: CERT holds no private key in PEM, or one that a passphrase locks"
            ),
            (
                "certificateFile: CERT, keyFile: OTHER",
                "client.tls.keyFile: OTHER does not belong to the certificate in CERT"
            ),
            ("certificateFile: CERT, keyFile: KEY", nil),
        ] as [(String, String?)])
    func `files that do not fit are refused at the start`(text: String, problem: String?) throws {
        let certificates = try TestCertificates()
        let (own, other) = (try certificates.files(for: "a.example"), try certificates.files(for: "b.example"))
        func filled(_ text: String) -> String {
            text.replacingOccurrences(of: "CERT", with: own.certificate).replacingOccurrences(of: "KEY", with: own.key)
                .replacingOccurrences(of: "OTHER", with: other.key)
        }
        #expect(try refusal("client: {tls: {\(filled(text))}}\n") == problem.map(filled))
    }

    @Test func `an authority for clients needs a certificate, and must be one`() throws {
        let certificates = try TestCertificates()
        let own = try certificates.files(for: "a.example")
        let needs = "api.tls.clientCaFile needs api.tls.certificateFile and api.tls.keyFile"
        #expect(try refusal("api: {tls: {clientCaFile: \(certificates.authorityFile)}}\n") == needs)
        let files = "certificateFile: \(own.certificate), keyFile: \(own.key)"
        #expect(try refusal("api: {tls: {\(files), clientCaFile: \(certificates.authorityFile)}}\n") == nil)
        #expect(
            try refusal("api: {tls: {\(files), clientCaFile: \(own.key)}}\n")
                == "api.tls.clientCaFile: \(own.key) holds no certificate in PEM")
    }

    @Test func `one that has expired, or is not valid yet, is warned of at the start`() throws {
        let certificates = try TestCertificates()
        for (off, words) in [(-10, "expired on"), (10, "is not valid before")] as [(Int64, String)] {
            let old = try certificates.files(for: "a.example", off: .seconds(off * Self.day))
            let yaml = "client: {tls: {certificateFile: \(old.certificate), keyFile: \(old.key)}}\n"
            let warnings = try load(yaml).warnings
            #expect(warnings.count == 1 && warnings[0].contains(words), "\(warnings)")
        }
    }
}
