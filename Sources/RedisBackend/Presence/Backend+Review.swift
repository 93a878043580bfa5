import GatewayCore

extension Backend {
    package var rightsReview: any RightsReview { review }

    /// What is done here before connections of a user are asked about again; before the first client.
    package func whenReviewed(_ forget: @escaping @Sendable (UserID) -> Void) { review.use(forget) }
}
