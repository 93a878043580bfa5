import NIOSSL

/// Why a server is not spoken to over TLS.
package enum TLSRefusal: Hashable, Sendable, CustomStringConvertible {
    case otherName
    /// No authority that is known vouches for its certificate, or does so no more.
    case untrusted
    /// It knows no version that is safe.
    case outdated
    /// What it answers is not TLS.
    case plain
    case wantsCertificate
    /// In the words of the library.
    case other(String)

    /// Nil for an error that has to do with something else.
    package init?(_ error: any Error) {
        if let error = error as? NIOSSLExtraError, error == .failedToValidateHostname {
            self = .otherName
            return
        }
        guard error is NIOSSLError || error is BoringSSLError || error is NIOSSLExtraError else { return nil }
        let text = "\(error)"
        // The library has no cases for these.
        self =
            if text.contains("CERTIFICATE_VERIFY_FAILED") {
                .untrusted
            } else if text.contains("PROTOCOL_VERSION") || text.contains("UNSUPPORTED_PROTOCOL") {
                .outdated
            } else if text.contains("WRONG_VERSION_NUMBER") || text.contains("HTTP_REQUEST") {
                .plain
            } else if text.contains("CERTIFICATE_REQUIRED") {
                .wantsCertificate
            } else {
                .other(text)
            }
    }

    /// Follows the server's name, or stands for itself.
    package var description: String {
        switch self {
        case .otherName: "its certificate is for another name"
        case .untrusted: "its certificate has expired, or comes from no authority that this node knows"
        case .outdated: "it speaks nothing newer than TLS 1.1"
        case .plain: "it does not speak TLS"
        case .wantsCertificate: "it wants to be shown a certificate"
        case .other(let text): "TLS failed: \(text)"
        }
    }
}
