/// Keeps other sites' pages from a port that only this machine reaches and that protects weakly.
///
/// A page whose own name is made to lead to 127.0.0.1 (DNS rebinding) may ask such a port, as of the same origin; but what
/// it asks bears that name as `Host`. So only names that nobody else can have are answered, and those that
/// `client.origins` names.
package struct LoopbackFence: Sendable {
    /// Nil where any host is served.
    private let names: Set<String>?

    /// Serves any host.
    package static let open = LoopbackFence(names: nil)

    private init(names: Set<String>?) {
        self.names = names
    }

    /// - Parameters:
    ///   - boundHost: what the port is bound to.
    ///   - isWeak: whether what asks there need not prove itself, or by what anybody could guess.
    ///   - origins: those that somebody wrote into `client.origins`; empty where nobody did. `*` opens the port.
    package init(boundHost: String, isWeak: Bool, origins: [String]) {
        guard isWeak, LoopbackFence.isLoopback(boundHost: boundHost), !origins.contains("*") else {
            names = nil
            return
        }
        names = Set(origins.compactMap { Origin($0)?.host })
    }

    /// Whether a request for this host is answered; else it is 421.
    ///
    /// - Parameter host: the `Host` header, or what stands there in an absolute-form target; nil where there is neither.
    package func serves(_ host: String?) -> Bool {
        names == nil || serves(named: host.flatMap { HostName($0) })
    }

    /// The same for a host that was read already.
    package func serves(named host: HostName?) -> Bool {
        guard let names else { return true }
        guard let host else { return false }
        return host.isLoopback || names.contains(host.name)
    }

    /// Whether only this machine can reach what is bound there: a loopback address, or `localhost`.
    package static func isLoopback(boundHost: String) -> Bool {
        if let address = IPAddress(boundHost) { return address.isLoopback }
        return ["localhost", "localhost."].contains(boundHost.lowercased())
    }
}
