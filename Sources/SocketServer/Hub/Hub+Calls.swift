/// Backends' calls that came to the port for clients.
extension Hub {
    /// What a call counts without its body.
    package static let leastCallBytes = 4 << 10

    /// Counts more of a body; false where there is too much already.
    func holdCall(_ bytes: Int) -> Bool {
        guard callBytes + bytes <= configuration.maxCallBytes else { return false }
        callBytes += bytes
        return true
    }

    func releaseCall(_ bytes: Int) { callBytes -= bytes }
}
