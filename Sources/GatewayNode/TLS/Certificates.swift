import Metrics
import NIOSSL

/// The certificates of a node's ports; a port without one is plain.
struct Certificates: Sendable {
    let keepers: [CertificateKeeper]
    let client: (@Sendable () -> NIOSSLContext)?
    let api: (@Sendable () -> NIOSSLContext)?

    /// - Throws: ``NodeFailure`` where files that were good when the settings were read are so no longer.
    init(_ settings: Settings, metrics: any MetricsFactory) throws(NodeFailure) {
        func keeper(_ files: TLSFiles, _ name: String) throws(NodeFailure) -> CertificateKeeper? {
            guard files.isSecure else { return nil }
            do throws(TLSProblem) {
                return try CertificateKeeper(files, name: name, metrics: metrics)
            } catch {
                throw NodeFailure("\(name)\(error)", status: NodeFailure.configuration)
            }
        }
        let client = try keeper(settings.clientTLS, "client.tls")
        let api = try keeper(settings.apiTLS, "api.tls")
        keepers = [client, api].compactMap(\.self)
        self.client = client?.provider
        self.api = api?.provider
    }
}
