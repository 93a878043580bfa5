/// What the keys of all issuers come to.
package struct KeyStandings: Hashable, Sendable {
    /// Why no token at all can be checked; nil where some can.
    package let problem: String?
    /// Why the tokens of some issuers cannot, though those of others can; nil where there is nothing of the kind.
    package let restriction: String?
    /// Issuers that have no keys.
    package let missing: Int

    package init(_ sources: [KeySource]) {
        let problems = sources.compactMap(\.problem)
        missing = problems.count
        let isAny = problems.count < sources.count
        problem = isAny ? nil : problems.first
        restriction =
            isAny && !problems.isEmpty
            ? "the tokens of some issuers cannot be checked: \(problems.joined(separator: ", "))" : nil
    }
}
