import Metrics
import NIOSSL

/// The certificates of a node's ports; a port without one is plain.
struct Certificates: Sendable {
    private let clientKeeper, apiKeeper: CertificateKeeper?

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
        clientKeeper = try keeper(settings.clientTLS, "client.tls")
        apiKeeper = try keeper(settings.apiTLS, "api.tls")
    }

    var keepers: [CertificateKeeper] { [clientKeeper, apiKeeper].compactMap(\.self) }
    var client: (@Sendable () -> NIOSSLContext)? { clientKeeper?.provider }
    var api: (@Sendable () -> NIOSSLContext)? { apiKeeper?.provider }

    /// What other settings' files hold, to be taken by the ports where all of it is good.
    struct Next {
        fileprivate var parts: [(keeper: CertificateKeeper, files: TLSFiles, certificate: PortCertificate)] = []

        /// From here on these serve.
        func take() {
            for part in parts { part.keeper.take(part.certificate, of: part.files) }
        }
    }

    /// Whether a port speaks TLS stays as it is.
    func next(_ settings: Settings) throws(SettingsError) -> Next {
        var next = Next()
        for (keeper, files) in [(clientKeeper, settings.clientTLS), (apiKeeper, settings.apiTLS)] {
            guard let keeper else { continue }
            do throws(TLSProblem) {
                next.parts.append((keeper, files, try CertificateKeeper.certificate(in: files)))
            } catch {
                throw SettingsError("\(keeper.name)\(error)")
            }
        }
        return next
    }
}
