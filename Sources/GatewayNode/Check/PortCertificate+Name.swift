import NIOSSL
import ServerTrust

extension PortCertificate {
    /// Whether clients that connect to this name or address take it; its common name counts with none of them any more.
    func isFor(_ name: String) -> Bool {
        leaf.alternativeNames.include(ServerName(name))
    }
}
