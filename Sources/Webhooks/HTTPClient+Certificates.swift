import AsyncHTTPClient
import NIOCore
import NIOSSL
import ServerTrust

extension HTTPClient.Configuration {
    /// For requests to this URL's host and to no other: over TLS, who shows no certificate for the host as the URL names it is
    /// sent nothing. Without this, a certificate for the address that the name leads to would do.
    package mutating func holdCertificates(to url: WebhookURL) {
        guard url.isSecure else { return }
        let server = ServerName(url.host)
        // The check stands in the way of this version's connections alone.
        httpVersion = .http1Only
        http1_1ConnectionDebugInitializer = { channel in
            let checked = channel.eventLoop.makeCompletedFuture {
                let tls = try channel.pipeline.syncOperations.handler(type: NIOSSLHandler.self)
                guard let certificate = tls.peerCertificate else { throw NIOSSLError.noCertificateToValidate }
                try certificate.check(for: server)
            }
            // The client, which leaves the connection open, must hear of the failure before it hears that the connection is closed.
            checked.whenFailure { _ in channel.eventLoop.execute { channel.close(promise: nil) } }
            return checked
        }
    }
}
