/// The right to be told by `watch` of somebody's coming and going.
package enum WatchRight: String, Hashable, Sendable, CaseIterable {
    case anyone
    /// Whoever is in a room with the user watched when the watching begins, and may know who is there.
    case sameRoom
    case nobody
}
