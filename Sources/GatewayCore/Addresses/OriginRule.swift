/// The rule on the pages that a browser may connect from. Whoever names no origin is no browser, and is always let in.
package struct OriginRule: Sendable, ExpressibleByArrayLiteral {
    private let letsAllIn: Bool
    /// In the form that browsers send.
    private let origins: Set<String>
    private let letsLoopbackIn: Bool

    /// - Parameters:
    ///   - origins: `*` lets all in.
    ///   - letsLoopbackIn: whether the pages of this machine are let in too, from any of its ports.
    package init(_ origins: some Sequence<String>, letsLoopbackIn: Bool = false) {
        self.origins = Set(origins.map { Origin($0)?.description ?? $0 })
        letsAllIn = self.origins.contains("*")
        self.letsLoopbackIn = letsLoopbackIn
    }

    package init(arrayLiteral elements: String...) {
        self.init(elements)
    }

    /// - Parameter origin: the `Origin` header, as it came.
    package func letsIn(_ origin: String) -> Bool {
        if letsAllIn || origins.contains(origin) { return true }
        guard let origin = Origin(origin) else { return false }
        return origins.contains(origin.description) || letsLoopbackIn && origin.isLoopback
    }
}
