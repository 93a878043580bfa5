import Foundation
import NIOCore
import NIOSSL

/// An authority of one test's own and the certificates that it, or nobody, vouches for; made by openssl.
package final class TestCertificates: Sendable {
    private let folder: String

    package init() throws {
        folder = FileManager.default.temporaryDirectory.path + "/certificates-test-\(UUID().uuidString.prefix(13))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        try make("authority", for: "the authority of a test", by: [])
    }

    deinit {
        // What cannot be removed lies in the folder for such things.
        try? FileManager.default.removeItem(atPath: folder)
    }

    /// The authority's own certificate, as PEM.
    package var authorityFile: String { "\(folder)/authority.pem" }

    package var authorities: [NIOSSLCertificate] { get throws { try NIOSSLCertificate.fromPEMFile(authorityFile) } }

    /// For a server: a certificate for this name or address, by the authority.
    package func vouched(for name: String, _ change: (inout TLSConfiguration) -> Void = { _ in }) throws
        -> NIOSSLContext
    {
        try make("vouched-\(name)", for: name, by: ["-CA", authorityFile, "-CAkey", "\(folder)/authority.key"])
        return try context("vouched-\(name)", change)
    }

    /// The same as files in PEM, for a server that is a process.
    package func vouchedFiles(for name: String) throws -> (certificate: String, key: String) {
        try make("vouched-\(name)", for: name, by: ["-CA", authorityFile, "-CAkey", "\(folder)/authority.key"])
        return ("\(folder)/vouched-\(name).pem", "\(folder)/vouched-\(name).key")
    }

    /// For a server: a certificate for this name that vouches for itself.
    package func selfSigned(for name: String) throws -> NIOSSLContext {
        try make("own-\(name)", for: name, by: [])
        return try context("own-\(name)") { _ in }
    }

    /// A certificate and its key as files in PEM, for a process.
    package struct Files: Sendable {
        package let certificate: String
        package let key: String

        package init(certificate: String, key: String) {
            self.certificate = certificate
            self.key = key
        }
    }

    /// A certificate for this name or address by the authority, good for two days from now or, where `off` is given, from then.
    package func files(for name: String, off: Duration = .zero) throws -> Files {
        let file = "\(UUID().uuidString.prefix(8))-\(name)"
        try make(
            file, for: name, by: ["-CA", authorityFile, "-CAkey", "\(folder)/authority.key"],
            clock: off == .zero ? [:] : WrongClock.environment(off: off))
        return Files(certificate: "\(folder)/\(file).pem", key: "\(folder)/\(file).key")
    }

    /// For a client that trusts the authority alone, and shows this certificate where it is asked for one.
    package func client(showing files: Files? = nil) throws -> TLSConfiguration {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.trustRoots = .certificates(try authorities)
        if let files {
            configuration.certificateChain = try NIOSSLCertificate.fromPEMFile(files.certificate)
                .map { .certificate($0) }
            configuration.privateKey = .privateKey(try NIOSSLPrivateKey(file: files.key, format: .pem))
        }
        return configuration
    }

    private func make(
        _ file: String, for name: String, by authority: [String], clock: [String: String] = [:]
    ) throws {
        let isName = !name.contains(" ")
        // As swift-nio reads it: an error says that it is a name.
        let kind = (try? SocketAddress(ipAddress: name, port: 0)) == nil ? "DNS" : "IP"
        _ = try RedisServerProcess.ChildProcess.output(
            of: ["env"] + clock.map { "\($0.key)=\($0.value)" } + [
                "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                "-days", "2", "-subj", "/CN=\(name)", "-keyout", "\(folder)/\(file).key", "-out",
                "\(folder)/\(file).pem",
            ] + (isName ? ["-addext", "subjectAltName=\(kind):\(name)"] : []) + authority)
    }

    private func context(_ file: String, _ change: (inout TLSConfiguration) -> Void) throws -> NIOSSLContext {
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: try NIOSSLCertificate.fromPEMFile("\(folder)/\(file).pem").map { .certificate($0) },
            privateKey: .privateKey(try NIOSSLPrivateKey(file: "\(folder)/\(file).key", format: .pem)))
        change(&configuration)
        return try NIOSSLContext(configuration: configuration)
    }
}
