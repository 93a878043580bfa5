import GatewayCore
import Synchronization

/// Tokens in a table: `alice` names alice, what is not there is refused.
final class TableVerifier: TokenVerifier {
    private let identities: Mutex<[String: Identity]>

    init(_ identities: [String: Identity]) {
        self.identities = Mutex(identities)
    }

    func verify(_ token: String) async throws(TokenError) -> Identity {
        guard let identity = identities.withLock({ $0[token] }) else { throw TokenError("the token is not known") }
        return identity
    }
}
