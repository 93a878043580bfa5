/// The identity that a connection speaks for, as its token or, without authentication, its address line said.
package struct Identity: Sendable {
    package var userId: UserID
    /// What others are shown of the user: a JSON object, `{}` where the token says nothing.
    package var info: [UInt8]
    /// What the token allows; nil where it says nothing and the configured rules hold.
    package var grants: RoomGrants?
    /// What the backend has said of the connection; nil where it was not asked, or could not be.
    package var given: Given?
    /// Seconds since 1970; nil where nothing expires.
    package var expires: Int64?
    /// When the token was issued, in milliseconds since 1970: 0 where it does not say, nil where there is no token.
    package var issuedAt: Int64?

    /// One for all who show nothing.
    package static let noInfo = Array("{}".utf8)

    package init(
        userId: UserID, expires: Int64? = nil, issuedAt: Int64? = nil, info: [UInt8] = Identity.noInfo,
        grants: RoomGrants? = nil
    ) {
        self.userId = userId
        self.expires = expires
        self.issuedAt = issuedAt
        self.info = info
        self.grants = grants
    }

    /// What it may do where: the backend's word counts over the token's; nil where neither says anything of it.
    package var rights: RoomGrants? { given?.rooms ?? grants }

    /// What others are shown of the user: here as well.
    package var shownInfo: [UInt8] { given?.info ?? info }

    /// `expires` in milliseconds, as everything a client is told; what lies beyond the reach of that never comes.
    package var expiresMilliseconds: Int64? {
        guard let (milliseconds, overflow) = expires?.multipliedReportingOverflow(by: 1000), !overflow else {
            return nil
        }
        return milliseconds
    }
}

/// The reason why a token is refused; the text is safe to log and to send.
package struct TokenError: Error, Hashable, Sendable {
    package var message: String
    /// Whether the token could not be judged, so that the same one may be taken later.
    package var isTemporary: Bool

    package init(_ message: String, isTemporary: Bool = false) {
        self.message = message
        self.isTemporary = isTemporary
    }
}

/// Checks what a client shows for itself.
package protocol TokenVerifier: Sendable {
    /// The identity behind a token that is signed, in time and meant for this gateway.
    func verify(_ token: String) async throws(TokenError) -> Identity
}
