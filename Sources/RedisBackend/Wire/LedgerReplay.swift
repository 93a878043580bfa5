/// A replay that a receiver is due, as `replay:<receiver>` holds it: `from to types`, the types with commas, or `*`;
/// from where and up to where only the scripts read.
package struct LedgerReplay: Hashable, Sendable {
    /// Nil for all.
    package let types: Set<String>?

    /// Nil where the text is empty.
    package init?(_ text: String) {
        guard let types = text.split(separator: " ").last else { return nil }
        self.types = types == "*" ? nil : Set(types.split(separator: ",").map(String.init))
    }
}
