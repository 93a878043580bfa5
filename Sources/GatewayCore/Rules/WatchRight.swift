/// Who may be told of whose coming and going by `watch`.
package enum WatchRight: String, Hashable, Sendable, CaseIterable {
    case anyone
    /// Whoever is in a room with the user watched when the watching begins, and may know who is there.
    case sameRoom
    case nobody
}
