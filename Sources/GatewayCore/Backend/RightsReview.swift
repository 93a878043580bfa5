/// Has the backend asked again what clients may do, on whatever nodes they are.
package protocol RightsReview: Sendable {
    /// Answers how many connections of the user are asked about; `unavailable` where a node that may have some does not say.
    func review(_ user: UserID) async throws(BackendError) -> Int
}
