import GatewayCore
import NIOCore

extension IPAddress {
    /// Nil for a unix socket.
    init?(_ address: SocketAddress) {
        switch address {
        case .v4(let v4): self.init(v4.address.sin_addr)
        case .v6(let v6): self.init(v6.address.sin6_addr)
        case .unixDomainSocket: return nil
        }
    }
}
