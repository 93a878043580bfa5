/// Backends' calls that came to the port for clients.
extension Hub {
    /// The bodies of all calls of this loop that are coming in or being answered, in bytes: as sixteen of the largest.
    private static let mostCallBytes = 16 << 20
    /// What a call counts without its body.
    static let leastCallBytes = 4 << 10

    /// Counts more of a body; false where there is too much already.
    func holdCall(_ bytes: Int) -> Bool {
        guard callBytes + bytes <= Hub.mostCallBytes else { return false }
        callBytes += bytes
        return true
    }

    func releaseCall(_ bytes: Int) { callBytes -= bytes }
}
