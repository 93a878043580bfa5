/// A part of the api port that a backend's key opens.
package enum APIScope: String, Hashable, Sendable, CaseIterable {
    /// Every question.
    case read
    /// Messages to rooms, users and everyone.
    case broadcast
    /// Decisions over users, rooms and addresses: disconnects, bans, settings.
    case moderate
    /// All of these, and what cannot be taken back.
    case admin
}
