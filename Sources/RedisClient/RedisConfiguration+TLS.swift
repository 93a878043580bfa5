import Glibc
import NIOSSL

extension RedisConfiguration {
    /// For links over TLS, with what the files hold that the URL names.
    ///
    /// - Throws: which of them cannot be used, and why; the text holds no path.
    func tlsContext() throws(RedisURLError) -> NIOSSLContext {
        var tls = TLSConfiguration.makeClientConfiguration()
        if let file = certificateAuthorityFile {
            tls.trustRoots = .certificates(try Self.certificates(in: file, as: "ca"))
        }
        if let certificateFile, let keyFile {
            tls.certificateChain = try Self.certificates(in: certificateFile, as: "cert").map { .certificate($0) }
            tls.privateKey = .privateKey(try Self.key(in: keyFile))
        }
        do {
            return try NIOSSLContext(configuration: tls)
        } catch {
            throw RedisURLError(
                keyFile == nil ? "TLS cannot be set up: \(error)" : "its key is not that of the certificate in cert")
        }
    }

    /// Whether the files can be used that the URL names, for whoever wants to know before there are links.
    package func checkFiles() throws(RedisURLError) {
        guard certificateAuthorityFile != nil || certificateFile != nil else { return }
        _ = try tlsContext()
    }

    private static func certificates(in file: String, as part: String) throws(RedisURLError) -> [NIOSSLCertificate] {
        try checkReading(of: file, as: part)
        do {
            let certificates = try NIOSSLCertificate.fromPEMFile(file)
            if !certificates.isEmpty { return certificates }
        } catch {
            throw RedisURLError("its \(part) holds no certificate in PEM, or one that is broken")
        }
        throw RedisURLError("its \(part) holds no certificate in PEM")
    }

    private static func key(in file: String) throws(RedisURLError) -> NIOSSLPrivateKey {
        try checkReading(of: file, as: "key")
        do {
            return try NIOSSLPrivateKey(file: file, format: .pem)
        } catch {
            throw RedisURLError("its key holds no private key in PEM, or one that a passphrase locks")
        }
    }

    /// The library says nothing of what the system has against it, takes a folder for many files, and waits for a pipe.
    private static func checkReading(of file: String, as part: String) throws(RedisURLError) {
        var status = stat()
        guard stat(file, &status) == 0, access(file, R_OK) == 0 else {
            throw RedisURLError("its \(part) cannot be read: \(String(cString: strerror(errno)))")
        }
        guard status.st_mode & S_IFMT == S_IFREG else { throw RedisURLError("its \(part) is no regular file") }
    }
}
