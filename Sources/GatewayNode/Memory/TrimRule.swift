/// The rule by which the allocator is to give back what it keeps free: after a peak, and seldom.
///
/// The allocator keeps what a peak has left among live objects, for good; giving it back takes a moment in which threads
/// may wait for memory, so it is not worth it for little.
package struct TrimRule {
    /// Growth that is not worth it, besides a fifth.
    package static let smallBytes = 16 << 20

    /// The least that has been resident since the last time.
    private var floorBytes = Int.max
    private var lastBytes = Int.max

    package init() {}

    /// So much is resident at this moment, some seconds after the last look; answers whether to trim now.
    ///
    /// Not while it still grows: the peak is not over.
    package mutating func looked(residentBytes: Int) -> Bool {
        defer { lastBytes = residentBytes }
        floorBytes = min(floorBytes, residentBytes)
        let isHigh = residentBytes - floorBytes > floorBytes / 5 + TrimRule.smallBytes
        return isHigh && residentBytes - residentBytes / 20 <= lastBytes
    }

    /// So much was left: it is in use, whatever was before.
    package mutating func trimmed(residentBytes: Int) {
        floorBytes = residentBytes
        lastBytes = residentBytes
    }
}
