import Foundation
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

    /// For a server: a certificate for this name, by the authority.
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

    private func make(_ file: String, for name: String, by authority: [String]) throws {
        let isName = !name.contains(" ")
        _ = try RedisServerProcess.ChildProcess.output(
            of: [
                "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                "-days", "2", "-subj", "/CN=\(name)", "-keyout", "\(folder)/\(file).key", "-out",
                "\(folder)/\(file).pem",
            ] + (isName ? ["-addext", "subjectAltName=DNS:\(name)"] : []) + authority)
    }

    private func context(_ file: String, _ change: (inout TLSConfiguration) -> Void) throws -> NIOSSLContext {
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: try NIOSSLCertificate.fromPEMFile("\(folder)/\(file).pem").map { .certificate($0) },
            privateKey: .privateKey(try NIOSSLPrivateKey(file: "\(folder)/\(file).key", format: .pem)))
        change(&configuration)
        return try NIOSSLContext(configuration: configuration)
    }
}
