import NIOCore
import NIOSSL

extension NIOSSLCertificate {
    package var alternativeNames: CertificateNames {
        var found = CertificateNames()
        for name in _subjectAlternativeNames() {
            switch name.nameType {
            case .dnsName: found.names.append(Array(name.contents))
            case .ipAddress: found.addresses.append(Array(name.contents))
            default: found.others += 1
            }
        }
        return found
    }

    /// What swift-nio-ssl does not ask: it takes a certificate for the address that a connection leads to, though the
    /// server was named. A certificate without any alternative name it holds to the server's name by its common name.
    ///
    /// - Throws: `NIOSSLExtraError.failedToValidateHostname` where swift-nio-ssl has let the certificate of another pass.
    package func check(for server: ServerName) throws {
        let names = alternativeNames
        guard names.isEmpty || names.include(server) else { throw NIOSSLExtraError.failedToValidateHostname }
    }
}

extension NIOSSLClientHandler {
    /// For a connection to a server that shows a certificate for this host, as it is named here; nothing is sent to others.
    ///
    /// - Parameters:
    ///   - host: a name, or an address without brackets.
    ///   - verification: the context's; short of the full one nobody asks whom a certificate is for.
    package static func speaking(
        to host: String, context: NIOSSLContext, verification: CertificateVerification = .fullVerification
    ) throws -> NIOSSLClientHandler {
        let server = ServerName(host)
        let name: String? = if case .name = server { host } else { nil }
        guard verification == .fullVerification else {
            return try NIOSSLClientHandler(context: context, serverHostname: name)
        }
        return try _makeSSLClientHandler(context: context, serverHostname: name) { certificate, channel in
            channel.eventLoop.makeCompletedFuture { try certificate.check(for: server) }
        }
    }
}
