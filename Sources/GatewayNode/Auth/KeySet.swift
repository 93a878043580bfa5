/// Keys of one issuer, each with the name that tokens call it by, if it has one.
package struct KeySet: Sendable {
    struct Entry: Sendable {
        /// The `kid` of tokens that it signs; nil: it may have signed any.
        let id: String?
        let key: TokenKey
        /// What it signs by: all that it can, or what it says itself.
        let algorithms: Set<SignatureAlgorithm>
    }

    /// The keys that a token may have been signed with, or why there is none.
    enum Candidates {
        case some([TokenKey])
        /// There is such a key, but it does not sign like this.
        case unfit
        case unknown
    }

    /// How many keys are tried for one token, so that a token costs no more than that.
    package static let mostTried = 4

    private let entries: [Entry]

    init(_ entries: [Entry]) {
        self.entries = entries
    }

    /// Secrets, the new one and the old one while they are changed.
    package init(secrets: [String]) {
        self.init(
            secrets.map { Entry(id: nil, key: TokenKey(secret: $0), algorithms: SignatureAlgorithm.symmetric) })
    }

    package var count: Int { entries.count }

    /// All that any of them signs by.
    package var algorithms: Set<SignatureAlgorithm> { entries.reduce(into: []) { $0.formUnion($1.algorithms) } }

    /// - Parameter id: what the token calls its key; nil where it does not say.
    func candidates(id: String?, algorithm: SignatureAlgorithm) -> Candidates {
        var named = entries
        if let id {
            named = entries.filter { $0.id.map { $0.utf8.elementsEqual(id.utf8) } ?? false }
            if named.isEmpty { named = entries.filter { $0.id == nil } }
        }
        guard !named.isEmpty else { return .unknown }
        let fit = named.filter { $0.algorithms.contains(algorithm) }.prefix(KeySet.mostTried)
        return fit.isEmpty ? .unfit : .some(fit.map(\.key))
    }
}
