import Foundation
import NIOSSL

/// The files that make a port speak TLS; the port is plain where the first two are not given.
package struct TLSFiles: Hashable, Sendable {
    /// The certificate and those between it and the authority, in PEM, its own first.
    package var certificateFile: String?
    package var keyFile: String?
    /// The authorities whose certificates clients may show; nil: none are asked for.
    package var clientAuthorityFile: String?

    package init() {}

    /// Whether the port speaks TLS.
    package var isSecure: Bool { certificateFile != nil }
}

/// What is wrong with files of a port, worded to follow the port's key (`client.tls`); it holds nothing of them.
package struct TLSProblem: Error, Hashable, CustomStringConvertible {
    package let description: String
}

/// A port's certificate, read and found to fit its key.
package struct PortCertificate: Sendable {
    /// New connections are made with it, and resumed by its tickets.
    package let context: NIOSSLContext
    /// The port's own.
    let leaf: NIOSSLCertificate
    /// Seconds since 1970.
    package let validFrom: Int64
    package let validUntil: Int64
    /// What was read, so that a change can be seen.
    let contents: [String]

    /// TLS 1.2 with forward secrecy and authenticated encryption, the rest of its suites being broken or near it; those of
    /// 1.3 are all good.
    private static let suites = [
        "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305",
    ].joined(separator: ":")

    /// How long a connection that is cut waits for the peer to agree.
    private static let shutdownMilliseconds: Int64 = 200

    package init(_ files: TLSFiles) throws(TLSProblem) {
        guard let certificateFile = files.certificateFile, let keyFile = files.keyFile else {
            throw TLSProblem(description: ".certificateFile and .keyFile are needed both")
        }
        let chainText = try PortCertificate.read(certificateFile, as: "certificateFile")
        let keyText = try PortCertificate.read(keyFile, as: "keyFile")
        let authorityText = try files.clientAuthorityFile.map { file throws(TLSProblem) in
            try PortCertificate.read(file, as: "clientCaFile")
        }
        let chain = try PortCertificate.certificates(chainText, of: certificateFile, as: "certificateFile")
        let key: NIOSSLPrivateKey
        do {
            key = try NIOSSLPrivateKey(bytes: Array(keyText.utf8), format: .pem)
        } catch {
            throw TLSProblem(
                description: ".keyFile: \(keyFile) holds no private key in PEM, or one that a passphrase locks")
        }
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
        configuration.minimumTLSVersion = .tlsv12
        configuration.cipherSuites = PortCertificate.suites
        configuration.applicationProtocols = ["http/1.1"]
        configuration.shutdownTimeout = .milliseconds(PortCertificate.shutdownMilliseconds)
        if let file = files.clientAuthorityFile, let authorityText {
            configuration.trustRoots = .certificates(
                try PortCertificate.certificates(authorityText, of: file, as: "clientCaFile"))
            configuration.certificateVerification = .optionalVerification
            configuration.sendCANameList = true
        }
        do {
            context = try NIOSSLContext(configuration: configuration)
        } catch {
            throw TLSProblem(
                description: ".keyFile: \(keyFile) does not belong to the certificate in \(certificateFile)")
        }
        leaf = chain[0]
        validFrom = Int64(chain[0].notValidBefore)
        validUntil = Int64(chain[0].notValidAfter)
        contents = [chainText, keyText] + (authorityText.map { [$0] } ?? [])
    }

    /// What is wrong with its dates at a time in seconds since 1970, worded to follow its name; nil where nothing is.
    package func problem(at now: Int64) -> String? {
        if now < validFrom { return "is not valid before \(PortCertificate.show(validFrom))" }
        if now >= validUntil { return "expired on \(PortCertificate.show(validUntil))" }
        return nil
    }

    static func show(_ seconds: Int64) -> String {
        Date(timeIntervalSince1970: TimeInterval(seconds)).formatted(.iso8601)
    }

    /// Whether the files hold something else by now; false where they cannot be read.
    func isStale(_ files: TLSFiles) -> Bool {
        let paths = [files.certificateFile, files.keyFile, files.clientAuthorityFile].compactMap(\.self)
        // What cannot be read is told when it is asked for.
        let now = paths.map { try? PortCertificate.read($0, as: "") }
        return zip(now, contents).contains { $0 != $1 }
    }

    private static func read(_ path: String, as key: String) throws(TLSProblem) -> String {
        do throws(SettingsError) {
            return try SmallFile.text(of: path, limit: 1 << 20, called: ".\(key)")
        } catch {
            throw TLSProblem(description: error.description)
        }
    }

    private static func certificates(
        _ text: String, of path: String, as key: String
    ) throws(TLSProblem) -> [NIOSSLCertificate] {
        // Whatever keeps the library from reading them, it is told in the same words.
        guard let certificates = try? NIOSSLCertificate.fromPEMBytes(Array(text.utf8)), !certificates.isEmpty else {
            throw TLSProblem(description: ".\(key): \(path) holds no certificate in PEM")
        }
        return certificates
    }
}
