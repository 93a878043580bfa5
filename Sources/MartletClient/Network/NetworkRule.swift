/// The rule by which a client comes back at once where the system knows more than its socket does. Pure.
package struct NetworkRule: Sendable {
    /// The networks that a program can use at one time.
    package struct Path: Hashable, Sendable {
        package var isReachable: Bool
        /// By their names, the one that is used first in front, such as `en0` before `pdp_ip0`.
        package var interfaces: [String]

        package init(isReachable: Bool, interfaces: [String]) {
            self.isReachable = isReachable
            self.interfaces = interfaces
        }
    }

    /// After so long out of sight the system may have taken the socket away without a word.
    package static let shortestAbsence = Duration.seconds(5)

    private var path: Path?
    private var leftAt: ContinuousClock.Instant?

    package init() {}

    /// Answers whether to connect anew: the first that is told is where the client begins, and one that reaches nothing
    /// leaves the socket, which may outlast it.
    package mutating func changed(to next: Path) -> Bool {
        defer { path = next }
        guard let path, next.isReachable else { return false }
        return !path.isReachable || next.interfaces.first != path.interfaces.first
    }

    /// The app is no longer on the screen.
    package mutating func left(at now: ContinuousClock.Instant) { leftAt = now }

    /// It is back; answers whether to connect anew.
    package mutating func returned(at now: ContinuousClock.Instant) -> Bool {
        defer { leftAt = nil }
        return leftAt.map { now - $0 >= NetworkRule.shortestAbsence } ?? false
    }
}
